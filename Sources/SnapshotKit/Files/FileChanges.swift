public import BlockIO
public import FileSystems

/// The differences between the files of a snapshot and those of its origin.
///
/// One side is before, the other after: usually the snapshot is before. If it is an overlay, which
/// was written to instead of its origin, the origin is. Inodes are compared by their records,
/// directories that changed by their names, and contents by where they lie and by the chunks that
/// the table maps and that really differ: nothing else is read. With `comparesContent` the data of
/// files that seem to differ is read and compared.
///
/// A renamed directory is one change; its content keeps its names in it. Times of last access and
/// of the inode alone are no change.
public struct FileChanges: Sendable {
  /// The older side.
  public let before: SnapshotFiles.Side
  /// The changes, by path.
  public private(set) var changes: [FileChange] = []
  /// Damage met, and on which side: if there is any, changes may be missing.
  public private(set) var damage: [(side: SnapshotFiles.Side, damage: FileSystemDamage)] = []
  private var noted: [SnapshotFiles.Side: Set<FileSystemDamage>] = [:]

  /// Compares both sides.
  ///
  /// - Parameter before: The older side; nil for the one in which no inode was changed last, or for
  ///   the snapshot if that does not decide.
  public init(
    _ files: SnapshotFiles, before side: SnapshotFiles.Side? = nil, comparesContent: Bool = false,
    progress: ProgressHandler = { _, _ in }
  ) throws(FileSystemError) {
    let differing = try wrapping(FileSystemError.io, try files.differences(progress))
    let (mine, theirs) = (try InodeDigests(files.before), try InodeDigests(files.after))
    before = side ?? InodeDigests.newer(snapshot: mine, origin: theirs)?.other ?? .snapshot
    note(mine.damage, .snapshot)
    note(theirs.damage, .origin)
    var suspects = mine.differences(from: theirs)
    for id in try Self.unchangedOwners(of: differing, files, besides: suspects) {
      suspects.insert(id)
    }
    let comparison = FileComparison(
      files, before: before, differing, comparesContent: comparesContent)
    let names = try NameChanges(files, before: before, suspects: suspects, comparison)
    note(names.damageBefore, before)
    note(names.damageAfter, before.other)
    var found: [FileChange] = []
    var told: Set<FileID> = []
    for pair in names.renamed {
      told.insert(pair.id)
      let difference = try comparison.difference(pair.id, pair.id)
      found.append(
        FileChange(
          pair.path, .renamed, from: pair.from, byteCount: difference?.byteCount ?? 0,
          changedByteCount: difference?.changedByteCount ?? 0))
    }
    for name in names.created {
      let count = (try? files[before.other].inode(name.id))?.contentByteCount ?? 0
      found.append(FileChange(name.path, .created, byteCount: count, changedByteCount: count))
    }
    for name in names.deleted {
      let count = (try? files[before].inode(name.id))?.contentByteCount ?? 0
      found.append(FileChange(name.path, .deleted, byteCount: count, changedByteCount: count))
    }
    for name in names.replaced {
      if let change = try comparison.difference(name.old, name.new)?.change(at: name.path) {
        found.append(change)
      }
    }
    for id in suspects.sorted() where !told.contains(id) {
      let paths = names.keptPaths(of: id)
      guard !paths.isEmpty, let difference = try comparison.difference(id, id) else { continue }
      for path in paths { if let change = difference.change(at: path) { found.append(change) } }
    }
    changes = found.sorted { ($0.path, $0.status.rawValue) < ($1.path, $1.status.rawValue) }
    note(comparison.damage.before, before)
    note(comparison.damage.after, before.other)
  }

  private mutating func note(_ found: [FileSystemDamage], _ side: SnapshotFiles.Side) {
    for damage in found where noted[side, default: []].insert(damage).inserted {
      self.damage.append((side, damage))
    }
  }

  /// The files whose inodes are the same on both sides, and whose content or map is in bytes that
  /// differ.
  private static func unchangedOwners(
    of differing: [Range<UInt64>], _ files: SnapshotFiles, besides suspects: Set<FileID>
  ) throws(FileSystemError) -> Set<FileID> {
    // Free bytes belong to no file, nor do structures, and suspects are examined anyway: if nothing
    // else is left, no map has to be read.
    let free = (try? files.after.freeRanges()) ?? []
    var left = differing.without(free)
    var theirs: [Range<UInt64>] = []
    for id in suspects {
      guard let inode = try? files.after.inode(id), let map = try? files.after.map(of: inode) else {
        continue
      }
      theirs += map.extents.compactMap(\.sourceRange) + map.structures
    }
    left = left.without(theirs.union).flatMap { range in
      files.after.structures(in: range).compactMap { $0.1 == nil ? $0.0 : nil }
    }
    if left.isEmpty { return [] }
    let index = try OwnerIndex(files.after, within: left) { !suspects.contains($0.id) }
    return Set(index.owners(of: left).map(\.id))
  }
}

/// One difference between the files of a snapshot and those of its origin.
public struct FileChange: Equatable, Sendable {
  /// The kind of difference.
  public enum Status: String, CaseIterable, Sendable {
    case created, deleted, content, metadata, renamed, type

    /// The letter that stands for it.
    public var letter: Character {
      switch self {
      case .created: "+"
      case .deleted: "-"
      case .content: "M"
      case .metadata: "m"
      case .renamed: "R"
      case .type: "T"
      }
    }
  }

  /// The path after; of a deleted file, before.
  public let path: String
  /// The kind of difference.
  public let status: Status
  /// The path before of a file that was renamed.
  public let from: String?
  /// The length of the file on the newer side; of a deleted file, its former length.
  public let byteCount: UInt64
  /// The number of its bytes that differ, or may: without a comparison of contents, bytes that lie
  /// elsewhere now count.
  public let changedByteCount: UInt64

  init(
    _ path: String, _ status: Status, from: String? = nil, byteCount: UInt64,
    changedByteCount: UInt64
  ) {
    (self.path, self.status, self.from) = (path, status, from)
    (self.byteCount, self.changedByteCount) = (byteCount, changedByteCount)
  }
}

extension Inode {
  /// The length of its content: 0, unless it is a regular file.
  var contentByteCount: UInt64 { kind == .regular ? byteCount : 0 }

  /// Whether it may be the same file as another of its number, rather than one that was made after
  /// that was deleted.
  func mayBe(_ other: Inode) -> Bool {
    guard kind == other.kind else { return false }
    guard let created, let otherCreated = other.created else { return true }
    return created == otherCreated
  }
}

/// Digests of every inode of a file system, 32 bytes each.
struct InodeDigests {
  private struct Digest {
    let id: FileID
    let hash: Int
    /// When it was changed, in nanoseconds.
    let changed: Int64
  }

  private var digests: [Digest] = []
  /// Damage met while reading.
  let damage: [FileSystemDamage]

  init(_ fileSystem: any FileSystem) throws(FileSystemError) {
    var digests: [Digest] = []
    damage = try fileSystem.forEachInode(isDeletedIncluded: false) { inode in
      var hasher = Hasher()
      hasher.combine(inode.kind)
      hasher.combine(inode.permissions)
      hasher.combine(inode.owner)
      hasher.combine(inode.group)
      hasher.combine(inode.byteCount)
      hasher.combine(inode.modified)
      hasher.combine(inode.changed)
      hasher.combine(inode.created)
      hasher.combine(inode.linkCount)
      // The standard library hashes an array byte by byte.
      let record = inode.record
      hasher.combine(ContentHash(record.span).value)
      digests.append(
        Digest(
          id: inode.id, hash: hasher.finalize(), changed: inode.changed.saturatedNanoseconds))
      return true
    }
    digests.sort { $0.id < $1.id }
    self.digests = digests
  }

  /// The newer side: the one with the latest inode change that the other does not have as well; nil
  /// if that does not decide.
  ///
  /// Inodes in both prove nothing: where exceptions are lost, a snapshot shows its origin's inodes.
  static func newer(snapshot: InodeDigests, origin: InodeDigests) -> SnapshotFiles.Side? {
    var (mine, theirs) = (Int64.min, Int64.min)
    snapshot.forEachDifference(from: origin) { own, other in
      if let own { mine = max(mine, own.changed) }
      if let other { theirs = max(theirs, other.changed) }
    }
    return mine == theirs ? nil : mine < theirs ? .origin : .snapshot
  }

  /// The files that only one of two has, or that are not the same.
  func differences(from other: InodeDigests) -> Set<FileID> {
    var found: Set<FileID> = []
    forEachDifference(from: other) { mine, theirs in
      if let id = (mine ?? theirs)?.id { found.insert(id) }
    }
    return found
  }

  /// Visits the files that only one of two has, or that are not the same.
  private func forEachDifference(
    from other: InodeDigests, _ visit: (_ mine: Digest?, _ theirs: Digest?) -> Void
  ) {
    var (mine, theirs) = (digests[...], other.digests[...])
    while let left = mine.first, let right = theirs.first {
      if left.id == right.id {
        if left.hash != right.hash { visit(left, right) }
        mine.removeFirst()
        theirs.removeFirst()
      } else if left.id < right.id {
        visit(left, nil)
        mine.removeFirst()
      } else {
        visit(nil, right)
        theirs.removeFirst()
      }
    }
    for left in mine { visit(left, nil) }
    for right in theirs { visit(nil, right) }
  }
}

extension Timestamp {
  /// Nanoseconds since 1970, or as many as there can be.
  fileprivate var saturatedNanoseconds: Int64 {
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow
      ? (seconds < 0 ? .min : .max) : max(nanoseconds, nanoseconds &+ Int64(self.nanoseconds))
  }
}
