internal import BlockIO
public import FileSystems

/// The files of a snapshot that losses are in, by name.
public struct LostFiles: Sendable {
  /// A file with losses.
  public struct File: Sendable {
    /// Its number.
    public let id: FileID
    /// Its paths; none if no directory names it.
    public let paths: [String]
    /// Its kind of file.
    public let kind: FileKind
    /// Its length.
    public let byteCount: UInt64
    /// The bytes of it that are lost, ascending.
    public let lost: [Range<UInt64>]
    /// The number of them that were written without an exception: they are either in the store or
    /// lost (undetermined).
    public let unnamedByteCount: UInt64
    /// The number of lost bytes of its map or its attributes.
    public let structureByteCount: UInt64
    /// The number of its bytes that may have been written without an exception.
    public let doubtfulByteCount: UInt64
    /// The number of its bytes that rest, or would rest, on likely evidence.
    public let likelyByteCount: UInt64

    /// Whether any of it is lost.
    public var isLost: Bool { !lost.isEmpty || structureByteCount > 0 }
  }

  /// The part of the snapshot that they are in.
  public let part: SnapshotPart.Kind
  /// The files: those that lost most come first.
  public private(set) var files: [File] = []
  /// Names whose file cannot be read, by path: its inode is lost.
  public private(set) var names: [String] = []
  /// Losses in free space: the text of deleted files, or nothing.
  public private(set) var free: [Range<UInt64>] = []
  /// Losses in the file system's structures, and in bytes that are neither free nor owned by a
  /// file.
  public private(set) var structures: [Range<UInt64>] = []
  /// Whether exceptions are lost, or may be, that nothing of this accounts for.
  public private(set) var hasUnknown: Bool
  /// The maximum number of unknown losses, besides those after a lost end of the table.
  public private(set) var unknownCount: UInt64
  /// Whether exceptions after the table's end may be lost, and the evidence does not decide.
  public private(set) var isEndInDoubt: Bool
  /// Damage met: if there is any, files may be missing.
  public private(set) var damage: [FileSystemDamage] = []
  /// The condition of the file system as a whole.
  public private(set) var condition = Condition.readable

  /// The condition of a file system as a whole.
  public enum Condition: Equatable, Sendable {
    /// It was read, except for ``damage``.
    case readable
    /// Only part of it is read, or an older state; the text says what is damaged.
    case degraded(String)
    /// It could not be read at all: why.
    case unreadable(String)
  }

  /// Finds the files of one file system of a snapshot that losses are in.
  ///
  /// - Parameter losses: What is lost of it.
  init(_ files: SnapshotFiles, _ losses: FileLosses) throws(FileSystemError) {
    let fileSystem = files.before
    part = files.part.kind
    (hasUnknown, unknownCount) = (losses.hasUnknown, losses.unknownCount)
    isEndInDoubt = losses.isEndInDoubt
    damage = fileSystem.damage
    if let first = damage.first { condition = .degraded(first.problem) }
    if losses.isNone, damage.isEmpty { return }
    let all = (losses.ranges + losses.likely + losses.doubtful).union
    var readable: Set<FileID> = []
    let index = try OwnerIndex(fileSystem, within: all) { inode in
      readable.insert(inode.id)
      return true
    }
    let owned = index.owners(of: all)
    var lost: [(directory: FileID, name: [UInt8])] = []
    let unmapped = Set(index.unmapped)
    let paths = try TreePaths(
      fileSystem, of: Set(owned.map(\.id)).union(unmapped)
    ) { directory, entry in
      if !readable.contains(entry.id) { lost.append((directory, entry.name)) }
    }
    damage += index.damage + paths.damage
    names = lost.compactMap { paths.path(of: $0.name, in: $0.directory) }.sorted()
    // A journal is a file without a name, and better reported by its purpose.
    let named = Set(owned.map(\.id)).filter { !paths.paths(of: $0).isEmpty }
    let ids = Set(
      owned.filter {
        named.contains($0.id) || fileSystem.structure(at: $0.bytes.lowerBound) == nil
      }.map(\.id)
    ).union(unmapped)
    for id in ids {
      let file = try Self.file(id, paths.paths(of: id), losses, fileSystem)
      if let file { self.files.append(file) }
    }
    self.files.sort {
      let (left, right) = ($0.lost.totalCount, $1.lost.totalCount)
      return (right, $0.paths.first ?? "", $0.id) < (left, $1.paths.first ?? "", $1.id)
    }
    let rest = losses.ranges.without(owned.filter { ids.contains($0.id) }.map(\.bytes).union)
    let kinds = try fileSystem.unowned(rest, &damage)
    free = kinds.filter { $0.what == "free" }.map(\.bytes).union
    structures = kinds.filter { $0.what != "free" }.map(\.bytes).union
  }

  /// A part whose file system cannot be read.
  private init(_ part: SnapshotPart.Kind, _ damage: FileSystemDamage) {
    (self.part, self.damage, condition) = (part, [damage], .unreadable(damage.problem))
    (hasUnknown, unknownCount, isEndInDoubt) = (true, 0, false)
  }

  /// The result of a search for the files of a snapshot.
  public enum Search: Sendable {
    /// The files of each file system.
    case found([LostFiles])
    /// There are too many files to look at them all.
    case tooMany
    /// There is no file system that can be read, in the snapshot or in the origin.
    case noFileSystem
  }

  /// Finds the files of a snapshot that losses are in, if it is a file system, or a disk with
  /// partitions or logical volumes that are.
  ///
  /// - Parameters:
  ///   - unread: What of the snapshot could not be read, as far as that was tried.
  ///   - fileCountMax: If a file system with losses has more files, none is looked at.
  public static func search(
    _ snapshot: Snapshot, unread: [LostRange] = [], fileCountMax: Int = .max
  ) throws(FileSystemError) -> Search {
    let (found, unreadable) = try snapshot.fileSystems()
    // A part that looks like a file system but cannot be read has losses without names.
    let others = unreadable.map { LostFiles($0.part, $0.damage) }
    if found.isEmpty, others.isEmpty { return .noFileSystem }
    return try search(found, unread: unread, fileCountMax: fileCountMax).map {
      .found($0 + others)
    } ?? .tooMany
  }

  /// The same in file systems of one snapshot; nil if there are too many files.
  package static func search(
    _ found: [SnapshotFiles], unread: [LostRange] = [], fileCountMax: Int = .max
  ) throws(FileSystemError) -> [LostFiles]? {
    let parts = found.map { files in
      (known: FileLosses(files.snapshot, .snapshot, in: files.part, unread: unread), files: files)
    }
    for (known, files) in parts where !known.isNone || !files.before.damage.isEmpty {
      guard try files.before.hasFiles(atMost: fileCountMax) else { return nil }
    }
    let losses = try FileLosses.told(parts)
    var lost: [LostFiles] = []
    for (files, losses) in zip(found, losses) {
      do throws(FileSystemError) { lost.append(try LostFiles(files, losses)) } catch {
        guard case .damaged(_, let problem) = error else { throw error }
        lost.append(LostFiles(files.part.kind, problem))
      }
    }
    return lost
  }

  /// Whether nothing is lost, in doubt, or likely only.
  public var isNone: Bool {
    files.isEmpty && names.isEmpty && free.isEmpty && structures.isEmpty && !hasUnknown
      && damage.isEmpty
  }

  private static func file(
    _ id: FileID, _ paths: [String], _ losses: FileLosses, _ fileSystem: any FileSystem
  ) throws(FileSystemError) -> File? {
    let inode: Inode
    var map = FileMap()
    do throws(FileSystemError) { inode = try fileSystem.inode(id) } catch {
      if error.isFatal { throw error }
      return nil
    }
    do throws(FileSystemError) { map = try fileSystem.map(of: inode) } catch {
      if error.isFatal { throw error }
      // The map of the file is lost.
      map.extents = [FileExtent(0..<max(inode.byteCount, 1), .lost)]
    }
    let structureCount = map.structures.union.reduce(UInt64(0)) {
      $0 + losses.ranges.parts(in: $1).totalCount
    }
    let file = File(
      id: id, paths: paths, kind: inode.kind, byteCount: inode.byteCount,
      lost: map.lost(losses.ranges).within(inode),
      unnamedByteCount: map.touched(by: losses.unnamed).within(inode).totalCount,
      structureByteCount: structureCount,
      doubtfulByteCount: map.touched(by: losses.doubtful).within(inode).totalCount,
      likelyByteCount: map.touched(by: losses.likely).within(inode).totalCount)
    return file.isLost || file.doubtfulByteCount > 0 || file.likelyByteCount > 0 ? file : nil
  }
}

extension [Range<UInt64>] {
  /// The parts of ranges of a file that are before its end.
  fileprivate func within(_ inode: Inode) -> [Range<UInt64>] {
    guard inode.kind == .regular else { return self }
    return compactMap { range in
      let part = range.clamped(to: 0..<inode.byteCount)
      return part.isEmpty ? nil : part
    }
  }
}

extension FileSystem {
  /// Whether there are no more files than so many.
  fileprivate func hasFiles(atMost limit: Int) throws(FileSystemError) -> Bool {
    if limit == .max { return true }
    var count = 0
    _ = try forEachInode(isDeletedIncluded: false) { _ in
      count += 1
      return count <= limit
    }
    return count <= limit
  }
}
