internal import BlockIO

/// Files by their paths.
///
/// A path is names with `/` between them, each escaped as in ``EscapedName``; a part that is not
/// the text of a name is taken for the name itself.
public struct FileTree: Sendable {
  /// The maximum number of symbolic links in a path, as under Linux.
  static let linkCountMax = 40
  /// The maximum depth of a tree.
  static let depthMax = 4096

  /// The file system.
  public let fileSystem: any FileSystem

  /// The tree of a file system.
  public init(_ fileSystem: any FileSystem) { self.fileSystem = fileSystem }

  /// A file, and where it was found.
  public struct Place: Sendable {
    /// Its path from the root, without symbolic links on the way.
    public let path: String
    /// Its name; empty for the root.
    public let name: [UInt8]
    /// The file.
    public let inode: Inode

    /// A file at that path.
    package init(path: String, name: [UInt8], inode: Inode) {
      (self.path, self.name, self.inode) = (path, name, inode)
    }
  }

  /// A name that is yet to be followed: its possible forms, the likeliest first.
  private typealias Step = [[UInt8]]

  /// Finds a file by its path.
  ///
  /// Symbolic links on the way are followed within the file system, whose root is theirs too: no
  /// path leads out of it.
  ///
  /// - Parameter followsLast: Whether a symbolic link at the end is followed as well.
  public func find(
    _ path: String, followsLast: Bool = false
  ) throws(FileSystemError) -> Place {
    var steps: [Step] = path.split(separator: "/").reversed().map { part in
      let (name, literal) = (EscapedName.name(part), Array(part.utf8))
      return name == literal ? [literal] : [name, literal]
    }
    // A path that ends with a slash means a directory.
    let followsLast = followsLast || path.hasSuffix("/")
    var found = [(name: [UInt8](), inode: try fileSystem.inode(fileSystem.root))]
    var linkCount = 0
    while let step = steps.popLast() {
      if step == [[UInt8(ascii: ".")]] { continue }
      if step == [Array("..".utf8)] {
        if found.count > 1 { found.removeLast() }
        continue
      }
      guard let directory = found.last?.inode, found.count <= Self.depthMax,
        directory.kind == .directory, let entry = try entry(step, of: directory)
      else { throw .noFile(fileSystem.source.name, path) }
      let inode = try fileSystem.inode(entry.id)
      guard inode.kind == .link, !steps.isEmpty || followsLast else {
        found.append((entry.name, inode))
        continue
      }
      linkCount += 1
      guard linkCount <= Self.linkCountMax else {
        throw .noFile(fileSystem.source.name, "\(path) (too many symbolic links)")
      }
      let target = try fileSystem.target(ofLink: inode)
      if target.first == UInt8(ascii: "/") { found.removeLast(found.count - 1) }
      steps += target.split(separator: UInt8(ascii: "/")).reversed().map { [Array($0)] }
    }
    guard let last = found.last, !path.hasSuffix("/") || last.inode.kind == .directory else {
      throw .noFile(fileSystem.source.name, path)
    }
    let names = found.dropFirst().map { EscapedName.text($0.name) }
    return Place(path: "/" + names.joined(separator: "/"), name: last.name, inode: last.inode)
  }

  /// The entry of a directory that has one of those names, the first rather than another.
  private func entry(
    _ step: Step, of directory: Inode
  ) throws(FileSystemError) -> DirectoryEntry? {
    var found: DirectoryEntry?
    _ = try fileSystem.forEachEntry(of: directory) { (entry) throws(FileSystemError) in
      guard !entry.isDeleted, step.contains(entry.name) else { return true }
      if found == nil || entry.name == step[0] { found = entry }
      return entry.name != step[0]
    }
    return found
  }
}

extension FileSystemError {
  /// Whether there is no use in going on with another file: it is not the file that is at fault.
  package var isFatal: Bool {
    switch self {
    case .io(let error): !error.isUnreadableMedium
    default: false
    }
  }

  /// It as damage of a file.
  package var damage: FileSystemDamage {
    switch self {
    case .damaged(_, let damage): damage
    case .io(let error): FileSystemDamage("\(error)", at: error.byteRange)
    case .notFound, .unsupported, .noFile, .wrongKind: FileSystemDamage("\(self)")
    }
  }
}
