import BlockIO
import FileSystemFormat
import Foundation
import SnapshotFormat
import TestSupport
import Testing

@testable import SnapshotKit

/// An ext4 of mke2fs as the origin, what a live system would have made of it, and a store with the
/// difference in the order in which Linux writes: a journal of two transactions, and what they
/// change.
struct Ext4Overlay {
  private static let size = 4096

  private(set) var origin: [UInt8]
  /// What the snapshot shows.
  private(set) var snapshot: [UInt8]
  /// The chunks of the origin, in the order of the store; the first is at chunk 2.
  private(set) var olds: [UInt64] = []
  /// The chunks of the store.
  private(set) var contents: [[UInt8]] = []

  /// The journal's first block, and the first two blocks of the inode table.
  let journal: UInt64
  let table: UInt64
  /// How many blocks of the inode table a transaction changes at most.
  static let newest: UInt32 = 6

  private let superblock: Ext4Superblock
  private let layout: Ext4JournalLayout

  init() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("image")
    try FileManager.default.createDirectory(
      atPath: directory.path("files"), withIntermediateDirectories: true)
    for number in 0..<40 { try directory.write([1, 2, 3], to: "files/\(number)") }
    try #require(ToolRunner(named: "mke2fs")).succeed([
      "-q", "-F", "-t", "ext4", "-O", "metadata_csum,64bit", "-b", "4096", "-I", "256",
      "-N", "256", "-J", "size=4", "-d", directory.path("files"), path, "16M",
    ])
    var bytes = try Array(Data(contentsOf: URL(filePath: path)))
    let found = Ext4Superblock(decoding: bytes.span.extracting(1024..<2048))
    let map = try #require(found).journalMap
    superblock = try #require(found)
    let header = Ext4ExtentHeader(decoding: map.span)
    journal = try #require(header).extent(0, of: map.span).physical
    table =
      Ext4GroupDescriptor(decoding: bytes.span.extracting(4096..<4096 + 64)).inodeTable
    // mke2fs leaves the checksums of the journal's blocks to the first mount.
    let journalSuperblock = Self.superblock(
      Array(bytes[Int(journal) * Self.size..<Int(journal + 1) * Self.size]), sequence: 5)
    let decoded = Ext4JournalSuperblock(decoding: journalSuperblock.span)
    layout = try #require(decoded).layout
    bytes.put(journalSuperblock, at: Int(journal) * Self.size)
    (origin, snapshot) = (bytes, bytes)
    write()
  }

  /// Writes what a live system would have.
  private mutating func write() {
    put(Self.superblock(block(journal), sequence: Self.newest + 2), in: journal)
    let (first, second) = (changed(table, by: 1), changed(table + 1, by: 1))
    let last = changed(table, by: 2)
    commit(5, [(table, first), (table + 1, second)], at: 1)
    put(second, in: table + 1)
    commit(6, [(table, last)], at: 5)
    put(last, in: table)
    var superblock = block(0)
    superblock.put([9, 9, 9], at: 1024 + 0x17a)  // KiB written
    superblock.put([0xff], at: 1024 + 0x33)  // the time of that
    var checksum = CRC32C()
    checksum.add(superblock.span.extracting(1024..<1024 + 0x3fc))
    superblock.put(checksum.register.littleEndianBytes, at: 1024 + 0x3fc)
    put(superblock, in: 0)
  }

  private func block(_ number: UInt64) -> [UInt8] {
    Array(snapshot[Int(number) * Self.size..<Int(number + 1) * Self.size])
  }

  /// A block of the snapshot, copied to the store.
  private mutating func put(_ content: [UInt8], in number: UInt64) {
    snapshot.put(content, at: Int(number) * Self.size)
    olds.append(number)
    contents.append(content)
  }

  /// A block of the inode table whose inodes have other times, with right checksums.
  private func changed(_ number: UInt64, by amount: UInt8) -> [UInt8] {
    var block = block(number)
    for slot in 0..<16 {
      let place = slot * 256
      if Ext4Inode.isUnused(block.span.extracting(place..<place + 256)) { continue }
      block[place + 0x0c] &+= amount
      block.put([0, 0], at: place + 0x7c)
      block.put([0, 0], at: place + 0x82)
      var checksum = CRC32C(register: superblock.seed)
      checksum.add(UInt32((number - table) * 16) + UInt32(slot) + 1)
      checksum.add(block.span.extracting(place + 0x64..<place + 0x68))
      checksum.add(block.span.extracting(place..<place + 256))
      let sum = checksum.register.littleEndianBytes
      block.put(sum[..<2], at: place + 0x7c)
      block.put(sum[2...], at: place + 0x82)
    }
    return block
  }

  /// A snapshot of the volume as it was left, and that volume as the origin, in which another
  /// transaction was written over the first of the journal; the store has what that overwrote.
  ///
  /// - Parameter isUnlogged: Whether the second block of the inode table is newer in the snapshot
  ///   than in all that is left of its journal.
  func writtenOn(isUnlogged: Bool = false) -> Ext4Overlay {
    var before = self
    let superblock = before.superblock(writtenAt: 0)
    before.put(superblock, in: 0)
    if isUnlogged { before.put(changed(table + 1, by: 1), in: table + 1) }
    var after = before
    (after.olds, after.contents) = ([], [])
    after.put(superblock, in: 0)
    after.put(Self.superblock(block(journal), sequence: Self.newest + 4), in: journal)
    let (first, second) = (changed(table, by: 1), changed(table + 1, by: 3))
    after.commit(Self.newest + 2, [(table, first), (table + 1, second)], at: 1)
    after.put(first, in: table)
    after.put(second, in: table + 1)
    before.origin = after.snapshot
    before.olds = after.olds
    before.contents = after.olds.map { before.block($0) }
    return before
  }

  /// The superblock's block with that time of writing, in the upper eight bits.
  private func superblock(writtenAt time: UInt8) -> [UInt8] {
    var superblock = block(0)
    superblock.put([0, 0, 0, time], at: 1024 + 0x30)
    var checksum = CRC32C()
    checksum.add(superblock.span.extracting(1024..<1024 + 0x3fc))
    superblock.put(checksum.register.littleEndianBytes, at: 1024 + 0x3fc)
    return superblock
  }

  /// Puts a chunk before all others of the store that has the checksum of a block of the snapshot,
  /// and not its content.
  mutating func addCollision(with number: UInt64) {
    var content = block(number)
    var whole = CRC32C(register: 0)
    whole.add(content.span)
    content[0] ^= 0xff
    var rest = CRC32C(register: 0)
    rest.add(content.span.extracting(0..<Self.size - 4))
    let end = CRC32C.integer(from: rest.register, to: whole.register)
    content.put(end.littleEndianBytes, at: Self.size - 4)
    olds.insert(.max, at: 0)
    contents.insert(content, at: 0)
  }

  /// Writes a transaction into the journal.
  private mutating func commit(
    _ sequence: UInt32, _ blocks: [(home: UInt64, content: [UInt8])], at position: UInt64
  ) {
    var descriptor = Self.control(1, sequence)
    var place = 12
    for (index, (home, content)) in blocks.enumerated() {
      var checksum = CRC32C(register: layout.register(sequence: sequence))
      checksum.add(content.span)
      let flags: UInt32 = (index > 0 ? 2 : 0) | (index + 1 == blocks.count ? 8 : 0)
      for value in [UInt32(home), flags, 0, checksum.register] {
        descriptor.put(value.littleEndianBytes.reversed(), at: place)
        place += 4
      }
      if index == 0 { place += 16 }
    }
    var checksum = CRC32C(register: layout.seed)
    checksum.add(descriptor.span)
    descriptor.put(checksum.register.littleEndianBytes.reversed(), at: Self.size - 4)
    put(descriptor, in: journal + position)
    for (index, (_, content)) in blocks.enumerated() {
      put(content, in: journal + position + 1 + UInt64(index))
    }
    var end = Self.control(2, sequence)
    checksum = CRC32C(register: layout.seed)
    checksum.add(end.span)
    end.put(checksum.register.littleEndianBytes.reversed(), at: 16)
    put(end, in: journal + position + 1 + UInt64(blocks.count))
  }

  private static func control(_ kind: UInt8, _ sequence: UInt32) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: size)
    block.put([0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, kind], at: 0)
    block.put(sequence.littleEndianBytes.reversed(), at: 8)
    return block
  }

  /// A journal's superblock with checksums of version 3, and all of its log written home.
  private static func superblock(_ block: [UInt8], sequence: UInt32) -> [UInt8] {
    var block = block
    block.put(sequence.littleEndianBytes.reversed(), at: 0x18)
    block.put([0, 0, 0, 0], at: 0x1c)
    block.put([0, 0, 0, 0x12], at: 0x28)
    block[0x50] = 4
    block.put([0, 0, 0, 0], at: 0xfc)
    var checksum = CRC32C()
    checksum.add(block.span.extracting(0..<1024))
    block.put(checksum.register.littleEndianBytes.reversed(), at: 0xfc)
    return block
  }

  // MARK: - Placing

  /// A plan for the store of which only some exceptions survive.
  ///
  /// - Parameters:
  ///   - surviving: Which chunks of the origin are still in the table.
  ///   - wiped: Which chunks of the origin have zeroes for their data.
  ///   - unreadable: Which have data that cannot be read.
  ///   - reason: Why the others have no name.
  ///   - endLost: Which of them come after the last exception that survives.
  func plan(
    surviving: Set<UInt64>, wiped: Set<UInt64> = [], unreadable: Set<UInt64> = [],
    reason: Orphan.Reason = .exceptionLost, endLost: Set<UInt64> = []
  ) throws -> PlacementPlan {
    let scene = try scene(
      surviving: surviving, wiped: wiped, unreadable: unreadable, reason: reason, endLost: endLost)
    let search = try #require(try Ext4Search(scene.view))
    return try PlacementPlan(
      scene.store, scene.geometry, scene.runs, scene.orphans, of: scene.origin, [search])
  }

  /// What a search sees of that store at first.
  func scene(
    surviving: Set<UInt64>, wiped: Set<UInt64> = [], unreadable: Set<UInt64> = [],
    reason: Orphan.Reason = .exceptionLost, endLost: Set<UInt64> = []
  ) throws -> PlacementScene {
    var store = [UInt8](repeating: 0, count: 2 * Self.size)
    var runs: [ExceptionRun] = []
    var orphans: [Orphan] = []
    for (index, (old, content)) in zip(olds, contents).enumerated() {
      store += wiped.contains(old) ? [UInt8](repeating: 0, count: Self.size) : content
      let new = UInt64(index) + 2
      if surviving.contains(old) {
        runs.append(ExceptionRun(old: old, new: new, count: 1))
      } else {
        orphans.append(
          Orphan(
            new: new, count: 1, old: nil, reason: endLost.contains(old) ? .endLost : reason))
      }
    }
    let size = UInt64(Self.size)
    let bad = zip(olds, 2...).filter { unreadable.contains($0.0) }
    let source = FaultySource(
      store, unreadable: bad.map { UInt64($0.1) * size..<UInt64($0.1 + 1) * size })
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: 8), byteCount: source.byteCount)
    let base = FaultySource(origin)
    let view = SnapshotView(
      of: base, through: ExceptionTable(salvaged: runs, geometry), of: source)
    let originChunkCount = geometry.chunkCount(ofOrigin: base.byteCount)
    return PlacementScene(
      store: source, origin: base, geometry: geometry, originChunkCount: originChunkCount,
      runs: runs, orphans: orphans, unlistedCount: 0, view: view,
      proven: PlacementLedger(orphans, runs, originChunkCount: originChunkCount).proven)
  }

  /// Whether each placement is right: the orphan is what the snapshot shows there.
  func isRight(_ plan: PlacementPlan) -> Bool {
    plan.placements.allSatisfy { placement in
      (0..<placement.count).allSatisfy {
        contents[Int(placement.new + $0) - 2] == block(placement.old + $0)
      }
    }
  }

  /// The chunks of the origin that a plan places.
  func placed(_ plan: PlacementPlan, _ level: PlacementLevel = .likely) -> Set<UInt64> {
    Set(plan.placements(level).flatMap { $0.old..<$0.old + $0.count })
  }
}

extension [UInt8] {
  fileprivate mutating func put(_ bytes: some Collection<UInt8>, at byteOffset: Int) {
    replaceSubrange(byteOffset..<byteOffset + bytes.count, with: bytes)
  }
}
