import BlockIO
import FileSystemFormat
import FileSystems
import Testing

/// Damage is said, and what is whole is given.
struct XFSDamageTests {
  private static func file(_ system: XFSFileSystem, _ name: String) throws -> Inode {
    let entries = try XFSFileSystemTests.entries(system, nil)
    return try system.inode(#require(entries.first { $0.name == Array(name.utf8) }).id)
  }

  private static func allocated(_ system: XFSFileSystem) throws -> (Set<FileID>, Int) {
    var found: Set<FileID> = []
    let damage = try system.forEachInode(isDeletedIncluded: false) {
      found.insert($0.id)
      return true
    }
    return (found, damage.count)
  }

  @Test func `a damaged inode is one inode`() throws {
    let image = try XFSImage(.v5)
    let hello = try Self.file(image.open(), "hello")
    let all = try Self.allocated(image.open())
    #expect(all.1 == 0)
    // Inodes of 512 bytes, of the first group.
    try image.damage(at: hello.id.number * 512 + 60)
    let system = try image.open()
    #expect(throws: FileSystemError.self) { try system.inode(hello.id) }
    let rest = try Self.allocated(system)
    #expect(rest.1 == 1)
    #expect(rest.0 == all.0.subtracting([hello.id]))
  }

  @Test func `without its btree a group is searched for inodes`() throws {
    let image = try XFSImage(.v5)
    let all = try Self.allocated(image.open())
    for group in 0..<2 as Range<UInt64> { try image.damage(at: group * (32 << 20) + 1024 + 16) }
    let system = try image.open()
    let rest = try Self.allocated(system)
    #expect(rest.0 == all.0)
    #expect(rest.1 == 2)
    let listing = try XFSListing(system)
    #expect(listing.lines == (try image.truth()))
  }

  @Test func `groups past the end of a shortened image are no work`() throws {
    // Version 4 has no checksum of its superblock, which is made to claim 64 PiB.
    let image = try XFSImage(.v4)
    let all = try Self.allocated(image.open())
    let groupBlocks = try image.read(at: 84, 4).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let groupCount = UInt64(1) << 31
    try image.patch(at: 8, Self.bigEndian(groupBlocks * groupCount, 8))
    try image.patch(at: 88, Self.bigEndian(groupCount, 4))
    let rest = try Self.allocated(image.open())
    #expect(rest.0 == all.0)
    #expect(rest.1 == all.1 + 1)
  }

  @Test func `groups that no Linux mounts are refused`() throws {
    let image = try XFSImage(.v4)
    let blockCount = try image.read(at: 8, 8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    try image.patch(at: 84, Self.bigEndian(16, 4))
    try image.patch(at: 88, Self.bigEndian((blockCount + 15) / 16, 4))
    try image.patch(at: 124, [4])
    let error = #expect(throws: FileSystemError.self) { try image.open() }
    #expect("\(try #require(error))".contains("groups of 16384 bytes"))
  }

  private static func bigEndian(_ value: UInt64, _ byteCount: Int) -> [UInt8] {
    (0..<byteCount).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  @Test func `a lost superblock has copies`() throws {
    let image = try XFSImage(.v5)
    try image.patch(at: 0, [UInt8](repeating: 0, count: 512))
    let system = try image.open()
    #expect(system.notes.count == 1)
    #expect(try XFSListing(system).lines == image.truth())
  }

  @Test func `free space has two trees`() throws {
    let image = try XFSImage(.v5)
    let free = try image.open().freeRanges()
    try image.damage(at: 4096 + 100)
    #expect(try image.open().freeRanges() == free)
    try image.damage(at: 8192 + 100)
    let system = try image.open()
    #expect(throws: FileSystemError.self) { try system.freeRanges() }
  }

  @Test func `a lost part of a file cannot be read, and is no zeroes`() throws {
    let image = try XFSImage(.v5)
    let pieces = try Self.file(image.open(), "pieces")
    let map = try image.open().map(of: pieces)
    try image.damage(at: #require(map.structures.first).lowerBound + 80)
    let system = try image.open()
    let content = try system.content(of: pieces)
    #expect(content.knownUnreadable(in: 0..<content.byteCount) == [0..<content.byteCount])
    let buffer = IOBuffer(byteCount: 512)
    #expect(throws: BlockIOError.self) { try content.read(at: 4096, into: buffer, 0..<512) }
    #expect(try system.map(of: pieces).damage.count == 1)
  }

  @Test func `names in a damaged block are given, with the damage`() throws {
    let image = try XFSImage(.v5)
    let names = try XFSFileSystemTests.entries(image.open(), "block").filter { !$0.isDeleted }
    let block = try Self.file(image.open(), "block")
    let place = try #require(image.open().map(of: block).extents.first?.sourceRange)
    // The bestfree table, which nothing here needs.
    try image.damage(at: place.lowerBound + 50)
    let system = try image.open()
    var found: [DirectoryEntry] = []
    let damage = try system.forEachEntry(of: block) {
      if !$0.isDeleted { found.append($0) }
      return true
    }
    #expect(damage.count == 1 && damage.first?.bytes == place)
    #expect(found == names)
  }

  @Test func `a cut image gives what is there`() throws {
    let image = try XFSImage(.v5)
    let system = try XFSFileSystem(SliceSource(image.source(), 0..<40 << 20))
    #expect(system.notes.count == 2)
    let listing = try XFSListing(system)
    #expect(!listing.damage.isEmpty && listing.lines.count > 10)
    #expect(try image.truth().isSuperset(of: listing.lines))
  }

  @Test func `unknown features are refused`() throws {
    let image = try XFSImage(.v5)
    var bytes = try image.read(at: 0, 512)
    bytes[218] = 1
    try image.patch(at: 0, Self.sealed(bytes, at: 224))
    #expect(throws: FileSystemError.self) { try image.open() }
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `no bytes lead to a trap or to no end`(version: XFSImage.Version) throws {
    let image = try XFSImage(version)
    var blocks: [(UInt64, Int)] = [(0, 512), (512, 512), (1024, 512)]
    let blockByteCount = version == .v5 ? 4096 : 1024
    for block in [1, 2, 3, 4] { blocks.append((UInt64(block * blockByteCount), blockByteCount)) }
    let system = try image.open()
    let inodeByteCount: UInt64 = version == .v5 ? 512 : 256
    _ = try system.forEachInode(isDeletedIncluded: false) { inode throws(FileSystemError) in
      if inode.id.number < 1 << 16 {
        blocks.append((inode.id.number * inodeByteCount, Int(inodeByteCount)))
      }
      for place in try system.map(of: inode).structures { blocks.append((place.lowerBound, 1024)) }
      return true
    }
    var state: UInt64 = 1
    func random(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(count))
    }
    for _ in 0..<25 {
      let (place, count) = blocks[random(blocks.count)]
      let old = try image.read(at: place, count)
      var bytes = old
      let values: [UInt8] = [0, 1, 0x80, 0xff]
      for _ in 0..<4 { bytes[random(count)] = values[random(4)] }
      if version == .v5, let sum = Self.checksumOffset(bytes) {
        bytes = Self.sealed(bytes, at: sum)
      }
      try image.patch(at: place, bytes)
      try? Self.exercise(image.open())
      try image.patch(at: place, old)
    }
    #expect(try XFSListing(image.open()).lines == image.truth())
  }

  private static func exercise(_ system: XFSFileSystem) throws {
    var directories: [Inode] = []
    _ = try system.forEachInode(isDeletedIncluded: true) { inode in
      if inode.kind == .directory { directories.append(inode) }
      _ = try? system.map(of: inode)
      _ = try? system.attributes(of: inode)
      _ = try? system.target(ofLink: inode)
      return true
    }
    for directory in directories { _ = try? system.forEachEntry(of: directory) { _ in true } }
    _ = try? system.freeRanges()
  }

  private static func checksumOffset(_ bytes: [UInt8]) -> Int? {
    switch bytes.prefix(2) {
    case [0x49, 0x4e]: 100
    case [0x58, 0x46]: 224
    case [0x58, 0x41]: bytes[3] == 0x46 ? 216 : 312
    case [0x41, 0x42], [0x49, 0x41]: 52
    case [0x42, 0x4d]: 64
    default: nil
    }
  }

  /// With a checksum that is right.
  private static func sealed(_ bytes: [UInt8], at byteOffset: Int) -> [UInt8] {
    var sealed = bytes
    for index in 0..<4 { sealed[byteOffset + index] = 0 }
    var checksum = CRC32C()
    checksum.add(sealed.span)
    for index in 0..<4 {
      let rest: UInt32 = checksum.inverted >> UInt32(8 * index)
      sealed[byteOffset + index] = UInt8(truncatingIfNeeded: rest)
    }
    return sealed
  }
}
