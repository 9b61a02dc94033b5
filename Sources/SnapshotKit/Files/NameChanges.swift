internal import BlockIO
internal import FileSystems

/// The names that only one side has, or that name another file there.
struct NameChanges {
  /// A name of a file, and its path.
  struct Name {
    let path: String
    let id: FileID
  }

  /// A name that was moved.
  struct Move {
    let path: String
    let from: String
    let id: FileID
  }

  /// A name that names another file than before.
  struct Replacement {
    let path: String
    let old: FileID
    let new: FileID
  }

  private(set) var created: [Name] = []
  private(set) var deleted: [Name] = []
  private(set) var renamed: [Move] = []
  private(set) var replaced: [Replacement] = []
  /// Damage met in the directories of both sides.
  let damageBefore: [FileSystemDamage]
  let damageAfter: [FileSystemDamage]
  private let paths: TreePaths
  /// The paths that are reported as created, renamed or replaced.
  private var told: Set<String> = []

  /// A name in a directory that changed.
  private struct Entry {
    let directory: FileID
    let name: [UInt8]
    let id: FileID

    static func precedes(_ left: Entry, _ right: Entry) -> Bool {
      if left.directory != right.directory { return left.directory < right.directory }
      if left.name != right.name { return left.name.lexicographicallyPrecedes(right.name) }
      return left.id < right.id
    }

    func isSameName(as other: Entry) -> Bool {
      directory == other.directory && name == other.name
    }
  }

  /// Compares the directories among the suspects.
  init(
    _ files: SnapshotFiles, before side: SnapshotFiles.Side, suspects: Set<FileID>,
    _ comparison: FileComparison
  ) throws(FileSystemError) {
    let (past, present) = (files[side], files[side.other])
    let changed = suspects.filter { id in
      (try? past.inode(id))?.kind == .directory
        || (try? present.inode(id))?.kind == .directory
    }
    var (old, new): ([Entry], [Entry]) = ([], [])
    let before = try TreePaths(past, of: []) { directory, entry in
      if changed.contains(directory) {
        old.append(Entry(directory: directory, name: entry.name, id: entry.id))
      }
    }
    paths = try TreePaths(present, of: suspects) { directory, entry in
      if changed.contains(directory) {
        new.append(Entry(directory: directory, name: entry.name, id: entry.id))
      }
    }
    (damageBefore, damageAfter) = (before.damage, paths.damage)
    old.sort(by: Entry.precedes)
    new.sort(by: Entry.precedes)
    var (gone, come): ([Entry], [Entry]) = ([], [])
    var both: [(old: Entry, new: Entry)] = []
    var (left, right) = (old[...], new[...])
    while let mine = left.first, let theirs = right.first {
      if mine.isSameName(as: theirs) {
        if mine.id != theirs.id || !comparison.isSame(mine.id) { both.append((mine, theirs)) }
        left.removeFirst()
        right.removeFirst()
      } else if Entry.precedes(mine, theirs) {
        gone.append(mine)
        left.removeFirst()
      } else {
        come.append(theirs)
        right.removeFirst()
      }
    }
    gone += left
    come += right
    pair(gone, come, both, before, comparison)
  }

  /// Finds out which names were moved.
  private mutating func pair(
    _ gone: [Entry], _ come: [Entry], _ both: [(old: Entry, new: Entry)], _ before: TreePaths,
    _ comparison: FileComparison
  ) {
    var sources: [FileID: [Entry]] = [:]
    for entry in gone.reversed() { sources[entry.id, default: []].append(entry) }
    /// The path that a file was moved from, if its name was.
    func source(of entry: Entry) -> String? {
      guard comparison.isSame(entry.id), let from = sources[entry.id]?.popLast() else {
        return nil
      }
      return before.path(of: from.name, in: from.directory)
    }
    for (old, new) in both {
      guard let path = paths.path(of: new.name, in: new.directory) else { continue }
      told.insert(path)
      if old.id != new.id, let from = source(of: new) {
        renamed.append(Move(path: path, from: from, id: new.id))
      } else {
        replaced.append(Replacement(path: path, old: old.id, new: new.id))
      }
    }
    for entry in come {
      guard let path = paths.path(of: entry.name, in: entry.directory) else { continue }
      told.insert(path)
      if let from = source(of: entry) {
        renamed.append(Move(path: path, from: from, id: entry.id))
      } else {
        created.append(Name(path: path, id: entry.id))
      }
    }
    for entry in sources.values.joined() {
      if let path = before.path(of: entry.name, in: entry.directory) {
        deleted.append(Name(path: path, id: entry.id))
      }
    }
  }

  /// The paths of a file that it had before and has after.
  func keptPaths(of id: FileID) -> [String] {
    paths.paths(of: id).filter { !told.contains($0) }
  }
}
