import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// A salvaged store is one that Linux loads, shows what the plan shows, and names what it lacks.
@Suite struct StoreWriterTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Writes what a plan of a store supports, and returns the new store's bytes.
  private func salvage(
    _ source: any BlockSource, generation: Int = 0
  ) throws -> (bytes: [UInt8], lost: [LostRange], loaded: LoadedTable) {
    let loaded = try LoadedTable(SalvagePlan(Store(source)), generation: generation)
    let writer = StoreWriter(loaded)
    let path = directory.path("new.cow")
    let output = try OutputFile(path: FilePath(path), byteCount: writer.byteCount)
    var steps: [UInt64] = []
    let lost = try writer.write(to: output) { done, total in
      steps.append(done)
      #expect(done <= total && total == loaded.exceptionCount * loaded.geometry.chunkSize.byteCount)
    }
    #expect(steps == steps.sorted())
    try output.publish()
    let bytes = try Files.bytes(path)
    #expect(bytes.count == Int(writer.byteCount))
    return (bytes, lost, loaded)
  }

  /// The new store is sound, and shows over an origin what the salvage reading shows.
  private func expectSound(
    _ bytes: [UInt8], _ loaded: LoadedTable, originByteCount: Int
  ) throws {
    let audit = Auditor(Store(bytes)).audit()
    #expect(audit.verdict == .healthy)
    #expect(audit.findings.allSatisfy { $0.severity == .note }, "\(audit.findings)")
    #expect(audit.usableCount == loaded.exceptionCount)
    let origin = FaultySource(Stamp.origin(byteCount: originByteCount))
    let before = try SnapshotView(of: origin, through: loaded.table, of: loaded.store.source)
      .readAll().bytes
    for kernel in ReferenceDecoder.Kernel.allCases {
      let reference = ReferenceDecoder(bytes, kernel)
      #expect(reference.verdict == .loads)
      #expect(
        reference.view(of: try origin.allBytes()).bytes.firstDifference(from: before) == nil)
    }
    #expect(try SnapshotView(bytes, over: origin).readAll().bytes == before)
  }

  @Test(arguments: [1, 8, 128])
  func `a damaged store of any chunk size becomes a sound one`(chunkSectors: Int) throws {
    var random = SplitMix64(seed: UInt64(chunkSectors))
    let builder = StoreBuilder(chunkSectors: chunkSectors)
    let count = chunkSectors == 1 ? 100 : 40
    let store = builder.copying((0..<count).shuffled(using: &random)).image(
      .headerZeroed, .exception(slot: 9, old: 1 << 60, new: 1),
      .bytes([UInt8](repeating: 0xff, count: 64), at: builder.byteOffset(slot: 20)))
    let (bytes, lost, loaded) = try salvage(FaultySource(store))
    #expect(loaded.exceptionCount == UInt64(count - 5) && lost == [])
    try expectSound(bytes, loaded, originByteCount: count * chunkSectors * 512)
  }

  @Test(arguments: [0, 1, 31, 32, 33, 64, 65])
  func `it is just as long as it must be, the last area never full`(count: Int) throws {
    let store = StoreBuilder(chunkSectors: 1, chunkCount: 99).copying((0..<count).reversed())
    let (bytes, _, loaded) = try salvage(FaultySource(store.image()))
    #expect(bytes.count == (2 + count + count / 32) * 512)
    try expectSound(bytes, loaded, originByteCount: 70 * 512)
    let (_, extent) = try Store(bytes).requireLoadable(.kernel)
    #expect(extent.exceptionCount == UInt64(count) && extent.isTerminated)
  }

  @Test func `its exceptions ascend, its data chunks have no gap, its header is Linux's`() throws {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 90).copying([9, 3, 4, 50, 2, 60])
    let (bytes, _, _) = try salvage(FaultySource(builder.image(.valid(0), .version(7))))
    let reference = ReferenceDecoder(bytes)
    #expect(reference.exceptions.map(\.old) == [2, 3, 4, 9, 50, 60])
    #expect(reference.exceptions.map(\.new) == Array(2..<8))
    #expect(Array(bytes.prefix(512)) == Array(StoreBuilder(chunkSectors: 1).image().prefix(512)))
  }

  @Test func `a last data chunk that is there in part is filled up with zeroes, and listed`() throws
  {
    let builder = StoreBuilder(chunkSectors: 8).copying(10..<20)
    let store = builder.image(.cut(byteCount: 7 * 4096 + 1024))
    let (bytes, lost, loaded) = try salvage(FaultySource(store))
    #expect(loaded.exceptionCount == 6)
    #expect(lost == [LostRange(62_464..<65_536, .beyondStore)])
    let data = bytes[7 * 4096..<8 * 4096]
    #expect(Array(data.prefix(1024)) == Array(store.suffix(1024)))
    #expect(data.dropFirst(1024).allSatisfy { $0 == 0 })
    try expectSound(bytes, loaded, originByteCount: 20 * 4096)
  }

  @Test func `a torn sector at the end is nobody's, as in a view`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying(10..<20)
    let store = builder.image(.cut(byteCount: 7 * 4096 + 1024 + 100))
    let (bytes, lost, loaded) = try salvage(FaultySource(store))
    #expect(lost == [LostRange(62_464..<65_536, .beyondStore)])
    try expectSound(bytes, loaded, originByteCount: 20 * 4096)
  }

  @Test func `sectors that cannot be read are zeroes, and listed as bytes of the origin`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying([7, 8, 9, 100, 3])
    let bad = [4 * 4096 + 512..<4 * 4096 + 513, 5 * 4096 + 3584..<6 * 4096 + 1] as [Range<UInt64>]
    let source = FaultySource(builder.image(), unreadable: bad)
    let (bytes, lost, loaded) = try salvage(source)
    #expect(
      lost == [
        LostRange(12_288..<12_800, .storeUnreadable),
        LostRange(37_376..<37_888, .storeUnreadable),
        LostRange(413_184..<413_696, .storeUnreadable),
      ])
    for (old, sector) in [(3, 0), (9, 1), (100, 7)] as [(UInt64, Int)] {
      let reference = ReferenceDecoder(bytes)
      let new = try #require(reference.exceptions.first { $0.old == old }).new
      let start = Int(new) * 4096 + sector * 512
      #expect(bytes[start..<start + 512].allSatisfy { $0 == 0 })
    }
    try expectSound(bytes, loaded, originByteCount: 101 * 4096)
  }

  @Test func `data larger than the window comes over whole`() throws {
    let builder = StoreBuilder(chunkSectors: 128).copying((0..<70).reversed())  // 4.4 MiB
    let (bytes, _, loaded) = try salvage(FaultySource(builder.image(.magicErased)))
    try expectSound(bytes, loaded, originByteCount: 70 * 65_536)
  }

  @Test func `an older generation is written as well`() throws {
    let older = StoreBuilder(chunkSectors: 1, chunkCount: 120).copying(200..<300)
    let newer = StoreBuilder(chunkSectors: 1).copying([1, 2, 3, 4])
    let source = FaultySource(newer.image(over: older.image()))
    let (bytes, _, loaded) = try salvage(source, generation: 1)
    #expect(loaded.exceptionCount == 68)
    try expectSound(bytes, loaded, originByteCount: 310 * 512)
  }

  @Test func `a medium that is gone is an error, and no file is left`() throws {
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<9).image())
    let loaded = try LoadedTable(SalvagePlan(Store(source)), generation: 0)
    source.unreadable = [0..<1 << 20]
    source.failure = .system(.permissionDenied)
    let writer = StoreWriter(loaded)
    let output = try OutputFile(
      path: FilePath(directory.path("new.cow")), byteCount: writer.byteCount)
    #expect(throws: BlockIOError.self) { try writer.write(to: output) { _, _ in } }
  }
}
