internal import BlockIO

/// The paths of inodes: all names of each, put together from the directories.
///
/// Only directories are read, and other files only if no directory has their kind. It keeps 48
/// bytes and the name for each directory, and for each name of a wanted file.
public struct TreePaths: Sendable {
  /// A name in a directory.
  private struct Link: Sendable {
    let id: FileID
    let parent: FileID
    let nameStart: Int
    let nameCount: Int
  }

  private let root: FileID
  /// The names, one after another.
  private var names: [UInt8] = []
  /// By number.
  private var links: [Link] = []
  /// Damage met: if there is any, names may be missing.
  public private(set) var damage: [FileSystemDamage] = []

  /// Reads the directories of a file system.
  ///
  /// - Parameters:
  ///   - wanted: The files whose paths will be asked for; nil for all.
  ///   - visit: Is called with each directory as it is met, and with each name in it.
  public init(
    _ fileSystem: any FileSystem, of wanted: Set<FileID>? = nil,
    visit: (_ directory: FileID, _ entry: DirectoryEntry) -> Void = { _, _ in }
  ) throws(FileSystemError) {
    root = fileSystem.root
    var directories = [root]
    var (seen, entered) = (Set([root]), EnteredDirectories())
    while let id = directories.popLast() {
      var found: [DirectoryEntry] = []
      do throws(FileSystemError) {
        let directory = try fileSystem.inode(id)
        if let problem = try entered.enter(directory, of: fileSystem) {
          damage.append(problem)
          continue
        }
        let problems = try fileSystem.forEachEntry(of: directory) {
          (entry) throws(FileSystemError) in
          if entry.isDeleted { return true }
          visit(id, entry)
          if wanted?.contains(entry.id) ?? true || entry.kind == .directory || entry.kind == nil {
            found.append(entry)
          }
          return true
        }
        damage += problems
      } catch {
        if error.isFatal { throw error }
        damage.append(error.damage)
      }
      for entry in found {
        let isDirectory =
          entry.kind.map { $0 == .directory }
          ?? ((try? fileSystem.inode(entry.id))?.kind == .directory)
        if isDirectory, seen.insert(entry.id).inserted { directories.append(entry.id) }
        guard isDirectory || wanted?.contains(entry.id) ?? true else { continue }
        links.append(
          Link(id: entry.id, parent: id, nameStart: names.count, nameCount: entry.name.count))
        names += entry.name
      }
    }
    links.sort { ($0.id, $0.nameStart) < ($1.id, $1.nameStart) }
  }

  /// All paths of a file, by name; none if no directory names it.
  public func paths(of id: FileID) -> [String] {
    if id == root { return ["/"] }
    let first = links.partitioningIndex { $0.id >= id }
    return links[first...].prefix { $0.id == id }.compactMap { path(of: $0) }.sorted()
  }

  /// The first of a file's paths; nil if no directory names it.
  public func path(of id: FileID) -> String? { paths(of: id).first }

  /// The path of a name in a directory; nil if nothing names that.
  public func path(of name: [UInt8], in directory: FileID) -> String? {
    guard let parent = path(of: directory) else { return nil }
    return (parent == "/" ? "" : parent) + "/" + EscapedName.text(name)
  }

  private func path(of link: Link) -> String? {
    var parts: [String] = []
    var link = link
    // Directories that name each other, and are not below the root, end here.
    while parts.count <= FileTree.depthMax {
      parts.append(
        EscapedName.text(Array(names[link.nameStart..<link.nameStart + link.nameCount])))
      if link.parent == root { return "/" + parts.reversed().joined(separator: "/") }
      let first = links.partitioningIndex { $0.id >= link.parent }
      guard first < links.count, links[first].id == link.parent else { return nil }
      link = links[first]
    }
    return nil
  }
}
