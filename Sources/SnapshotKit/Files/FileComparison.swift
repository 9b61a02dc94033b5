internal import BlockIO
internal import FileSystems

/// Compares a file of the side that is before with one of the side after.
final class FileComparison {
  private static let pieceByteCount = 1 << 20

  private let (past, present): (any FileSystem, any FileSystem)
  /// The ranges where the two differ, ascending.
  private let differing: [Range<UInt64>]
  private let comparesContent: Bool
  private lazy var mine = IOBuffer(byteCount: Self.pieceByteCount)
  private lazy var theirs = IOBuffer(byteCount: Self.pieceByteCount)
  private var sameness: [FileID: Bool] = [:]
  /// Damage met while reading.
  private(set) var damage: (before: [FileSystemDamage], after: [FileSystemDamage]) = ([], [])

  init(
    _ files: SnapshotFiles, before side: SnapshotFiles.Side, _ differing: [Range<UInt64>],
    comparesContent: Bool
  ) {
    (past, present) = (files[side], files[side.other])
    (self.differing, self.comparesContent) = (differing, comparesContent)
  }

  /// The difference between two files.
  struct Difference {
    /// The length of the later one.
    let byteCount: UInt64
    let changedByteCount: UInt64
    let status: FileChange.Status?

    func change(at path: String) -> FileChange? {
      status.map {
        FileChange(path, $0, byteCount: byteCount, changedByteCount: changedByteCount)
      }
    }
  }

  /// Whether a number means the same file on both sides.
  func isSame(_ id: FileID) -> Bool {
    if let known = sameness[id] { return known }
    guard let old = try? past.inode(id), let new = try? present.inode(id) else {
      return false
    }
    let isSame = old.mayBe(new)
    sameness[id] = isSame
    return isSame
  }

  /// The difference between two files; nil if one cannot be read.
  func difference(_ old: FileID, _ new: FileID) throws(FileSystemError) -> Difference? {
    guard
      let before = try reading(isPast: true, { () throws(FileSystemError) in try past.inode(old) }),
      let after = try reading(
        isPast: false, { () throws(FileSystemError) in try present.inode(new) })
    else { return nil }
    let byteCount = after.contentByteCount
    func result(_ status: FileChange.Status?, _ changed: UInt64 = 0) -> Difference {
      Difference(byteCount: byteCount, changedByteCount: changed, status: status)
    }
    guard before.kind == after.kind else { return result(.type, byteCount) }
    switch before.kind {
    case .regular:
      let changed = try changedByteCount(before, after)
      if changed > 0 || before.byteCount != after.byteCount { return result(.content, changed) }
    case .link:
      let left = try reading(isPast: true) { () throws(FileSystemError) in
        try past.target(ofLink: before)
      }
      let right = try reading(isPast: false) { () throws(FileSystemError) in
        try present.target(ofLink: after)
      }
      if left != right { return result(.content) }
    default:
      if before.device != after.device { return result(.metadata) }
    }
    return result(try hasSameMetadata(before, after) ? nil : .metadata)
  }

  private func hasSameMetadata(_ before: Inode, _ after: Inode) throws(FileSystemError) -> Bool {
    guard before.permissions == after.permissions, before.owner == after.owner,
      before.group == after.group, before.modified == after.modified
    else { return false }
    if before.changed == after.changed, before.record == after.record { return true }
    let left = try reading(isPast: true) { () throws(FileSystemError) in
      try past.attributes(of: before)
    }
    let right = try reading(isPast: false) { () throws(FileSystemError) in
      try present.attributes(of: after)
    }
    note(left?.damage ?? [], isPast: true)
    note(right?.damage ?? [], isPast: false)
    return left?.found == right?.found
  }

  /// Reads something; damage is noted, and gives nil.
  private func reading<Value>(
    isPast: Bool, _ body: () throws(FileSystemError) -> Value
  ) throws(FileSystemError) -> Value? {
    do throws(FileSystemError) { return try body() } catch {
      if error.isFatal { throw error }
      note([error.damage], isPast: isPast)
      return nil
    }
  }

  private func note(_ found: [FileSystemDamage], isPast: Bool) {
    if isPast { damage.before += found } else { damage.after += found }
  }

  // MARK: - Content

  /// The number of bytes of two regular files that differ, or may.
  private func changedByteCount(
    _ before: Inode, _ after: Inode
  ) throws(FileSystemError) -> UInt64 {
    let old = try reading(isPast: true) { () throws(FileSystemError) in
      try past.map(of: before)
    }
    let new = try reading(isPast: false) { () throws(FileSystemError) in try present.map(of: after)
    }
    guard let old, let new else { return max(before.byteCount, after.byteCount) }
    note(old.damage, isPast: true)
    note(new.damage, isPast: false)
    let byteCount = max(before.byteCount, after.byteCount)
    let pieces = Self.differences(old, new, byteCount: byteCount, differing)
    // Data in the inode is small, and read in any case.
    let isInline = (old.extents + new.extents).contains {
      if case .inline = $0.place { true } else { false }
    }
    guard !pieces.isEmpty, comparesContent || isInline else { return pieces.totalCount }
    return try comparedByteCount(before, after, in: pieces)
  }

  /// The ranges in which two files may differ, by where they lie, ascending.
  static func differences(
    _ old: FileMap, _ new: FileMap, byteCount: UInt64,
    _ differing: [Range<UInt64>]
  ) -> [Range<UInt64>] {
    var found: [Range<UInt64>] = []
    var (left, right) = (old.extents[...], new.extents[...])
    var position: UInt64 = 0
    while position < byteCount {
      while let first = left.first, first.file.upperBound <= position { left.removeFirst() }
      while let first = right.first, first.file.upperBound <= position { right.removeFirst() }
      var end = byteCount
      for extent in [left.first, right.first].compactMap(\.self) {
        let edge =
          extent.file.lowerBound > position ? extent.file.lowerBound : extent.file.upperBound
        end = min(end, edge)
      }
      let (mine, theirs) = (
        left.first?.place(at: position), right.first?.place(at: position)
      )
      let count = end - position
      switch (mine, theirs) {
      case (nil, nil): break
      case (.data(let from)?, .data(let to)?) where from == to:
        let (sum, overflow) = from.addingReportingOverflow(count)
        for part in differing.parts(in: from..<(overflow ? .max : sum)) {
          let start = position + (part.lowerBound - from)
          found.append(mergingInto: start..<start + (part.upperBound - part.lowerBound))
        }
      case (.compressed(let from, _)?, .compressed(let to, _)?)
      where from == to && !differing.touches(from):
        break
      default: found.append(mergingInto: position..<end)
      }
      position = end
    }
    return found
  }

  private func comparedByteCount(
    _ before: Inode, _ after: Inode, in pieces: [Range<UInt64>]
  ) throws(FileSystemError) -> UInt64 {
    let (old, new) = (try past.content(of: before), try present.content(of: after))
    let common = min(old.byteCount, new.byteCount)
    // Ranges known to be lost count as different, and may be far too long to try.
    let known = (old.knownUnreadable(in: 0..<common) + new.knownUnreadable(in: 0..<common)).union
    var changed = pieces.totalCount - pieces.without(known).totalCount
    do throws(BlockIOError) {
      for piece in pieces.without(known) {
        var position = piece.lowerBound
        while position < min(piece.upperBound, common) {
          let end = min(piece.upperBound, common, position + UInt64(Self.pieceByteCount))
          let place = 0..<Int(end - position)
          let lost =
            try old.readAround(at: position, into: mine, place)
            + new.readAround(at: position, into: theirs, place)
          changed += differingByteCount(in: place, lost: lost.union, at: position)
          position = end
        }
        changed += piece.upperBound - min(max(piece.lowerBound, common), piece.upperBound)
      }
    } catch {
      throw .io(error)
    }
    return changed
  }

  /// The number of bytes that differ in the buffers, by sectors; unreadable bytes differ.
  private func differingByteCount(
    in place: Range<Int>, lost: [Range<UInt64>], at position: UInt64
  ) -> UInt64 {
    if lost.isEmpty, mine.equals(place, in: theirs, at: 0) { return 0 }
    var count: UInt64 = 0
    for start in stride(from: 0, to: place.upperBound, by: 512) {
      let sector = start..<min(start + 512, place.upperBound)
      let bytes = position + UInt64(sector.lowerBound)..<position + UInt64(sector.upperBound)
      if lost.touches(bytes) || !mine.equals(sector, in: theirs, at: start) {
        count += UInt64(sector.count)
      }
    }
    return count
  }
}

extension FileExtent {
  /// Where a byte of a file is; nil if it reads as zero.
  fileprivate func place(at position: UInt64) -> Place? {
    guard file.contains(position) else { return nil }
    return switch place {
    case .data(let start): .data(at: start &+ (position - file.lowerBound))
    case .unwritten: nil
    default: place
    }
  }
}
