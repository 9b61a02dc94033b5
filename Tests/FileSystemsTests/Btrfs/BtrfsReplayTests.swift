import BlockIO
import FileSystems
import Testing

/// The log of fsync() is replayed as Linux does.
struct BtrfsReplayTests {
  @Test func `after a crash everything is as after a mount`() throws {
    let image = try BtrfsImage("log")
    let system = try image.open()
    let difference = try BtrfsListing(system).lines.symmetricDifference(image.truth())
    #expect(difference == [])
    #expect(system.notes.count == 1, "\(system.notes)")
    #expect(system.notes[0].hasPrefix("the log of fsync() was replayed, in memory: "))
    #expect(system.damage == [])
  }

  @Test func `the disk is shown as it is where that is wanted`() throws {
    let image = try BtrfsImage("log")
    let system = try image.open(isLogReplayed: false)
    #expect(
      system.notes == ["the log of fsync() was not replayed: recent changes may be missing"])
    let lines = try BtrfsListing(system).lines
    #expect(
      lines.contains { $0.hasPrefix("./gone ") } && !lines.contains { $0.hasPrefix("./n/") })
    #expect(!lines.contains { $0.hasPrefix("./new ") })
  }

  @Test func `every inode has a map, names and no free space`() throws {
    let system = try BtrfsImage("log").open()
    let free = try system.freeRanges()
    var (count, wrong) = (0, [FileID]())
    let damage = try system.forEachInode(isDeletedIncluded: false) {
      inode throws(FileSystemError) in
      let map = try system.map(of: inode)
      let places = map.structures + map.copies + map.extents.compactMap(\.sourceRange)
      if map.damage != []
        || places.contains(where: { place in free.contains { $0.overlaps(place) } })
      {
        wrong.append(inode.id)
      }
      count += 1
      let names = try system.names(of: inode)
      #expect(names.count == Int(inode.linkCount) || names.isEmpty && inode.kind == .directory)
      #expect(try system.inode(inode.id) == inode)
      return true
    }
    #expect(damage == [] && wrong == [])
    // Each file once, the directories at the tops of two subvolumes, and no deleted one.
    let listed = try BtrfsListing(system).lines.filter { !$0.contains("linked") }.count
    #expect(count > listed - 10 && count < listed + 10, "\(count) \(listed)")
  }

  @Test func `data that was written since has checksums`() throws {
    let image = try BtrfsImage("log")
    func file() throws -> (BtrfsFileSystem, Inode) {
      let system = try image.open()
      return (system, try FileTree(system).find("/new").inode)
    }
    let (system, inode) = try file()
    let start = try #require(try system.map(of: inode).extents.first?.sourceRange).lowerBound
    try image.damage(at: start + 5000)
    let (again, other) = try file()
    let buffer = IOBuffer(byteCount: 70000)
    let lost = try again.content(of: other).readAround(at: 0, into: buffer, 0..<70000)
    #expect(lost == [4096..<8192])
  }

  @Test func `a log that is damaged is said`() throws {
    let image = try BtrfsImage("log")
    // Its root is the node that the superblock names.
    let root = try image.logRoot()
    try image.damage(at: root + 200)
    let system = try image.open()
    #expect(system.notes.count == 1 && system.notes[0].hasPrefix("the log of fsync() is damaged"))
    #expect(try BtrfsListing(system).lines.contains { $0.hasPrefix("./gone ") })
  }
}
