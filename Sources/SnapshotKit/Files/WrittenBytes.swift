internal import BlockIO
internal import FileSystems

/// What files say was written between a snapshot and its origin although no exception says so.
///
/// One of the two is newer: the origin, or, if the snapshot is an overlay, the snapshot. A file of
/// the newer side that has data where the older side has not the same part of that file was written
/// there since, and what is written has an exception. Where the table has none, it is lost. A file
/// that was written since may also have been written where it has the same place on both sides.
struct WrittenBytes {
  /// Which side is newer; nil if nothing tells.
  let newer: SnapshotFiles.Side?
  /// What was certainly written without an exception, in bytes of the file systems' sources,
  /// ascending: the snapshot does not have there what it had.
  private(set) var certain: [Range<UInt64>] = []
  /// What may have been written without an exception, ascending.
  private(set) var possible: [Range<UInt64>] = []

  private let files: SnapshotFiles

  /// Compares the inodes of both sides, and the maps of those that differ.
  init(_ files: SnapshotFiles) throws(FileSystemError) {
    self.files = files
    let (before, after) = (try InodeDigests(files.before), try InodeDigests(files.after))
    newer = InodeDigests.newer(snapshot: before, origin: after)
    guard let newer else { return }
    let suspects = before.differences(from: after)
    for id in suspects.sorted() { try compare(id, newer) }
    if newer == .origin { try addOriginsOwn(besides: suspects) }
    certain = certain.union
    possible = possible.union.without(certain)
  }

  /// Adds what a file that differs was written to.
  private mutating func compare(
    _ id: FileID, _ newer: SnapshotFiles.Side
  ) throws(FileSystemError) {
    let (old, new) = (try file(id, newer.other), try file(id, newer))
    let isSame = old.map { old in new.map { old.inode.mayBe($0.inode) } ?? false } ?? false
    let none = FileSystems.FileMap()
    let (past, present) = (old?.map ?? none, new?.map ?? none)
    let byteCount = Self.wholeBlocks(max(old?.inode.byteCount ?? 0, new?.inode.byteCount ?? 0))
    let moved = FileComparison.differences(
      isSame ? past : none, present, byteCount: byteCount, [])
    add(present.source(of: moved), to: \.certain)
    let known = isSame ? (past.structures + past.extents.compactMap(\.sourceRange)).union : []
    add(present.structures.union.without(known), to: \.certain)
    // What a file has left may have been another's for a time.
    if newer == .origin {
      let left = isSame ? moved : [0..<byteCount]
      add(past.source(of: left), to: \.possible)
    }
    guard isSame, let inode = new?.inode, old?.inode.modified != inode.modified,
      files[newer].mayWriteInPlace(inode)
    else { return }
    add(present.source(of: [0..<byteCount].without(moved)), to: \.possible)
  }

  /// Adds the files whose inodes are the origin's although they were changed after the last of the
  /// snapshot's own: an exception for the inode itself may be lost.
  private mutating func addOriginsOwn(
    besides suspects: Set<FileID>
  ) throws(FileSystemError) {
    let fileSystem = files.before
    let last = suspects.compactMap { (try? fileSystem.inode($0))?.changed }.max()
    guard let last else { return }
    _ = try fileSystem.forEachInode(isDeletedIncluded: false) { inode throws(FileSystemError) in
      guard inode.changed > last, !suspects.contains(inode.id),
        let (inode, map) = try file(inode.id, .snapshot)
      else { return true }
      add(map.source(of: [0..<Self.wholeBlocks(inode.byteCount)]), to: \.possible)
      return true
    }
  }

  /// A file's length with the rest of its last block, which Linux writes with it, from the page.
  private static func wholeBlocks(_ byteCount: UInt64) -> UInt64 {
    let (end, overflow) = byteCount.addingReportingOverflow(4095)
    return overflow ? byteCount : end & ~4095
  }

  /// A file that holds data, and where; nil if it is none, or damaged.
  private func file(
    _ id: FileID, _ side: SnapshotFiles.Side
  ) throws(FileSystemError) -> (inode: Inode, map: FileSystems.FileMap)? {
    do throws(FileSystemError) {
      let inode = try files[side].inode(id)
      guard inode.isAllocated, inode.kind == .regular || inode.kind == .directory else {
        return nil
      }
      return (inode, try files[side].map(of: inode))
    } catch {
      if error.isFatal { throw error }
      return nil
    }
  }

  /// Adds what the table does not map of ranges.
  private mutating func add(
    _ ranges: [Range<UInt64>], to list: WritableKeyPath<WrittenBytes, [Range<UInt64>]>
  ) {
    for piece in ranges.flatMap({ files.part.outside($0) }) {
      files.snapshot.view.forEachSegment(in: piece.bytes) { segment in
        guard segment.place == .origin else { return }
        let first = piece.start + (segment.range.lowerBound - piece.bytes.lowerBound)
        self[keyPath: list].append(
          first..<first + (segment.range.upperBound - segment.range.lowerBound))
      }
    }
  }
}

extension FileSystems.FileMap {
  /// Where bytes of the file are, which are ascending: those that were written as a whole extent
  /// with them included.
  fileprivate func source(of ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    extents.flatMap { extent -> [Range<UInt64>] in
      switch extent.place {
      case .data(let start):
        ranges.parts(in: extent.file).map {
          let first = start &+ ($0.lowerBound - extent.file.lowerBound)
          return first..<first + ($0.upperBound - $0.lowerBound)
        }
      case .compressed(let bytes, _): ranges.touches(extent.file) ? [bytes] : []
      case .inline, .unwritten, .lost: []
      }
    }
  }
}
