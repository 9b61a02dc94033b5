internal import BlockIO
internal import FileSystems

/// Bytes that files show to have been written between a snapshot and its origin although no
/// exception says so.
///
/// One of the two is newer: the origin, or, if the snapshot is an overlay, the snapshot. If a file
/// of the newer side has data where the older side does not have the same part of that file, the
/// data was written there since, and the write has an exception. If the table has none, it is lost.
/// A file that was written since may also have been written where it has the same place on both
/// sides.
///
/// Some data moves without being written: within a file, if a part of it is cut out or put in
/// (`fallocate --collapse-range`), and from file to file by clones. Such data is in doubt only.
struct WrittenBytes {
  /// The newer side; nil if there is no evidence.
  let newer: SnapshotFiles.Side?
  /// Ranges certainly written without an exception, in bytes of the file systems' sources,
  /// ascending: the snapshot has lost its content there.
  private(set) var certain: [Range<UInt64>] = []
  /// Ranges possibly written without an exception, ascending.
  private(set) var possible: [Range<UInt64>] = []

  private let files: SnapshotFiles
  /// Pieces of files on the newer side that may once have been cloned.
  private var cloned: [Piece] = []
  /// Pieces of differing files on the older side that may have been cloned since.
  private var past: [Piece] = []
  /// Free bytes of the older side; nil until a file is met that may share its data.
  private var free: [Range<UInt64>]?

  /// Compares the inodes of both sides, and the maps of those that differ.
  init(_ files: SnapshotFiles) throws(FileSystemError) {
    self.files = files
    let (before, after) = (try InodeDigests(files.before), try InodeDigests(files.after))
    newer = InodeDigests.newer(snapshot: before, origin: after)
    guard let newer else { return }
    let suspects = before.differences(from: after)
    for id in suspects.sorted() { try compare(id, newer) }
    addCloned()
    if newer == .origin { try addOriginsOwn(besides: suspects) }
    certain = certain.union
    possible = possible.union.without(certain)
    // The snapshot's own checksums show which possible writes took place.
    let (right, wrong) = try files.before.verified(possible)
    possible = possible.without((right + wrong).union)
    certain = (certain + wrong).union
  }

  /// Adds the bytes at which a differing file was written.
  private mutating func compare(
    _ id: FileID, _ newer: SnapshotFiles.Side
  ) throws(FileSystemError) {
    let new = try file(id, newer).found
    let none = FileMap()
    let present = new?.map ?? none
    let before = try file(id, newer.other)
    if case .damaged = before {
      // It may have had just this.
      add(present.source(of: [0..<Self.wholeBlocks(new?.inode.byteCount ?? 0)]), to: \.possible)
      add(present.structures.union, to: \.possible)
      return
    }
    let old = before.found
    let isSame = old.map { old in new.map { old.inode.mayBe($0.inode) } ?? false } ?? false
    let past = old?.map ?? none
    let byteCount = Self.wholeBlocks(max(old?.inode.byteCount ?? 0, new?.inode.byteCount ?? 0))
    let unknown = isSame ? past.extents.compactMap { $0.place == .lost ? $0.file : nil } : []
    let moved = FileComparison.differences(
      isSame ? past : none, present, byteCount: byteCount, [])
    let sharing = new.map { files[newer].sharing(of: $0.inode) } ?? .never
    let own = isSame ? past.extents.compactMap(\.sourceRange).union : []
    for piece in present.pieces(of: moved.without(unknown)) {
      let kept = own.parts(in: piece.bytes)
      add(kept, to: \.possible)
      for written in [piece.bytes].without(kept) {
        switch sharing {
        case .never: add([written], to: \.certain)
        case .past: cloned.append(Piece(bytes: written, shift: piece.shift))
        case .present: addShared([written])
        }
      }
    }
    if let old, files[newer.other].sharing(of: old.inode) != .never {
      self.past += past.pieces(of: [0..<byteCount])
    }
    add(present.source(of: unknown), to: \.possible)
    let known = isSame ? (past.structures + own).union : []
    let structures = present.structures.union.without(known)
    if sharing == .present { addShared(structures) } else { add(structures, to: \.certain) }
    // Bytes that a file has given up may have belonged to another for a time.
    if newer == .origin {
      let left = isSame ? moved : [0..<byteCount]
      add(past.source(of: left), to: \.possible)
    }
    guard isSame, let inode = new?.inode, old?.inode.modified != inode.modified,
      files[newer].mayWriteInPlace(inode)
    else { return }
    add(present.source(of: [0..<byteCount].without(moved)), to: \.possible)
  }

  /// Adds bytes that a file has on the newer side but not on the older, and may share.
  ///
  /// They may have been another file's, and never written: only bytes that were free on the older
  /// side certainly were.
  private mutating func addShared(_ ranges: [Range<UInt64>]) {
    guard let newer else { return }
    let free = self.free ?? (try? files[newer.other].freeRanges()) ?? []
    self.free = free
    add(ranges.flatMap { free.parts(in: $0) }, to: \.certain)
    add(ranges, to: \.possible)
  }

  /// Adds bytes of files that may once have been cloned: a clone has its extents where the other
  /// file had them.
  private mutating func addCloned() {
    let past = Dictionary(grouping: past, by: \.shift).mapValues { $0.map(\.bytes).union }
    for piece in cloned {
      let others = past[piece.shift]?.parts(in: piece.bytes) ?? []
      add(others, to: \.possible)
      add([piece.bytes].without(others), to: \.certain)
    }
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
        let (inode, map) = try file(inode.id, .snapshot).found
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

  /// A part of a file in the source, and how far its place there is from that in the file.
  fileprivate struct Piece {
    let bytes: Range<UInt64>
    let shift: UInt64
  }

  /// The state of a file on a side.
  private enum Known {
    /// A file that holds data, and where.
    case file(Inode, FileMap)
    /// None, or one that holds no data.
    case none
    /// It cannot be read.
    case damaged

    var found: (inode: Inode, map: FileMap)? {
      if case .file(let inode, let map) = self { (inode, map) } else { nil }
    }
  }

  private func file(
    _ id: FileID, _ side: SnapshotFiles.Side
  ) throws(FileSystemError) -> Known {
    do throws(FileSystemError) {
      let inode = try files[side].inode(id)
      guard inode.isAllocated, inode.kind == .regular || inode.kind == .directory else {
        return .none
      }
      return .file(inode, try files[side].map(of: inode))
    } catch {
      if error.isFatal { throw error }
      if case .noFile = error { return .none }
      return .damaged
    }
  }

  /// Adds the parts of ranges that the table does not map.
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

extension FileMap {
  /// Where bytes of the file are, which are ascending: those that were written as a whole extent
  /// with them included.
  fileprivate func source(of ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    pieces(of: ranges).map(\.bytes)
  }

  /// The same, with where in the file they are.
  fileprivate func pieces(of ranges: [Range<UInt64>]) -> [WrittenBytes.Piece] {
    extents.flatMap { extent -> [WrittenBytes.Piece] in
      switch extent.place {
      case .data(let start):
        ranges.parts(in: extent.file).map {
          let first = start &+ ($0.lowerBound - extent.file.lowerBound)
          return WrittenBytes.Piece(
            bytes: first..<first + ($0.upperBound - $0.lowerBound), shift: first &- $0.lowerBound)
        }
      case .compressed(let bytes, _):
        ranges.touches(extent.file)
          ? [WrittenBytes.Piece(bytes: bytes, shift: bytes.lowerBound &- extent.file.lowerBound)]
          : []
      case .inline, .unwritten, .lost: []
      }
    }
  }
}
