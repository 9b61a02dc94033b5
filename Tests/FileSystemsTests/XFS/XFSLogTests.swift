import BlockIO
import FileSystemFormat
import FileSystems
import Testing

/// Logs as mkfs.xfs and xfs_repair leave them, and what a mount finds in those of crashes.
struct XFSLogTests {
  /// One that grew, in groups that are in the log only; and one whose blocks hold 128 inodes.
  @Test(arguments: ["grown", "64k"])
  func `after a crash everything is as after a mount`(kind: String) throws {
    let image = try XFSImage(named: "dirty-\(kind)")
    let system = try image.open()
    let listing = try XFSListing(system)
    #expect(listing.damage == [])
    #expect(listing.lines.symmetricDifference(try image.truth()) == [])
    #expect(system.notes.count == 1 && system.notes[0].hasPrefix("the log was replayed"))
  }

  @Test func `a new file system has nothing to replay`() throws {
    let system = try XFSImage(madeWith: []).open()
    #expect(system.notes == [])
    #expect(try XFSListing(system).lines.count == 1)
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `a log that xfs_repair cleared has nothing to replay`(version: XFSImage.Version) throws {
    let image = try XFSImage(version, isDirty: true)
    try image.clearLog()
    #expect(try image.open().notes == [])
  }

  /// The log is just long enough, and what was written last reached its first records.
  @Test(arguments: XFSImage.Version.allCases, [2, 5, 9])
  func `records that were overwritten are skipped`(version: XFSImage.Version, count: Int) throws {
    let image = try XFSImage(version, isDirty: true)
    try image.shortenLog()
    let log = try XFSTurnedLog(image) { _, _ in 0 }
    // What is replayed if the log begins after them: the last record says where.
    var other = log
    other.begin(atRecord: count)
    try image.patch(at: log.range.lowerBound, other.bytes)
    let expected = try image.open()
    let lines = try XFSListing(expected).lines
    #expect(lines.count > 100)
    // Of the round after, up to within the last of them.
    var overwritten = log
    overwritten.overwrite(upToRecord: count)
    try image.patch(at: log.range.lowerBound, overwritten.bytes)
    let found = try image.open()
    #expect(found.notes == expected.notes)
    #expect(try XFSListing(found).lines == lines)
  }
}

extension XFSImage {
  /// Ends the log soon after its last record.
  fileprivate func shortenLog() throws {
    let log = try XFSTurnedLog(self) { _, _ in 0 }
    let last = try #require(log.records.last)
    var superblock = try read(at: 0, 512)
    let blockByteCount = log.geometry.blockByteCount
    let needed = (last.sector + last.count + 40) * 512
    superblock.put(big: UInt32((needed + blockByteCount - 1) / blockByteCount), at: 96)
    if superblock[101] & 0xf == 5 { XFSChecksum.seal(&superblock, at: 224) }
    try patch(at: 0, superblock)
  }
}
