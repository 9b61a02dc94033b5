import BlockIO
import FileSystemFormat
import FileSystems
import Testing

/// What Linux and mkfs.btrfs made is read as they say.
struct BtrfsFileSystemTests {
  private static func file(_ system: BtrfsFileSystem, _ name: String) throws -> Inode {
    var found: FileID?
    _ = try system.forEachEntry(of: system.inode(system.root)) {
      if $0.name == Array(name.utf8) { found = $0.id }
      return true
    }
    return try system.inode(#require(found))
  }

  @Test func `files are what Linux says`() throws {
    let image = try BtrfsImage()
    #expect(try BtrfsListing(image.open()).lines == image.truth())
  }

  @Test func `every inode has a map`() throws {
    let image = try BtrfsImage()
    let system = try image.open()
    var ids: [FileID] = []
    var maps: [FileMap] = []
    let damage = try system.forEachInode(isDeletedIncluded: false) {
      inode throws(FileSystemError) in
      ids.append(inode.id)
      maps.append(try system.map(of: inode))
      return true
    }
    #expect(ids == ids.sorted())
    #expect(Set(ids).count == ids.count)
    #expect(maps.allSatisfy { $0.damage == [] && !$0.structures.isEmpty })
    let methods = Set(
      maps.flatMap(\.extents).compactMap { extent -> String? in
        if case .compressed(_, let method) = extent.place { method } else { nil }
      })
    #expect(damage == [])
    #expect(methods == ["zlib", "lzo", "zstd"])
  }

  @Test func `free space holds no file and no node`() throws {
    let system = try BtrfsImage().open()
    let free = try system.freeRanges()
    var used: [Range<UInt64>] = []
    _ = try system.forEachInode(isDeletedIncluded: false) {
      inode throws(FileSystemError) in
      let map = try system.map(of: inode)
      used += map.structures + map.copies + map.extents.compactMap(\.sourceRange)
      return true
    }
    let shared = used.filter { range in free.contains { $0.overlaps(range) } }
    #expect(shared == [])
    #expect(free.count > 1)
    #expect(system.structure(at: 65536) == "superblock")
  }

  @Test func `names of inodes are those of directories`() throws {
    let system = try BtrfsImage().open()
    let many = try system.names(of: Self.file(system, "many"))
    #expect(many.count == 61)
  }

  @Test(arguments: ["crc32c", "xxhash", "sha256"])
  func `a data block without a good copy is unreadable`(checksum: String) throws {
    let bytes = (0..<20000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }
    let image = try BtrfsImage(options: ["--csum", checksum], file: bytes)
    let system = try image.open()
    let inode = try Self.file(system, "file")
    #expect(try BtrfsListing.bytes(system, inode) == bytes)
    let extent = try #require(try system.map(of: inode).extents.first)
    let start = try #require(extent.sourceRange).lowerBound
    try image.damage(at: start + 5000)
    let content = try image.open().content(of: inode)
    let buffer = IOBuffer(byteCount: bytes.count)
    let lost = try content.readAround(at: 0, into: buffer, 0..<bytes.count)
    #expect(lost == [4096..<8192])
    #expect(content.knownUnreadable(in: 0..<20000) == [4096..<8192])
    #expect(buffer.bytes(8192..<bytes.count) == Array(bytes[8192...]))
  }

  @Test func `a node has two copies`() throws {
    let bytes = [UInt8](repeating: 7, count: 100)
    let image = try BtrfsImage(options: ["-m", "dup"], file: bytes)
    let inode = try Self.file(image.open(), "file")
    let places = try image.open().map(of: inode).structures
    #expect(places.count == 2)
    try image.damage(at: places[0].lowerBound)
    #expect(try BtrfsListing.bytes(image.open(), inode) == bytes)
    try image.damage(at: places[1].lowerBound)
    let system = try image.open()
    #expect(throws: FileSystemError.self) { try system.inode(inode.id) }
    let damage = try system.forEachInode(isDeletedIncluded: false) { _ in true }
    #expect(damage.count == 1)
  }

  @Test func `a lost superblock has a copy`() throws {
    let bytes: [UInt8] = [1, 2, 3]
    let image = try BtrfsImage(options: [], file: bytes)
    try image.damage(at: 65536 + 100)
    let system = try image.open()
    #expect(system.notes.count == 1)
    #expect(try BtrfsListing.bytes(system, Self.file(system, "file")) == bytes)
    try image.damage(at: 64 << 20)
    #expect(throws: FileSystemError.self) { try image.open() }
  }

  @Test func `checksums tell what of a range is as it was written`() throws {
    let file = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let image = try BtrfsImage(options: ["-d", "single", "-m", "single"], file: file)
    let map = try image.open().map(of: Self.file(image.open(), "file"))
    let place = try #require(map.extents.first?.sourceRange)
    let item = try #require(map.structures.first)
    let asked = [item, place].union
    let (right, wrong) = try image.open().verified(asked)
    #expect(right == asked && wrong == [])
    try image.damage(at: place.lowerBound + 5000)
    let bad = place.lowerBound + 4096..<place.lowerBound + 8192
    let found = try image.open().verified(asked)
    #expect(found.wrong == [bad] && found.right == asked.without([bad]))
    // Where no data was ever written, nothing tells.
    let end = (place.upperBound + 4095) / 4096 * 4096
    let free = end..<end + 65536
    #expect(try image.open().freeRanges().contains { $0.clamped(to: free) == free })
    let nothing = try image.open().verified([free])
    #expect(nothing.right == [] && nothing.wrong == [])
  }
}
