internal import BlockIO
internal import FileSystemFormat

/// The names of a subvolume while its log is replayed, and all else that changed in its tree.
///
/// A name is in three places: twice in its directory, by its hash and by its number there, and in
/// its inode.
///
/// - Source: Linux `fs/btrfs/tree-log.c`.
struct BtrfsNameReplay {
  private let tree: BtrfsTree
  /// Items that differ from the disk; nil for an item that is gone.
  private(set) var changes: [BtrfsKey: BtrfsItem?] = [:]
  /// The keys of names of inodes among them.
  private var references: [UInt64: Set<BtrfsKey>] = [:]
  /// The numbers of entries that directories have got.
  private var added: [UInt64: Set<UInt64>] = [:]
  /// Inodes whose names must be counted.
  private var uncounted: Set<UInt64> = []
  /// The growth of directories.
  private var growth: [UInt64: Int64] = [:]
  /// The number of steps done.
  private var stepCount = 0
  /// More than any log takes.
  private static let stepCountMax = 1 << 25

  /// Whether too much was done to go on.
  var isTooMuch: Bool { stepCount > Self.stepCountMax }

  init(_ tree: BtrfsTree) { self.tree = tree }

  // MARK: - Items

  /// The item of a key, as it is by now.
  mutating func item(_ key: BtrfsKey) throws(FileSystemError) -> BtrfsItem? {
    if isTooMuch { throw tree.nodes.damaged("its log exceeds the supported size") }
    var found: BtrfsItem?
    if let change = changes[key] {
      found = change
    } else {
      do throws(FileSystemError) {
        found = try tree.item(key).map { BtrfsItem($0.leaf, $0.index) }
      } catch {
        // Losses of the tree are reported when it is read.
        guard case .damaged = error else { throw error }
      }
    }
    stepCount += 1 + (found?.byteCount ?? 0) / 64
    return found
  }

  /// The items of a kind that an object has on the disk, from some offsets on.
  mutating func diskItems(
    of object: UInt64, _ type: UInt8, _ offsets: ClosedRange<UInt64> = 0 ... .max
  ) throws(FileSystemError) -> [BtrfsItem] {
    var (found, losses) = ([BtrfsItem](), BtrfsLosses())
    let keys =
      BtrfsKey(
        object: object, type: type, offset: offsets.lowerBound)...BtrfsKey(
        object: object, type: type, offset: offsets.upperBound)
    try tree.forEachLeaf(keys, losses: &losses) { leaf, items in
      found += items.map { BtrfsItem(leaf, $0) }
      return true
    }
    stepCount += found.count
    return found
  }

  /// Sets the item at a key: nil for no item.
  mutating func set(_ key: BtrfsKey, _ item: BtrfsItem?) {
    changes[key] = .some(item)
    if key.type == BtrfsKey.inodeReference || key.type == BtrfsKey.inodeExtendedReference {
      references[key.object, default: []].insert(key)
    }
  }

  /// Writes an item; none if it has no bytes.
  private mutating func put(_ key: BtrfsKey, _ bytes: [UInt8]) {
    set(key, bytes.isEmpty ? nil : BtrfsItem(key, bytes))
  }

  private static func entry(_ directory: UInt64, _ index: UInt64) -> BtrfsKey {
    BtrfsKey(object: directory, type: BtrfsKey.directoryIndex, offset: index)
  }

  private static func inode(_ number: UInt64) -> BtrfsKey {
    BtrfsKey(object: number, type: BtrfsKey.inodeItem, offset: 0)
  }

  private mutating func names(_ key: BtrfsKey) throws(FileSystemError) -> [BtrfsName] {
    try item(key).map { BtrfsName.names(in: $0.bytes.span).names } ?? []
  }

  /// The directory's entry for a name, by its hash.
  private mutating func found(
    _ name: [UInt8], in directory: UInt64
  ) throws(FileSystemError) -> BtrfsName? {
    let key = BtrfsKey(
      object: directory, type: BtrfsKey.directoryItem, offset: BtrfsName.hash(name))
    return try names(key).first { $0.name == name }
  }

  private mutating func exists(_ inode: UInt64) throws(FileSystemError) -> Bool {
    try item(Self.inode(inode)) != nil
  }

  // MARK: - Changes

  /// Takes a name away, wherever it is.
  ///
  /// - Parameter index: Its number in the directory; nil to take the inode's word for it.
  private mutating func unlink(
    _ name: [UInt8], of location: BtrfsKey, in directory: UInt64, index: UInt64? = nil
  ) throws(FileSystemError) {
    let hashed = BtrfsKey(
      object: directory, type: BtrfsKey.directoryItem, offset: BtrfsName.hash(name))
    put(hashed, try names(hashed).filter { $0.name != name }.flatMap(\.encoded))
    var indices = index.map { [$0] } ?? []
    if location.type == BtrfsKey.inodeItem {
      let reference = BtrfsInodeName(name, in: directory, index: 0)
      for key in reference.keys(of: location.object) {
        guard let item = try item(key) else { continue }
        let all = BtrfsInodeName.names(in: item.bytes.span, key: key)
        let rest = all.filter { $0.name != name || $0.directory != directory }
        if rest.count == all.count { continue }
        indices += all.filter { $0.name == name && $0.directory == directory }.map(\.index)
        put(key, rest.flatMap { $0.encoded(for: key) })
      }
      uncounted.insert(location.object)
    }
    for index in Set(indices) {
      let names = try names(Self.entry(directory, index))
      guard names.contains(where: { $0.name == name }) else { continue }
      put(Self.entry(directory, index), [])
      added[directory]?.remove(index)
    }
    growth[directory, default: 0] -= 2 * Int64(name.count)
  }

  /// Adds a name to a directory.
  private mutating func link(
    _ name: BtrfsName, in directory: UInt64, index: UInt64
  ) throws(FileSystemError) {
    let hashed = BtrfsKey(
      object: directory, type: BtrfsKey.directoryItem, offset: BtrfsName.hash(name.name))
    put(hashed, try names(hashed).flatMap(\.encoded) + name.encoded)
    put(Self.entry(directory, index), name.encoded)
    added[directory, default: []].insert(index)
    growth[directory, default: 0] += 2 * Int64(name.name.count)
    if name.location.type == BtrfsKey.inodeItem { uncounted.insert(name.location.object) }
  }

  /// Notes that an inode's names must be counted.
  mutating func recount(_ inode: UInt64) { uncounted.insert(inode) }

  // MARK: - Replay

  /// Takes the entries of a directory away that are on the disk, and not in the log although that
  /// has all in these ranges of numbers.
  mutating func removeEntries(
    of directory: UInt64, in ranges: [ClosedRange<UInt64>], unless isLogged: (BtrfsKey) -> Bool
  ) throws(FileSystemError) {
    for range in ranges {
      for item in try diskItems(of: directory, BtrfsKey.directoryIndex, range)
      where !isLogged(item.key) {
        try removeEntry(item.key)
      }
    }
  }

  private mutating func removeEntry(_ key: BtrfsKey) throws(FileSystemError) {
    for name in try names(key) {
      try unlink(name.name, of: name.location, in: key.object, index: key.offset)
    }
  }

  /// Replays an entry of a directory.
  ///
  /// - Parameter references: The item of an inode's names that the log has.
  mutating func replay(
    entries item: BtrfsItem, references: (BtrfsKey) -> BtrfsItem?
  ) throws(FileSystemError) {
    let (directory, index) = (item.key.object, item.key.offset)
    for name in BtrfsName.names(in: item.bytes.span).names {
      guard name.location.type == BtrfsKey.inodeItem else { continue }
      let isThere = try exists(name.location.object)
      let same = try removeConflicts(name, in: directory, index: index, isReplaced: isThere)
      if same || !isThere { continue }
      // Otherwise the inode's own names provide it later.
      let reference = BtrfsInodeName(name.name, in: directory, index: index)
      let isLogged = reference.keys(of: name.location.object).contains { key in
        references(key).map {
          BtrfsInodeName.names(in: $0.bytes.span, key: key).contains {
            $0.name == name.name && $0.directory == directory
          }
        } ?? false
      }
      if isLogged { continue }
      try link(name, in: directory, index: index)
      let key = reference.keys(of: name.location.object)[0]
      let old = try self.item(key)?.bytes ?? []
      put(key, old + reference.encoded(for: key))
    }
  }

  /// Removes entries in a name's place in a directory, by its hash or its number.
  ///
  /// - Returns: Whether that name is there already.
  private mutating func removeConflicts(
    _ name: BtrfsName, in directory: UInt64, index: UInt64, isReplaced: Bool
  ) throws(FileSystemError) -> Bool {
    let (hashed, numbered) = (
      try found(name.name, in: directory), try names(Self.entry(directory, index)).first
    )
    func isSame(_ other: BtrfsName?) -> Bool {
      other.map { $0.name == name.name && $0.location == name.location } ?? false
    }
    if isSame(hashed), isSame(numbered) { return true }
    guard isReplaced else { return false }
    if let hashed { try unlink(hashed.name, of: hashed.location, in: directory) }
    if let numbered, numbered.name != hashed?.name {
      try unlink(numbered.name, of: numbered.location, in: directory, index: index)
    }
    return false
  }

  /// Replays names of an inode.
  ///
  /// - Parameter logged: The item of a key that the inode has in the log.
  mutating func replay(
    references item: BtrfsItem, logged: (BtrfsKey) -> BtrfsItem?
  ) throws(FileSystemError) {
    let key = item.key
    let new = BtrfsInodeName.names(in: item.bytes.span, key: key)
    guard
      let mode = try self.item(Self.inode(key.object)).flatMap({
        BtrfsInodeItem(decoding: $0.bytes.span)?.mode
      })
    else { return }
    // The directory at the top is in itself, under no name.
    for name in new where name.directory != key.object {
      guard try exists(name.directory) else { continue }
      let entry = BtrfsName(
        name.name, of: Self.inode(key.object), kind: Self.kind(ofMode: mode))
      if try removeConflicts(entry, in: name.directory, index: name.index, isReplaced: true) {
        continue
      }
      // Names that it has in that directory on the disk only are gone.
      for key in name.keys(of: key.object) {
        guard let old = try self.item(key) else { continue }
        let kept = logged(key).map { BtrfsInodeName.names(in: $0.bytes.span, key: key) } ?? []
        try removeNames(of: key, old, except: kept)
      }
      try link(entry, in: name.directory, index: name.index)
    }
    if let old = try self.item(key) { try removeNames(of: key, old, except: new) }
    set(key, item)
  }

  private mutating func removeNames(
    of key: BtrfsKey, _ item: BtrfsItem, except kept: [BtrfsInodeName]
  ) throws(FileSystemError) {
    for name in BtrfsInodeName.names(in: item.bytes.span, key: key)
    where !kept.contains(where: { $0.name == name.name && $0.directory == name.directory }) {
      try unlink(name.name, of: Self.inode(key.object), in: name.directory, index: name.index)
    }
  }

  /// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `BTRFS_FT_*`.
  private static func kind(ofMode mode: UInt32) -> UInt8 {
    switch FileKind(mode: UInt16(truncatingIfNeeded: mode)) {
    case .regular: 1
    case .directory: 2
    case .characterDevice: 3
    case .blockDevice: 4
    case .fifo: 5
    case .socket: 6
    case .link: 7
    case .unknown: 0
    }
  }

  // MARK: - The end

  /// Counts names again, and makes directories as long as their names make them.
  mutating func finish() throws(FileSystemError) {
    while let inode = uncounted.popFirst() {
      let key = Self.inode(inode)
      guard let item = try item(key), item.bytes.count >= BtrfsInodeItem.byteCount else { continue }
      let count = try nameCount(of: inode)
      var bytes = item.bytes
      bytes.put(little: UInt32(clamping: count), at: 40)
      put(key, bytes)
      guard count == 0, Self.kind(ofMode: bytes.span.little(at: 52)) == 2 else { continue }
      // A directory that is gone has nothing in it.
      let entries =
        try diskItems(of: inode, BtrfsKey.directoryIndex).map(\.key)
        + (added[inode] ?? []).map { Self.entry(inode, $0) }
      for key in entries { try removeEntry(key) }
    }
    for (directory, change) in growth {
      guard let item = try item(Self.inode(directory)),
        item.bytes.count >= BtrfsInodeItem.byteCount
      else { continue }
      var bytes = item.bytes
      let old = Int64(clamping: bytes.span.little(at: 16, as: UInt64.self))
      bytes.put(little: UInt64(clamping: old &+ change), at: 16)
      put(Self.inode(directory), bytes)
    }
  }

  /// The current number of names of an inode.
  private mutating func nameCount(of inode: UInt64) throws(FileSystemError) -> Int {
    var count = 0
    for type in [BtrfsKey.inodeReference, BtrfsKey.inodeExtendedReference] {
      var keys = Set(try diskItems(of: inode, type).map(\.key))
      keys.formUnion(references[inode]?.filter { $0.type == type } ?? [])
      for key in keys {
        guard let item = try item(key) else { continue }
        count += BtrfsInodeName.names(in: item.bytes.span, key: key).count
      }
    }
    return count
  }
}
