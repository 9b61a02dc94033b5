internal import BlockIO

/// A walk over a tree: each directory before its content, names in the order of their bytes.
///
/// A directory met before, which a sound file system does not have, is damage and is not entered
/// again; neither is one that lies too deep. Damage is collected, and the walk goes on.
public struct TreeWalk: Sendable {
  /// The number of inodes read ahead, in the order of the disk.
  private static let windowCount = 2048

  private let fileSystem: any FileSystem
  private let isRecursive: Bool
  private let includesDeleted: Bool
  private let depthMax: Int
  private var start: FileTree.Place?
  private var levels: [Level] = []
  private var entered = EnteredDirectories()
  /// The directory that is entered next, unless it is skipped.
  private var pending: (inode: Inode, path: String)?
  /// The path of the innermost directory, without a slash at its end.
  private var path = ""
  /// Damage found on the way.
  public private(set) var damage: [TreeDamage] = []

  /// A directory whose entries are being visited.
  private struct Level: Sendable {
    /// The length of its path in ``path``: a path of its own would make a deep tree large.
    let pathByteCount: Int
    /// Its entries, by name.
    var entries: [DirectoryEntry]
    var next = 0
    /// The inodes of the entries from `windowStart` on, read already.
    var window: [Result<Inode, FileSystemError>] = []
    var windowStart = 0
  }

  /// A walk from a file or directory on.
  ///
  /// - Parameters:
  ///   - isRecursive: Whether directories in the directory are entered.
  ///   - includesDeleted: Whether deleted names are visited too; they are not entered.
  public init(
    _ fileSystem: any FileSystem, from start: FileTree.Place, isRecursive: Bool = true,
    includesDeleted: Bool = false
  ) {
    self.init(
      fileSystem, from: start, isRecursive: isRecursive, includesDeleted: includesDeleted,
      depthMax: FileTree.depthMax)
  }

  /// The same, with another depth to which it goes.
  package init(
    _ fileSystem: any FileSystem, from start: FileTree.Place, isRecursive: Bool = true,
    includesDeleted: Bool = false, depthMax: Int
  ) {
    self.fileSystem = fileSystem
    self.depthMax = depthMax
    self.isRecursive = isRecursive
    self.includesDeleted = includesDeleted
    self.start = start
  }

  /// The next file; nil after the last.
  ///
  /// The first is the one that the walk starts from.
  ///
  /// - Throws: Only errors that end the walk: ``damage`` has those it went around.
  public mutating func next() throws(FileSystemError) -> TreeEntry? {
    if let start {
      self.start = nil
      if start.inode.kind == .directory { pending = (start.inode, start.path) }
      return TreeEntry(
        path: start.path, name: start.name, id: start.inode.id, kind: start.inode.kind,
        inode: start.inode, isDeleted: false, depth: 0)
    }
    if let (inode, path) = pending {
      pending = nil
      try enter(inode, path)
    }
    while let level = levels.last, level.next == level.entries.count { levels.removeLast() }
    guard !levels.isEmpty else { return nil }
    return try visit(levels.count - 1)
  }

  /// Does not enter the directory that was visited last.
  public mutating func skipDirectory() { pending = nil }

  private mutating func enter(_ directory: Inode, _ path: String) throws(FileSystemError) {
    guard levels.count < depthMax else {
      damage.append(TreeDamage(path, FileSystemDamage("is nested too deep")))
      return
    }
    if let problem = try entered.enter(directory, of: fileSystem) {
      damage.append(TreeDamage(path, problem))
      return
    }
    var entries: [DirectoryEntry] = []
    let includesDeleted = includesDeleted
    do throws(FileSystemError) {
      let found = try fileSystem.forEachEntry(of: directory) { (entry) throws(FileSystemError) in
        if includesDeleted || !entry.isDeleted { entries.append(entry) }
        return true
      }
      damage += found.map { TreeDamage(path, $0) }
    } catch {
      if error.isFatal { throw error }
      damage.append(TreeDamage(path, error.damage))
    }
    entries.sort { $0.name.lexicographicallyPrecedes($1.name) }
    self.path = path == "/" ? "" : path
    levels.append(Level(pathByteCount: self.path.utf8.count, entries: entries))
  }

  /// Visits the next entry of the directory at that depth.
  private mutating func visit(_ depth: Int) throws(FileSystemError) -> TreeEntry {
    let next = levels[depth].next
    if next == levels[depth].windowStart + levels[depth].window.count {
      let end = min(next + Self.windowCount, levels[depth].entries.count)
      levels[depth].windowStart = next
      levels[depth].window = inodes(of: levels[depth].entries[next..<end])
    }
    let entry = levels[depth].entries[next]
    let result = levels[depth].window[next - levels[depth].windowStart]
    levels[depth].next += 1
    path.removeLast(toUTF8Count: levels[depth].pathByteCount)
    let path = path + "/" + EscapedName.text(entry.name)
    var inode: Inode?
    switch result {
    case .success(let found): inode = found
    case .failure(let error):
      if error.isFatal { throw error }
      if !entry.isDeleted { damage.append(TreeDamage(path, error.damage)) }
    }
    if isRecursive, let inode, inode.kind == .directory, !entry.isDeleted {
      pending = (inode, path)
    }
    return TreeEntry(
      path: path, name: entry.name, id: entry.id, kind: inode?.kind ?? entry.kind, inode: inode,
      isDeleted: entry.isDeleted, depth: levels.count)
  }

  /// The inodes of entries, read in the order of their numbers.
  private func inodes(
    of entries: ArraySlice<DirectoryEntry>
  ) -> [Result<Inode, FileSystemError>] {
    let order = entries.indices.sorted { entries[$0].id < entries[$1].id }
    let unread = FileSystemError.noFile(fileSystem.source.name, "")
    var inodes = [Result<Inode, FileSystemError>](repeating: .failure(unread), count: order.count)
    for index in order {
      inodes[index - entries.startIndex] = Result { () throws(FileSystemError) in
        try fileSystem.inode(entries[index].id)
      }
    }
    return inodes
  }
}

extension String {
  /// Keeps so many bytes from its beginning, which end a character.
  fileprivate mutating func removeLast(toUTF8Count count: Int) {
    removeSubrange(utf8.index(startIndex, offsetBy: count)...)
  }
}

/// A name that a walk visits.
public struct TreeEntry: Sendable {
  /// Its path from the root, each name as ``EscapedName`` has it.
  public let path: String
  /// Its name; empty for the root.
  public let name: [UInt8]
  /// The file that it names.
  public let id: FileID
  /// Its kind, if known.
  public let kind: FileKind?
  /// The file; nil if it cannot be read.
  public let inode: Inode?
  /// Whether the name was deleted: the file may be another one since.
  public let isDeleted: Bool
  /// Its depth below the start of the walk.
  public let depth: Int
}

/// Damage, and the file or directory that it was met at.
public struct TreeDamage: Equatable, Sendable {
  /// The path.
  public let path: String
  /// The problem.
  public let damage: FileSystemDamage

  /// Damage at that path.
  package init(_ path: String, _ damage: FileSystemDamage) {
    (self.path, self.damage) = (path, damage)
  }
}
