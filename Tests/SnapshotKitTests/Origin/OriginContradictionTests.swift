import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// An origin that names itself another's is noticed, and where nothing speaks, nothing is said.
@Suite struct OriginContradictionTests {
  private static let byteCount = 16 << 20
  private static let uuids = [
    "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb",
  ]
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// An ext4 with that UUID, its free blocks filled with stamps.
  private func ext4(_ index: Int) throws -> [UInt8] {
    let path = try directory.write(sparse: UInt64(Self.byteCount), [], to: "ext4-\(index)")
    try #require(ToolRunner(named: "mkfs.ext4")).succeed(
      ["-q", "-b", "4096", "-U", Self.uuids[index], path])
    var bytes = try Files.bytes(path)
    let free = 8 << 20..<12 << 20
    bytes.replaceSubrange(
      free, with: Stamp.sectors(free.lowerBound / 512..<free.upperBound / 512, by: "fs \(index)"))
    return bytes
  }

  /// A store whose chunks of 4 KiB for those of `content` hold that.
  private func store(_ olds: [Int], of content: [UInt8]?, chunkSectors: Int = 8) -> [UInt8] {
    let builder = StoreBuilder(chunkSectors: chunkSectors).copying(olds)
    var bytes = builder.image()
    guard let content else { return bytes }
    let size = chunkSectors * 512
    for exception in builder.exceptions {
      let start = Int(exception.old) * size
      bytes.put(Array(content[start..<start + size]), at: Int(exception.new) * size)
    }
    return bytes
  }

  private func contradiction(_ store: [UInt8], _ origin: [UInt8]) throws -> OriginContradiction? {
    try contradiction(store, FaultySource(origin))
  }

  private func contradiction(
    _ store: [UInt8], _ origin: any BlockSource
  ) throws -> OriginContradiction? {
    try OriginCheck(SnapshotView(store, over: origin), hasInFlightChunks: false).contradiction
  }

  @Test func `a superblock in the store that is another file system's`() throws {
    let (left, right) = (try ext4(0), try ext4(1))
    let found = try contradiction(store([0, 2200], of: left), right)
    guard case .otherContent(let snapshot, let origin) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
    #expect(snapshot.uuid == Self.uuids[0] && origin.uuid == Self.uuids[1])
    #expect("\(try #require(found))".contains("ext4 with UUID \(Self.uuids[1])"))
    #expect(try contradiction(store([0, 2200], of: left), left) == nil)
  }

  /// Blocks in the middle of the file system's free ones, one by one, as runs, and as one run.
  private static let places: [[Int]] = [
    (0..<64).map { 2100 + $0 * 10 }, (0..<90).map { 2100 + $0 / 9 * 40 + $0 % 9 },
    Array(2100..<2900),
  ]

  @Test(arguments: places)
  func `data that has nothing to do with the file system's`(olds: [Int]) throws {
    let right = try ext4(1)
    let found = try contradiction(store(olds, of: nil), right)
    guard case .noRelation(let count) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
    #expect((64...2048).contains(count))
    // The right one has sectors in common, and one is enough.
    #expect(try contradiction(store(olds, of: right), right) == nil)
    var related = store(olds, of: nil)
    let place = olds[0] * 4096
    related.put(Array(right[place..<place + 512]), at: 2 * 4096)
    #expect(try contradiction(related, right) == nil)
  }

  @Test func `few chunks, or chunks of which either is uniform, say nothing`() throws {
    let right = try ext4(1)
    #expect(try contradiction(store((0..<63).map { 2100 + $0 * 10 }, of: nil), right) == nil)
    var empty = right
    empty.replaceSubrange(
      8 << 20..<12 << 20, with: [UInt8](repeating: 0xff, count: 4 << 20))
    #expect(try contradiction(store(Array(2100..<2900), of: nil), empty) == nil)
    #expect(try contradiction(store(Array(2100..<2900), of: empty), right) == nil)
  }

  @Test func `an origin in which nothing is recognised`() throws {
    let raw = Stamp.origin(byteCount: Self.byteCount, by: "anything")
    #expect(try contradiction(store(Array(2100..<2900), of: nil), raw) == nil)
    #expect(try contradiction(store([0, 2200], of: ext4(0)), raw) == nil)
  }

  @Test(arguments: [1, 64, 2048])
  func `chunks of any size are looked at`(chunkSectors: Int) throws {
    let right = try ext4(1)
    let perChunk = (4 << 20) / (chunkSectors * 512)
    let first = (8 << 20) / (chunkSectors * 512)
    let olds = Array(first..<first + min(perChunk, 300))
    let found = try contradiction(store(olds, of: nil, chunkSectors: chunkSectors), right)
    #expect((found == nil) == (olds.count < 64))
  }

  @Test func `what cannot be read says nothing`() throws {
    let right = try ext4(1)
    let source = FaultySource(right, unreadable: [9 << 20..<11 << 20])
    #expect(try contradiction(store(Array(2350..<2750), of: nil), source) == nil)
  }

  @Test func `the right origin, all of whose copied chunks were rewritten`() throws {
    // The store has its superblock.
    let right = try ext4(1)
    #expect(try contradiction(storeOfRewritten(right, besides: [0]), right) == nil)
    // What is encrypted has no two sectors alike; of it nothing can be expected.
    var encrypted = Stamp.origin(byteCount: Self.byteCount, by: "noise")
    encrypted.put(Array("LUKS".utf8) + [0xba, 0xbe, 0, 1], at: 0)
    encrypted.put(Array(Self.uuids[0].utf8), at: 168)
    #expect(try contradiction(store(Array(2100..<2900), of: nil), encrypted) == nil)
    let raw = Stamp.origin(byteCount: Self.byteCount, by: "raw")
    #expect(try contradiction(store(Array(2100..<2900), of: nil), raw) == nil)
  }

  /// A store with other data for 800 chunks, and copies of some as they are.
  private func storeOfRewritten(_ origin: [UInt8], besides olds: [Int]) -> [UInt8] {
    var bytes = store(olds + Array(2100..<2900), of: nil)
    for (index, old) in olds.enumerated() {
      bytes.put(Array(origin[old * 4096..<(old + 1) * 4096]), at: (2 + index) * 4096)
    }
    return bytes
  }

  @Test func `an origin that is a store, or the very store`() throws {
    let bytes = store([3, 4], of: nil)
    #expect(try contradiction(bytes, bytes) == .store(isSame: false))
    let path = try directory.write(bytes, to: "both")
    let file = try FileSource(path: FilePath(path))
    let table = try LoadedTable(Store(file), reading: .kernel).table
    let view = SnapshotView(
      of: try FileSource(path: FilePath(path)), through: table, of: file)
    #expect(
      try OriginCheck(view, hasInFlightChunks: false).contradiction == .store(isSame: true))
  }

  @Test func `a disk where a partition was the origin, by its superblock and by its data`() throws {
    let part = try ext4(0)
    var disk = [UInt8](repeating: 0, count: 1 << 20) + part
    let sectorCount = UInt32(part.count / 512)
    disk.put([0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0] + sectorCount.littleEndianBytes, at: 446)
    disk.put([0x55, 0xaa], at: 510)
    for olds in [[0, 2200], [2200]] {
      guard case .disk(let found) = try contradiction(store(olds, of: part), disk) else {
        Issue.record("\(olds)")
        continue
      }
      #expect(found.number == 1 && found.content?.uuid == Self.uuids[0])
      #expect(found.path.hasSuffix(",offset=1048576,length=\(part.count)"))
    }
    // The disk's own snapshot has sectors of the disk.
    #expect(try contradiction(store([300, 2456], of: disk), disk) == nil)
    #expect(try contradiction(store([0, 2200], of: part), part) == nil)
  }
}
