internal import BlockIO
internal import SnapshotFormat

/// Reads the content of orphans, once, in the order of the store.
struct OrphanReader {
  /// A chunk that is larger is not looked at.
  static let chunkByteCountMax: UInt64 = 64 << 20
  private static let windowByteCount: UInt64 = 4 << 20

  private let store: any BlockSource
  private let geometry: StoreGeometry
  private let orphans: [Orphan]

  init(_ store: any BlockSource, _ geometry: StoreGeometry, _ orphans: [Orphan]) {
    self.store = store
    self.geometry = geometry
    self.orphans = orphans
  }

  /// Calls `body` with each orphan that can be read as a whole.
  func forEach(_ body: (UInt64, Span<UInt8>) -> Void) throws(BlockIOError) {
    let chunkByteCount = geometry.chunkSize.byteCount
    guard chunkByteCount <= Self.chunkByteCountMax else { return }
    let buffer = IOBuffer(byteCount: Int(max(Self.windowByteCount, chunkByteCount)))
    let windowChunkCount = UInt64(buffer.byteCount) / chunkByteCount
    for orphan in orphans {
      let end = min(orphan.new + orphan.count, geometry.wholeChunkCount)
      var new = orphan.new
      while new < end {
        let count = min(end - new, windowChunkCount)
        let start = new * chunkByteCount
        let unreadable = try store.readAround(
          at: start, into: buffer, 0..<Int(count * chunkByteCount))
        for index in 0..<count {
          let place = start + index * chunkByteCount..<start + (index + 1) * chunkByteCount
          if unreadable.contains(where: { $0.overlaps(place) }) { continue }
          let within = Int(index * chunkByteCount)
          buffer.withBytes(within..<within + Int(chunkByteCount)) { body(new + index, $0) }
        }
        new += count
      }
    }
  }
}
