import BlockIO
import LVM2
import SnapshotKit
import TestSupport
import Testing

/// What lvm2's metadata says against the store is found where it was made so, and nowhere else.
@Suite struct VolumeCheckTests {
  private typealias Builder = VolumeGroupBuilder

  /// A store of 4 KiB chunks with two exceptions.
  private static let store = StoreBuilder(chunkSectors: 8).copying([3, 9])

  /// The findings of the snapshot of a version of the group in those disks.
  private func findings(
    _ disks: [[UInt8]], seqno: UInt64? = nil
  ) throws -> [Finding] {
    let found = try #require(try Builder.found(disks))
    let version = try found.version(seqno)
    let snapshot = try #require(version.snapshots.first)
    let volume = try SnapshotVolume(snapshot, of: version, found)
    let auditor = Auditor(Store(volume.store), origin: volume.origin, volume: volume)
    return auditor.audit().findings.filter { $0.code.rawValue.hasPrefix("lvm.") }
  }

  private func codes(_ builder: Builder) throws -> [FindingCode] {
    try findings(builder.disks()).map(\.code)
  }

  @Test func `a sound snapshot of a sound group has none`() throws {
    for chunkSectors in [1, 8, 64] {
      let store = StoreBuilder(chunkSectors: chunkSectors).copying([0, 1])
      #expect(try codes(Builder(store)) == [])
    }
  }

  // MARK: - The group

  @Test func `a disk that is missing, by who lies on it`() throws {
    let disks = Builder(Self.store).disks()
    let store = try #require(try findings([disks[0]]).first)
    #expect(store.code == .pvMissing)
    #expect(store.found.contains("which vg0/snap uses"))
    #expect(store.ranges.first?.lowerBound == 0)
    let origin = try findings([disks[1]])
    #expect(origin.map(\.code) == [.pvMissing])
    #expect(origin.first?.found.contains("which vg0/root uses") == true)
    #expect(origin.first?.ranges == [])
  }

  @Test func `a disk that ends before its extents`() throws {
    var disks = Builder(Self.store).disks()
    disks[0].removeLast()
    #expect(try findings(disks).map(\.code) == [.volumeCutOff])
    // What is cut off of the store is known to be lost.
    disks = Builder(Self.store).disks()
    disks[1].removeLast(disks[1].count - Builder.startByteOffset - 5 * 4096)
    #expect(try findings(disks).map(\.code) == [.volumeCutOff])
  }

  @Test func `a disk that lvm2 had to do without, and one that is there twice`() throws {
    var builder = Builder(Self.store)
    let disks = builder.disks()
    builder.flags = #""MISSING""#
    #expect(try codes(builder) == [.volumeStale])
    #expect(try findings(disks + [disks[1]]).map(\.code) == [.volumeStale])
  }

  @Test func `metadata that is damaged`() throws {
    var disks = Builder(Self.store).disks()
    disks[0][4096 + 600] ^= 1
    #expect(Set(try findings(disks).map(\.code)) == [.volumeMetadata])
    disks = Builder(Self.store).disks()
    disks[0][1000] ^= 1
    #expect(try findings(disks).map(\.code) == [.volumeMetadata])
    // The one in use is lost on both; an older one serves.
    let builder = Builder(Self.store)
    let texts = [builder.text(1), builder.text(2)]
    disks = builder.disks(texts)
    let end = 4096 + 512 + (texts[0].utf8.count + 512) / 512 * 512 + texts[1].utf8.count
    for disk in disks.indices { disks[disk][end - 20] = 0 }
    let found = try findings(disks)
    #expect(Set(found.map(\.code)) == [.volumeMetadata])
    #expect(found.contains { $0.found.contains("version 1, the newest complete one") })
  }

  @Test func `an older version, and what became of its extents`() throws {
    let builder = Builder(Self.store)
    let root = Builder.volume("root", "r", disk: 0, extent: 0, extentCount: 16)
    let removed = builder.text(2, volumes: root)
    #expect(
      try findings(builder.disks([builder.text(1), removed]), seqno: 1).map(\.code)
        == [.volumeOlder])
    let reused = builder.text(
      3, volumes: root + Builder.volume("new", "n", disk: 1, extent: 2, extentCount: 2))
    let found = try findings(builder.disks([builder.text(1), removed, reused]), seqno: 1)
    #expect(found.map(\.code) == [.volumeOlder, .volumeReused])
    #expect(
      found.last?.found == "extents 2 to 3 of pv1, where vg0/snap was, now in vg0/new by version 3")
    let beside = builder.text(
      3, volumes: root + Builder.volume("new", "n", disk: 1, extent: 100, extentCount: 2))
    #expect(
      try findings(builder.disks([builder.text(1), removed, beside]), seqno: 1).map(\.code)
        == [.volumeOlder])
  }

  @Test func `an older version from a file is told from what the disks say`() throws {
    let builder = Builder(Self.store)
    let new = Builder.volume("new", "n", disk: 1, extent: 0, extentCount: 9)
    let sources = builder.disks([builder.text(5, volumes: new)]).map { MemorySource($0) }
    let file = try VolumeGroup(parsing: Array(builder.text(2).utf8))
    let catalog = try VolumeCatalog(PhysicalVolumeSearch(sources).found, texts: [file])
    let found = try #require(catalog.groups.first)
    let volume = try SnapshotVolume(#require(file.snapshots.first), of: file, found)
    #expect(try VolumeCheck(volume).findings.map(\.code) == [.volumeOlder, .volumeReused])
  }

  @Test func `a snapshot that is to be merged`() throws {
    var builder = Builder(Self.store)
    builder.isMerging = true
    #expect(try codes(builder) == [.volumeMerging])
  }

  // MARK: - The store

  @Test func `a header with other chunks than lvm2 knows`() throws {
    var builder = Builder(Self.store)
    builder.chunkSectors = 16
    let found = try findings(builder.disks())
    #expect(found.map(\.code) == [.volumeChunkSize])
    #expect(found.first?.place.bytes == 12..<16)
    // A header that is lost says nothing.
    builder.storeImage.put(Array(repeating: 0, count: 16), at: 0)
    #expect(try codes(builder) == [])
  }

  @Test(arguments: [
    ("2.02.98(2)", true), ("2.02.105(2)", true), ("2.02.106(2)", false), ("2.02.111(2)", false),
    ("2.01.09(2)", true), ("2.03.16(2)", false), ("3.0", false),
  ])
  func `a read-only snapshot of an old lvm2`(writer: String, isOld: Bool) throws {
    var builder = Builder(Self.store)
    builder.writer = writer
    #expect(try codes(builder) == [])
    builder.storeStatus = #""READ", "VISIBLE""#
    #expect(try codes(builder) == (isOld ? [.volumeAdopted] : []))
  }

  @Test func `a store without room for the area that ends the table`() throws {
    // 256 chunks of data are one area: header, area, data, and the next area are 259 chunks.
    var builder = Builder(StoreBuilder(chunkSectors: 8, chunkCount: 20).copying([3]))
    builder.originExtentCount = 256
    func codes(_ storeExtentCount: Int) throws -> [FindingCode] {
      builder.storeExtentCount = storeExtentCount
      let text = builder.text().replacing("pe_count = 200", with: "pe_count = 300")
      let disks = builder.disks([text]).map { $0 + [UInt8](repeating: 0, count: 100 * 4096) }
      return try findings(disks).map(\.code)
    }
    #expect(try codes(258) == [.volumeAreaShort])
    #expect(try codes(257) == [])
    #expect(try codes(259) == [])
    builder.originExtentCount = 255
    #expect(try codes(257) == [])
    #expect(try codes(258) == [])
  }

  @Test func `a store that was made shorter than its exceptions`() throws {
    var builder = Builder(Self.store)
    // Chunks 2 and 3 have the data.
    builder.storeExtentCount = 4
    #expect(try codes(builder) == [])
    builder.storeExtentCount = 3
    #expect(try codes(builder) == [.volumeShortened])
  }
}
