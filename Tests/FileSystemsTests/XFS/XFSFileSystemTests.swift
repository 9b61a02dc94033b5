import BlockIO
import FileSystems
import Testing

/// XFS as Linux wrote it: everything that a mount shows, and what is left of what it does not.
struct XFSFileSystemTests {
  @Test(arguments: XFSImage.Version.allCases)
  func `everything is as the kernel shows it`(version: XFSImage.Version) throws {
    let image = try XFSImage(version)
    let system = try image.open()
    let listing = try XFSListing(system)
    #expect(listing.damage == [])
    #expect(listing.lines.symmetricDifference(try image.truth()) == [])
    #expect(system.notes == [])
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `only a file that was cloned, and its clone, may share extents`(
    version: XFSImage.Version
  ) throws {
    let system = try XFSImage(version).open()
    let shared = try Self.entries(system, nil).filter {
      try !$0.isDeleted && system.sharing(of: system.inode($0.id)) == .present
    }
    #expect(
      Set(shared.map { String(decoding: $0.name, as: UTF8.self) })
        == (version == .v5 ? ["clone", "pieces"] : []))
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `every inode is listed`(version: XFSImage.Version) throws {
    let system = try XFSImage(version).open()
    var found: [Inode] = []
    let damage = try system.forEachInode(isDeletedIncluded: false) {
      found.append($0)
      return true
    }
    #expect(damage == [])
    #expect(found.map(\.id) == found.map(\.id).sorted())
    // The bitmap and the summary of a real-time device have no names.
    let named = try XFSListing(system).inodes
    #expect(Set(found.map(\.id)).subtracting(named).count == 2)
    #expect(named.isSubset(of: found.map(\.id)))
    #expect(found.allSatisfy { (try? system.inode($0.id)) == $0 })
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `a deleted file still has what its inode has`(version: XFSImage.Version) throws {
    let system = try XFSImage(version).open()
    var found: [Inode] = []
    _ = try system.forEachInode(isDeletedIncluded: true) {
      if !$0.isAllocated { found.append($0) }
      return true
    }
    #expect(found.count == 41)
    let file = try #require(found.first { $0.byteCount > 0 })
    let content = try system.content(of: file)
    let text = Array("deleted, and still there\n".utf8)
    let buffer = IOBuffer(byteCount: text.count * 400)
    try content.read(at: 0, into: buffer, 0..<buffer.byteCount)
    let whole = Array(repeatElement(text, count: 400).joined())
    #expect(buffer.bytes(0..<buffer.byteCount) == whole)
    #expect(file.kind == .unknown && file.deleted == file.changed)
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `a deleted name is still in its directory`(version: XFSImage.Version) throws {
    let system = try XFSImage(version).open()
    let block = try Self.entries(system, "block")
    let deleted = block.filter(\.isDeleted).map { String(decoding: $0.name, as: UTF8.self) }
    #expect(
      deleted == stride(from: 10, to: 40, by: 3).map { "the name of a file number \($0)" })
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `free space is nobody's`(version: XFSImage.Version) throws {
    let system = try XFSImage(version).open()
    let free = try system.freeRanges()
    #expect(free.count > 3)
    _ = try system.forEachInode(isDeletedIncluded: false) { inode throws(FileSystemError) in
      let map = try system.map(of: inode)
      let places = map.extents.compactMap(\.sourceRange) + map.structures
      #expect(!places.contains { place in free.contains { $0.overlaps(place) } })
      return true
    }
    #expect(free.allSatisfy { system.structure(at: $0.lowerBound) == nil })
    #expect(system.structure(at: 0) == "superblock of group 0")
  }

  @Test func `holes are told, and read as zeroes`() throws {
    let system = try XFSImage(.v5).open()
    let entry = try #require(
      Self.entries(system, nil).first { $0.name == Array("sparse".utf8) })
    let content = try system.content(of: system.inode(entry.id))
    #expect(try content.nextData(from: 0) == 98304..<102_400)
    #expect(try content.nextData(from: 102_400) == nil)
    let buffer = IOBuffer(byteCount: 4096)
    try content.read(at: 98000, into: buffer, 0..<4096)
    let text = buffer.bytes(2000..<2006)
    #expect(text == Array("middle".utf8))
    let rest = buffer.bytes(0..<2000) + buffer.bytes(2006..<4096)
    #expect(rest.allSatisfy { $0 == 0 })
    try content.read(at: (1 << 40) - 4096, into: buffer, 0..<4096)
    #expect(throws: BlockIOError.self) {
      try content.read(at: (1 << 40) - 1, into: buffer, 0..<2)
    }
  }

  @Test func `what is no file has no content`() throws {
    let system = try XFSImage(.v5).open()
    let root = try system.inode(system.root)
    #expect(throws: FileSystemError.self) { try system.content(of: root) }
    #expect(throws: FileSystemError.self) { try system.target(ofLink: root) }
    #expect(throws: FileSystemError.self) { try system.inode(FileID(.max)) }
    #expect(throws: FileSystemError.self) { try system.inode(FileID(1)) }
    #expect(throws: FileSystemError.notFound("memory")) {
      try XFSFileSystem(MemorySource([UInt8](repeating: 0, count: 1 << 20)))
    }
  }

  /// The entries of a directory in the root, or of the root.
  static func entries(
    _ system: XFSFileSystem, _ name: String?
  ) throws -> [DirectoryEntry] {
    var directory = try system.inode(system.root)
    if let name {
      let all = try entries(system, nil)
      directory = try system.inode(#require(all.first { $0.name == Array(name.utf8) }).id)
    }
    var found: [DirectoryEntry] = []
    _ = try system.forEachEntry(of: directory) {
      found.append($0)
      return true
    }
    return found
  }
}
