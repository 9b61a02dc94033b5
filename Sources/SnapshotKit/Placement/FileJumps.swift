internal import BlockIO
internal import SnapshotFormat

/// Where files go on elsewhere: a writer that comes to the end of an extent writes to the next.
struct FileJumps: Sendable {
  /// More are not kept: 32 MiB.
  private static let countMax = 1 << 20

  /// The chunk in which the next extent begins, by the last chunk of the one before.
  private var next: [UInt64: UInt64] = [:]
  /// The chunks at which files go on elsewhere, ascending.
  private var lasts: [UInt64] = []

  /// No jumps.
  init() {}

  /// The jumps of all files of a snapshot, as far as its file system tells.
  init(_ view: SnapshotView) throws(BlockIOError) {
    guard let mapper = try Ext4FileMapper(view) else { return }
    let size = view.table.geometry.chunkSize.byteCount
    var jumps: [UInt64: UInt64] = [:]
    try mapper.forEachFile(of: view) { file in
      for (extent, other) in zip(file.extents, file.extents.dropFirst())
      where extent.logicalByte + extent.byteCount == other.logicalByte && extent.byteCount > 0 {
        let last = (extent.physicalByte &+ extent.byteCount &- 1) / size
        let first = other.physicalByte / size
        if first != last, first != last &+ 1, jumps.count < Self.countMax { jumps[last] = first }
      }
    }
    next = jumps
    lasts = jumps.keys.sorted()
  }

  /// Whether a file goes on elsewhere after any of `count` chunks.
  func isAny(from chunk: UInt64, count: UInt64) -> Bool {
    let index = lasts.partitioningIndex { $0 >= chunk }
    return index < lasts.count && lasts[index] - chunk < count
  }

  /// The chunk that a writer of one file comes to after another.
  func successor(of chunk: UInt64) -> UInt64 { next[chunk] ?? chunk &+ 1 }
}
