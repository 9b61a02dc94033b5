internal import SnapshotFormat

/// Where a store would begin in an image, and its chunk size: a hypothesis of carving.
struct StorePlace: Hashable {
  /// The byte of the image at which chunk 0 begins; negative if the image begins inside the store.
  let start: Int64
  let chunkSize: ChunkSize

  init(start: Int64, chunkSize: ChunkSize) {
    self.start = start
    self.chunkSize = chunkSize
  }

  /// The store whose area of that number is at a byte; nil if its start does not fit 64 bits.
  init?(area: AreaIndex, at byteOffset: UInt64, chunkSize: ChunkSize) {
    let unlimited = StoreGeometry(chunkSize: chunkSize, byteCount: .max)
    guard let distance = unlimited.byteOffset(of: area).flatMap(Int64.init(exactly:)),
      let offset = Int64(exactly: byteOffset)
    else { return nil }
    self.init(start: offset - distance, chunkSize: chunkSize)
  }

  /// The geometry of a store without an end.
  var geometry: StoreGeometry { StoreGeometry(chunkSize: chunkSize, byteCount: .max) }

  /// The byte of the image at which an area begins; nil if it does not fit 63 bits.
  func byteOffset(of area: AreaIndex) -> UInt64? {
    guard let distance = geometry.byteOffset(of: area).flatMap(Int64.init(exactly:)) else {
      return nil
    }
    let (sum, overflow) = start.addingReportingOverflow(distance)
    return overflow ? nil : UInt64(exactly: sum)
  }
}
