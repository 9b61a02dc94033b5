import BlockIO
import FileSystemFormat

extension ExtFileSystem {
  /// Calls `body` with each entry of a directory but `.` and `..`, until it returns false.
  ///
  /// Deleted entries come last. Entries of a block whose checksum is wrong are returned: each is
  /// likely to be right, and names are nowhere else.
  ///
  /// - Returns: What could not be read.
  public func forEachEntry(
    of directory: Inode, _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    guard directory.kind == .directory else { throw .wrongKind(source.name, "a directory") }
    var scan = ExtDirectoryScan(self, directory, try fields(of: directory))
    try scan.run(body)
    return scan.damage
  }
}

/// A walk over the blocks of a directory, one after another: a tree of hashes is not used.
private struct ExtDirectoryScan {
  private let system: ExtFileSystem
  private let directory: Inode
  private let fields: Ext4InodeFields
  private let register: UInt32
  private(set) var damage: [FileSystemDamage] = []
  /// Entries that seem to have been deleted: numbers by name.
  private var deleted: [[UInt8]: (inode: UInt32, kind: UInt8)] = [:]

  private static let deletedCountMax = 1 << 16
  /// Shorter holes are read.
  private static let holeByteCountMin: UInt64 = 1 << 20
  private static let damageCountMax = 100

  init(_ system: ExtFileSystem, _ directory: Inode, _ fields: Ext4InodeFields) {
    (self.system, self.directory, self.fields) = (system, directory, fields)
    register = Ext4Inode.register(
      number: UInt32(truncatingIfNeeded: directory.id.number), generation: fields.generation,
      seed: system.superblock.seed)
  }

  private mutating func note(_ problem: String, at bytes: Range<UInt64>? = nil) {
    damage.append(
      FileSystemDamage("directory \(directory.id.number): \(problem)", at: bytes),
      max: Self.damageCountMax)
  }

  mutating func run(
    _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) {
    let isEncrypted = fields.flags.contains(.isEncrypted)
    func entry(
      _ name: [UInt8], _ inode: UInt32, _ kind: UInt8, isDeleted: Bool
    ) -> DirectoryEntry {
      DirectoryEntry(
        name: name, id: FileID(UInt64(inode)), kind: Self.kind(kind), isDeleted: isDeleted,
        isEncrypted: isEncrypted)
    }
    let goesOn = try forEachLive(isFirstPass: true) { name, found throws(FileSystemError) in
      try body(entry(name, found.inode, found.kind, isDeleted: false))
    }
    guard goesOn, !deleted.isEmpty else { return }
    // Where a block was split or packed, copies of entries that live on are left.
    var rest = deleted
    _ = try forEachLive(isFirstPass: false) { name, found throws(FileSystemError) in
      if rest[name]?.inode == found.inode { rest[name] = nil }
      return true
    }
    for (name, found) in rest.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      if try !body(entry(name, found.inode, found.kind, isDeleted: true)) { return }
    }
  }

  // MARK: - Blocks

  /// Calls `body` with each entry that is in use, until it returns false.
  ///
  /// - Parameter isFirstPass: Whether damage and deleted entries are noted.
  private mutating func forEachLive(
    isFirstPass: Bool, _ body: ([UInt8], Ext4DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    if fields.flags.contains(.hasInlineData) {
      return try forEachInline(isFirstPass: isFirstPass, body)
    }
    let map = try system.map(of: directory)
    let size = system.reader.blockByteCount
    if isFirstPass { damage += map.damage }
    let repeated = map.extents.repetitions
    if isFirstPass, !repeated.isEmpty { note("has blocks that occur twice") }
    var next: UInt64 = 0
    for extent in map.extents where extent.file.lowerBound < directory.byteCount {
      if isFirstPass, extent.file.lowerBound > next { note("has a hole") }
      next = extent.file.upperBound
      if repeated.contains(extent.file.lowerBound) { continue }
      guard case .data(let start) = extent.place else {
        if isFirstPass { note("some of it is nowhere") }
        continue
      }
      let end = min(extent.file.upperBound, directory.byteCount)
      var position = extent.file.lowerBound
      while position < end {
        let place = start + position - extent.file.lowerBound
        if (position - extent.file.lowerBound) % Self.holeByteCountMin == 0,
          end - position >= Self.holeByteCountMin,
          case let hole = try system.reader.source.holeByteCount(from: place), hole >= size
        {
          if isFirstPass { note("some of it is nowhere") }
          position += min(hole / size * size, end - position)
          continue
        }
        let goesOn = try read(
          block: place, isFirst: position == 0, isFirstPass: isFirstPass, body)
        if !goesOn { return false }
        position += size
      }
    }
    if isFirstPass, next < directory.byteCount { note("has a hole at its end") }
    return true
  }

  private mutating func read(
    block place: UInt64, isFirst: Bool, isFirstPass: Bool,
    _ body: ([UInt8], Ext4DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let size = system.superblock.blockByteCount
    let range = place..<place + UInt64(size)
    guard let page = try system.reader.page(place, byteCount: size) else {
      if isFirstPass { note("a block cannot be read", at: range) }
      return true
    }
    let bytes = page.bytes.span.extracting(page.range)
    if isFirstPass, system.superblock.hasMetadataChecksums,
      Ext4Block.isRight(directory: bytes, from: register) != true
    {
      note("a block has a wrong checksum", at: range)
    }
    return try forEach(
      in: bytes, isRoot: isFirst && fields.flags.contains(.hasHashTree),
      at: range, isFirstPass: isFirstPass, body)
  }

  /// The entries in the inode: after the number of the parent, and in an attribute.
  private mutating func forEachInline(
    isFirstPass: Bool, _ body: ([UInt8], Ext4DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let (record, map) = (directory.record, Ext4Inode.map)
    let first = record.span.extracting(map.lowerBound + 4..<map.upperBound)
    guard
      try forEach(
        in: first, isRoot: false, at: nil, isFirstPass: isFirstPass, body)
    else { return false }
    guard let rest = system.inlineAttribute(of: directory, fields), !rest.isEmpty else {
      return true
    }
    return try forEach(
      in: record.span.extracting(rest), isRoot: false, at: nil, isFirstPass: isFirstPass, body)
  }

  // MARK: - Entries

  private mutating func forEach(
    in bytes: Span<UInt8>, isRoot: Bool, at range: Range<UInt64>?,
    isFirstPass: Bool, _ body: ([UInt8], Ext4DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    var position = 0
    while position < bytes.count {
      guard let entry = Ext4DirectoryEntry(decoding: bytes, at: position),
        entry.inode <= system.superblock.inodeCount
      else {
        if isFirstPass { note("an entry is damaged, and what follows it in its block", at: range) }
        return true
      }
      let name = entry.name.map { bytes[$0] }
      let isDots = name == [0x2e] || name == [0x2e, 0x2e]
      if entry.inode != 0, !isDots {
        let isPossible = !name.isEmpty && !name.contains { $0 == 0 || $0 == 0x2f } || isEncrypted
        if !isPossible, isFirstPass { note("an entry has an impossible name", at: range) }
        if !name.isEmpty, try !body(name, entry) { return false }
      }
      // An inner node of the tree of hashes is an entry that takes all of its block.
      let isNode =
        fields.flags.contains(.hasHashTree) && entry.inode == 0
        && entry.end - position == bytes.count
      if isFirstPass, !isNode, !(isRoot && isDots), !entry.isTail {
        gather(bytes, from: entry, at: position)
      }
      position = entry.end
    }
    return true
  }

  private var isEncrypted: Bool { fields.flags.contains(.isEncrypted) }

  /// Gathers apparent entries after the name of one.
  private mutating func gather(_ bytes: Span<UInt8>, from entry: Ext4DirectoryEntry, at start: Int)
  {
    guard !isEncrypted, system.superblock.inodeCount >= system.superblock.firstInode else { return }
    let inodes = system.superblock.firstInode...system.superblock.inodeCount
    var position = (entry.name.upperBound + 3) & ~3
    while position + 12 <= entry.end {
      guard
        let found = Ext4DirectoryEntry(
          deletedIn: bytes, at: position, before: entry.end, inodes: inodes)
      else {
        position += 4
        continue
      }
      if deleted.count < Self.deletedCountMax {
        deleted[found.name.map { bytes[$0] }] = (found.inode, found.kind)
      }
      position = found.end
    }
  }

  private static func kind(_ type: UInt8) -> FileKind? {
    switch type {
    case 1: .regular
    case 2: .directory
    case 3: .characterDevice
    case 4: .blockDevice
    case 5: .fifo
    case 6: .socket
    case 7: .link
    default: nil
    }
  }
}
