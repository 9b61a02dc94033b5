internal import Blkid
public import BlockIO
internal import SnapshotFormat

/// Finds COW stores in an image by what they look like, wherever they begin.
///
/// The image is read once, in order. A sector that begins like a header or an area is looked at
/// closely: the areas of the store that it would belong to are followed and counted, by the law that
/// ``AreaLook`` knows. So a store is also found when its header, or its first areas, are gone.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `persistent_prepare_exception`,
///   `skip_metadata`; docs/format.md, "Layout arithmetic".
public struct Carver {
  private static let windowByteCount: UInt64 = 1 << 20

  private let source: any BlockSource

  /// A carver of `source`.
  public init(_ source: any BlockSource) { self.source = source }

  /// Looks for stores.
  ///
  /// What cannot be read is stepped over and listed; anything else that fails is thrown.
  public func carve(progress: ProgressHandler) throws(BlockIOError) -> Carving {
    var evidence = CarvingEvidence(source)
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
        for range in lost { evidence.carving.unreadable.append(mergingInto: range) }
        suspects.removeAll(keepingCapacity: true)
        buffer.withRecords(of: UInt64.self, count: count / 512 * 64) {
          SectorSuspect.find(in: $0, into: &suspects)
        }
        for suspect in suspects {
          try evidence.examine(suspect.kind, at: position + UInt64(suspect.sector) * 512)
        }
        position = end
        progress(position, source.byteCount)
      }
    }
    progress(source.byteCount, source.byteCount)
    var result = evidence.result()
    result.container = ContainerFormat(of: source)
    if result.stores.contains(where: { $0.byteOffset > 0 }),
      let identity = try? Probe.identify(source)
    {
      for index in result.stores.indices where result.stores[index].byteOffset > 0 {
        result.stores[index].place(
          in: Surroundings(of: result.stores[index].byteOffset, in: identity))
      }
    }
    try source.checkUnchanged()
    return result
  }

  private static func sectorEnd(_ byteOffset: UInt64) -> UInt64 {
    byteOffset % 512 == 0 ? byteOffset : byteOffset - byteOffset % 512 + 512
  }
}
