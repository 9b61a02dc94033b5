internal import SnapshotFormat

/// Where a store would begin in an image, and its chunk size: what carving assumes and then checks.
struct StorePlace: Hashable {
  /// The byte of the image at which chunk 0 begins; negative if the image begins inside the store.
  let start: Int64
  let chunkSize: ChunkSize

  init(start: Int64, chunkSize: ChunkSize) {
    self.start = start
    self.chunkSize = chunkSize
  }

  /// The store whose area of that number stands at a byte; nil where 64 bits do not hold its start.
  init?(area: AreaIndex, at byteOffset: UInt64, chunkSize: ChunkSize) {
    let unlimited = StoreGeometry(chunkSize: chunkSize, byteCount: .max)
    guard let distance = unlimited.byteOffset(of: area).flatMap(Int64.init(exactly:)),
      let offset = Int64(exactly: byteOffset)
    else { return nil }
    self.init(start: offset - distance, chunkSize: chunkSize)
  }

  /// The geometry of a store that has no end.
  var geometry: StoreGeometry { StoreGeometry(chunkSize: chunkSize, byteCount: .max) }

  /// The byte of the image at which an area begins; nil if it lies outside of what 63 bits hold.
  func byteOffset(of area: AreaIndex) -> UInt64? {
    guard let distance = geometry.byteOffset(of: area).flatMap(Int64.init(exactly:)) else {
      return nil
    }
    let (sum, overflow) = start.addingReportingOverflow(distance)
    return overflow ? nil : UInt64(exactly: sum)
  }
}
