internal import BlockIO
internal import SnapshotFormat

/// Searches an image for stores by their structure, wherever they begin.
///
/// The image is read once, in order. A sector that begins like a header or an area is examined: the
/// areas of the store that it would belong to are followed and counted by ``AreaLaw``. Thus a store
/// is found even without its header or its first areas.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `persistent_prepare_exception`,
///   `skip_metadata`; docs/format.md, "Layout arithmetic".
struct StoreSearch {
  private static let windowByteCount: UInt64 = 1 << 20
  let source: any BlockSource
  let reader: AreaReader
  /// One sector, for headers and for neighbours of an area.
  let sector = IOBuffer(byteCount: 512)
  /// The stores found, in no order.
  var stores: [CarvedStore] = []
  /// Stores that begin before the image.
  var beheaded: [BeheadedStore] = []
  /// The byte ranges of the image that could not be read, ascending.
  private(set) var unreadable: [Range<UInt64>] = []
  /// Where the last list of rising numbers ends.
  var countedEnd: UInt64 = 0
  /// The known stores' places, and their indexes in the result; nil for one that begins before the
  /// image.
  private var known: [StorePlace: Known] = [:]

  private struct Known {
    let index: Int?
    /// The area after the last one counted.
    var nextArea: UInt64
  }

  init(_ source: any BlockSource) {
    self.source = source
    reader = AreaReader(source)
  }

  /// Reads the image, and examines each sector that may begin a store or an area.
  mutating func run(progress: ProgressHandler) throws(BlockIOError) {
    let buffer = IOBuffer(byteCount: Int(Self.windowByteCount))
    var suspects: [SectorSuspect] = []
    var position: UInt64 = 0
    while let data = try source.nextData(from: position) {
      // A hole may begin and end anywhere; sectors are counted from the image's beginning.
      position = max(position, data.lowerBound / 512 * 512)
      while position < data.upperBound {
        // Windows end at multiples of their size, to keep later requests aligned.
        let windowEnd = (position / Self.windowByteCount + 1) &* Self.windowByteCount
        let end = min(windowEnd, Self.sectorEnd(data.upperBound), source.byteCount)
        let count = Int(end - position)
        let lost = try source.readAround(at: position, into: buffer, 0..<count)
        for range in lost { unreadable.append(mergingInto: range) }
        suspects.removeAll(keepingCapacity: true)
        buffer.withRecords(of: UInt64.self, count: count / 512 * 64) {
          SectorSuspect.find(in: $0, into: &suspects)
        }
        for suspect in suspects {
          try examine(suspect.kind, at: position + UInt64(suspect.sector) * 512)
        }
        position = end
        progress(position, source.byteCount)
      }
    }
    progress(source.byteCount, source.byteCount)
  }

  private static func sectorEnd(_ byteOffset: UInt64) -> UInt64 {
    byteOffset % 512 == 0 ? byteOffset : byteOffset - byteOffset % 512 + 512
  }

  /// Examines a sector of the image.
  private mutating func examine(_ kind: SectorSuspect.Kind, at byteOffset: UInt64)
    throws(BlockIOError)
  {
    switch kind {
    case .magic: try examineMagic(at: byteOffset)
    case .erasedHeader: try examineErasedHeader(at: byteOffset)
    case .area(let firstNewChunk):
      if try !isKnown(areaAt: byteOffset, firstNewChunk: firstNewChunk) {
        try examineArea(at: byteOffset)
      }
    }
  }

  /// Adds a store to the result.
  mutating func add(
    _ chain: AreaChain, at place: StorePlace, _ header: CarvedStore.Header
  ) throws(BlockIOError) {
    let (chain, gaps) = try mended(chain, at: place, hasSoundHeader: header == .intact)
    let nextArea = chain.areas.map { $0.upperBound + 1 } ?? 0
    guard let byteOffset = UInt64(exactly: place.start) else {
      known[place] = Known(index: nil, nextArea: nextArea)
      let first = place.byteOffset(of: AreaIndex(chain.areas?.lowerBound ?? 0))
      beheaded.append(
        BeheadedStore(
          areaByteOffset: first ?? 0, missingByteCount: place.start.magnitude,
          chunkSize: place.chunkSize, exceptionCount: chain.exceptionCount))
      return
    }
    for place in [place] + place.shifted(by: gaps) {
      known[place] = Known(index: stores.count, nextArea: nextArea)
    }
    let end = place.geometry.byteOffset(of: Chunk(chain.highestChunk + 1)) ?? .max
    stores.append(
      CarvedStore(
        byteOffset: byteOffset, chunkSize: place.chunkSize, header: header,
        exceptionCount: chain.exceptionCount, inOrderCount: chain.inOrderCount,
        firstArea: AreaIndex(chain.areas?.lowerBound ?? 0), areaCount: chain.areaCount,
        damagedAreaCount: chain.damagedAreaCount,
        chainByteCount: min(end, source.byteCount - byteOffset), gaps: gaps))
  }

  /// Whether an area belongs to a known store; if it is after the end of that store's table, it is
  /// counted there.
  private mutating func isKnown(
    areaAt byteOffset: UInt64, firstNewChunk: UInt64
  ) throws(BlockIOError) -> Bool {
    for chunkSize in ChunkSize.all {
      let geometry = StoreGeometry(chunkSize: chunkSize, byteCount: .max)
      guard let position = geometry.position(ofData: Chunk(firstNewChunk)) else { continue }
      let area = AreaIndex(position / chunkSize.exceptionsPerArea)
      guard let place = StorePlace(area: area, at: byteOffset, chunkSize: chunkSize),
        let store = known[place]
      else { continue }
      guard area.index >= store.nextArea, let index = store.index,
        chunkSize.byteCount <= source.byteCount - byteOffset
      else { return true }
      let look = try reader.look(at: byteOffset, area, shift: 0, chunkSize, isStrict: true)
      if look.isLawful { stores[index].staleExceptionCount += look.liveCount }
      known[place]?.nextArea = area.index + 1
      return true
    }
    return false
  }
}
