import BlockIO
import FileSystemFormat
import FileSystems
import Testing

/// A log that Linux left is replayed as Linux does, whatever is in it.
struct XFSReplayTests {
  @Test(arguments: XFSImage.Version.allCases)
  func `after a crash everything is as after a mount`(version: XFSImage.Version) throws {
    let image = try XFSImage(version, isDirty: true)
    let system = try image.open()
    let listing = try XFSListing(system)
    #expect(listing.damage == [])
    #expect(listing.lines.symmetricDifference(try image.truth()) == [])
    let counts = version == .v5 ? "305 transactions, 391" : "304 transactions, 223"
    #expect(system.notes == ["the log was replayed, in memory: \(counts) sectors"])
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `inodes and free space are as after a mount`(version: XFSImage.Version) throws {
    let system = try XFSImage(version, isDirty: true).open()
    var found: [FileID: Inode] = [:]
    let damage = try system.forEachInode(isDeletedIncluded: false) { inode in
      found[inode.id] = inode
      return true
    }
    #expect(damage == [])
    let named = try XFSListing(system).inodes
    #expect(named.isSubset(of: found.keys))
    // The bitmap and the summary of a real-time device, and a file that was open have no names.
    #expect(found.count == named.count + 3)
    let free = try system.freeRanges()
    for inode in found.values {
      #expect(try system.inode(inode.id) == inode)
      let map = try system.map(of: inode)
      let places = map.extents.compactMap(\.sourceRange) + map.structures
      #expect(
        map.damage == [] && !places.contains { place in free.contains { $0.overlaps(place) } })
    }
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `the disk is shown as it is where that is wanted`(version: XFSImage.Version) throws {
    let image = try XFSImage(version, isDirty: true)
    let system = try image.open(isLogReplayed: false)
    #expect(system.notes == ["the log was not replayed: recent changes may be missing"])
    let listing = try XFSListing(system)
    #expect(listing.lines != (try image.truth()))
    #expect(!listing.lines.contains { $0.hasPrefix("/a/b/c/d/last") })
    let clean = try XFSImage(version).open(isLogReplayed: false)
    #expect(clean.notes == [])
  }

  /// The record that goes around the end of the log, or that ends with it: -1 for all of them.
  @Test(arguments: XFSImage.Version.allCases, [0, 1, 7, 100, 250, -1])
  func `a log goes around its end`(version: XFSImage.Version, index: Int) throws {
    let image = try XFSImage(version, isDirty: true)
    for split in [1, 2, 9] {
      let log = try XFSTurnedLog(image) { records, count in
        guard index >= 0 else { return count - records.reduce(0) { $0 + $1.count } + (split - 1) }
        let record = records[index]
        return count - record.sector - min(split, record.count)
      }
      let turned = try XFSImage(version, isDirty: true)
      try turned.patch(at: log.range.lowerBound, log.bytes)
      let system = try turned.open()
      #expect(system.notes.count == 1)
      #expect(try XFSListing(system).lines == image.truth())
    }
  }

  @Test(arguments: XFSImage.Version.allCases, [1, 3, 8])
  func `what did not arrive is not replayed`(version: XFSImage.Version, count: Int) throws {
    let image = try XFSImage(version, isDirty: true)
    var log = try XFSTurnedLog(image) { records, count in count - records[200].sector - 1 }
    let torn = log.records[log.records.count - count]
    let size = log.bytes.count / 512
    // The last sector of a record is still of the round before.
    let last = (torn.sector + torn.count - 1) % size * 512
    let round: UInt32 = log.bytes.span.big(at: last)
    log.put(round - 1, at: last)
    try image.patch(at: log.range.lowerBound, log.bytes)
    let hole = try image.open()
    let lines = try XFSListing(hole).lines
    // Or something else is wrong with it.
    log.put(round, at: last)
    log.put(0x5555_5555, at: last + 8)
    try image.patch(at: log.range.lowerBound, log.bytes)
    let damaged = try image.open()
    #expect(try XFSListing(damaged).lines == lines)
    #expect(
      damaged.notes == [
        "the last records of the log are incomplete, and were not replayed"
      ] + hole.notes)
    #expect(hole.notes.count == 1)
    #expect(lines != (try image.truth()))
    #expect(lines.count > 200)
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `what is replayed ends at damage, and it is said`(version: XFSImage.Version) throws {
    let image = try XFSImage(version, isDirty: true)
    let log = try XFSTurnedLog(image) { _, _ in 0 }
    let record = log.records[150]
    try image.damage(at: log.range.lowerBound + UInt64(record.sector + 1) * 512 + 20)
    let system = try image.open()
    #expect(
      system.notes.first
        == "the log is damaged, a damaged record at its sector \(record.sector): the rest was"
        + " not replayed, and recent changes may be missing")
    let lines = try XFSListing(system).lines
    #expect(lines.count > 150)
    #expect(lines != (try image.truth()))
  }

  @Test func `a log on another device is not replayed`() throws {
    let image = try XFSImage(.v5, isDirty: true)
    var superblock = try image.read(at: 0, 512)
    superblock.put(big: UInt64(0), at: 48)
    XFSChecksum.seal(&superblock, at: 224)
    try image.patch(at: 0, superblock)
    #expect(
      try image.open().notes == [
        "the log is on another device, and was not replayed: recent changes may be missing"
      ])
  }

  @Test func `a log with unknown features is not replayed`() throws {
    let image = try XFSImage(.v5, isDirty: true)
    var superblock = try image.read(at: 0, 512)
    superblock[223] = 2
    XFSChecksum.seal(&superblock, at: 224)
    try image.patch(at: 0, superblock)
    #expect(
      try image.open().notes == [
        "the log has unknown features, and was not replayed: recent changes may be missing"
      ])
  }

  @Test(arguments: XFSImage.Version.allCases)
  func `no log leads to a trap or to no end`(version: XFSImage.Version) throws {
    let image = try XFSImage(version, isDirty: true)
    let log = try XFSTurnedLog(image) { _, _ in 0 }
    var state: UInt64 = 3
    func random(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(count))
    }
    for _ in 0..<25 {
      let record = log.records[random(log.records.count)]
      let place = log.range.lowerBound + UInt64(record.sector) * 512
      let old = Array(log.bytes[record.sector * 512..<(record.sector + record.count) * 512])
      var bytes = old
      let values: [UInt8] = [0, 1, 0x80, 0xff]
      for _ in 0..<6 { bytes[random(min(bytes.count, 1500))] = values[random(4)] }
      log.seal(&bytes, like: old)
      try image.patch(at: place, bytes)
      if let system = try? image.open() { _ = try? XFSListing(system) }
      try image.patch(at: place, old)
    }
  }
}

extension XFSTurnedLog {
  fileprivate mutating func put(_ value: UInt32, at byteOffset: Int) {
    bytes.put(big: value, at: byteOffset)
  }

  /// Makes the checksum of a damaged record right.
  fileprivate func seal(_ bytes: inout [UInt8], like old: [UInt8]) {
    if let record = XFSLogRecord(old.span, of: geometry) { Self.seal(&bytes, record) }
  }
}
