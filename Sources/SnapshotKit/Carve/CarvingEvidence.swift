internal import BlockIO
internal import SnapshotFormat

/// What has been found of stores while an image is read from its beginning to its end.
struct CarvingEvidence {
  /// Fewer exceptions than these do not make a store without a header.
  static let convincingCount = 4

  let source: any BlockSource
  let reader: AreaReader
  /// One sector, for headers and for what lies beside an area.
  let sector = IOBuffer(byteCount: 512)
  var carving = Carving()
  /// Where the last list of rising numbers ends.
  var countedEnd: UInt64 = 0
  /// Where stores are known, and their indexes in the result; nil for one that begins before the image.
  private var known: [StorePlace: Known] = [:]

  private struct Known {
    let index: Int?
    /// The area behind the last one that was counted.
    var nextArea: UInt64
  }

  init(_ source: any BlockSource) {
    self.source = source
    reader = AreaReader(source)
  }

  /// The stores, in order.
  func result() -> Carving {
    var result = carving
    result.stores.sort { ($0.byteOffset, $0.chunkSize) < ($1.byteOffset, $1.chunkSize) }
    return result
  }

  /// Looks closely at a sector of the image.
  mutating func examine(_ kind: SectorSuspect.Kind, at byteOffset: UInt64) throws(BlockIOError) {
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
      carving.beheaded.append(
        BeheadedStore(
          areaByteOffset: first ?? 0, missingByteCount: place.start.magnitude,
          chunkSize: place.chunkSize, exceptionCount: chain.exceptionCount))
      return
    }
    for place in [place] + place.shifted(by: gaps) {
      known[place] = Known(index: carving.stores.count, nextArea: nextArea)
    }
    let end = place.geometry.byteOffset(of: Chunk(chain.highestChunk + 1)) ?? .max
    carving.stores.append(
      CarvedStore(
        byteOffset: byteOffset, chunkSize: place.chunkSize, header: header,
        exceptionCount: chain.exceptionCount, inOrderCount: chain.inOrderCount,
        firstArea: AreaIndex(chain.areas?.lowerBound ?? 0), areaCount: chain.areaCount,
        damagedAreaCount: chain.damagedAreaCount,
        chainByteCount: min(end, source.byteCount - byteOffset), gaps: gaps))
  }

  /// Whether an area belongs to a store that is known; if it lies behind the end of that store's
  /// table, it is counted there.
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
      if look.isLawful { carving.stores[index].staleExceptionCount += look.liveCount }
      known[place]?.nextArea = area.index + 1
      return true
    }
    return false
  }
}
