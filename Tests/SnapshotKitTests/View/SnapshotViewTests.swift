import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A snapshot's bytes are those that Linux shows; what it cannot read is zero, and named.
@Suite struct SnapshotViewTests {
  private static let origin = Stamp.origin(byteCount: 24 * 1024 + 512)
  private static let builder = StoreBuilder(chunkSectors: 2, chunkCount: 40)
    .copying([3, 4, 5, 12, 24, 0])

  @Test(arguments: UInt64(1)...300)
  func `the view of an odd store equals the reference`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    for reading in Reading.kernels {
      let reference = ReferenceDecoder(made.store, reading.kernel)
      guard reference.verdict == .loads else { continue }
      let view = try SnapshotView(made.store, over: FaultySource(made.origin), reading: reading)
      let (bytes, lost) = try view.readAll()
      let (expected, unreadable) = reference.view(of: made.origin)
      #expect(bytes.firstDifference(from: expected) == nil, "\(reading)")
      #expect(lost.ranges == unreadable, "\(reading)")
      #expect(lost.allSatisfy { $0.reason == .beyondStore })
    }
  }

  @Test(arguments: UInt64(1)...60)
  func `any part of the view is that part of the whole`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let made = OddStore.make(seed: seed)
    guard ReferenceDecoder(made.store).verdict == .loads else { return }
    let view = try SnapshotView(made.store, over: FaultySource(made.origin))
    let (whole, lost) = try view.readAll()
    for _ in 0..<20 {
      let start = random.below(made.origin.count)
      let range = start..<start + random.below(made.origin.count - start + 1)
      let buffer = IOBuffer([UInt8](repeating: 0xee, count: range.count + 2))
      let bytes = UInt64(range.lowerBound)..<UInt64(range.upperBound)
      let hasLost = lost.contains { $0.range.overlaps(bytes) }
      do throws(BlockIOError) {
        try view.read(at: bytes.lowerBound, into: buffer, 1..<range.count + 1)
        #expect(!hasLost)
        let difference = buffer.bytes(1..<range.count + 1).firstDifference(
          from: Array(whole[range]))
        #expect(difference == nil)
      } catch {
        #expect(hasLost, "\(error)")
      }
      let edges = buffer.bytes(0..<1) + buffer.bytes(range.count + 1..<range.count + 2)
      #expect(edges == [0xee, 0xee])
    }
  }

  @Test func `a chunk beyond the store fails as a whole, or is lost sector by sector`() throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 4).sized(4, extra: 1024)
      .adding((0, 4), (1, 9))
    let view = try SnapshotView(
      builder.image(.bytes(Stamp.sectors(32..<34, by: "store"), at: 16384)),
      over: FaultySource(Stamp.origin(byteCount: 12288)))
    let buffer = IOBuffer(byteCount: 12288)
    let error = #expect(throws: BlockIOError.self) {
      try view.read(at: 0, into: buffer, 0..<4096)
    }
    #expect(error?.byteRange == 1024..<4096)
    let (bytes, lost) = try view.readAll()
    #expect(lost == [LostRange(1024..<8192, .beyondStore)])
    #expect(String(decoding: bytes[512..<523], as: UTF8.self) == "sector 0000")
    #expect(bytes[1024..<8192].allSatisfy { $0 == 0 })
  }

  @Test func `reading past the end is refused`() throws {
    let view = try SnapshotView(Self.builder.image(), over: FaultySource(Self.origin))
    let buffer = IOBuffer(byteCount: 1024)
    #expect(throws: BlockIOError.self) {
      try view.read(at: view.byteCount - 512, into: buffer, 0..<1024)
    }
    #expect(throws: BlockIOError.self) { try view.read(at: .max, into: buffer, 0..<2) }
  }

  @Test func `the partial last chunk of the origin ends where the origin does`() throws {
    let view = try SnapshotView(Self.builder.image(), over: FaultySource(Self.origin))
    #expect(view.byteCount == UInt64(Self.origin.count))
    #expect(view.mappedByteCount == 5 * 1024 + 512)
    let (bytes, lost) = try view.readAll()
    #expect(lost.isEmpty)
    let last = Stamp.sectors(12..<13, by: "store gen 0")  // chunk 6 of the store
    #expect(Array(bytes.suffix(512)) == last)
  }

  @Test func `bytes behind the origin's last whole sector are its own`() throws {
    let origin = Self.origin + [1, 2, 3]
    let view = try SnapshotView(Self.builder.image(), over: FaultySource(origin))
    #expect(try view.readAll().bytes.suffix(3) == [1, 2, 3])
    #expect(view.mappedByteCount == 5 * 1024 + 512)
  }

  @Test func `segments tell where each byte comes from`() throws {
    let view = try SnapshotView(Self.builder.image(), over: FaultySource(Self.origin))
    var segments: [SnapshotView.Segment] = []
    view.forEachSegment(in: 512..<7168) { segments.append($0) }
    let expected: [SnapshotView.Segment] = [
      .init(range: 512..<1024, place: .store(7680)),
      .init(range: 1024..<3072, place: .origin),
      .init(range: 3072..<6144, place: .store(2048)),
      .init(range: 6144..<7168, place: .origin),
    ]
    #expect(segments == expected)
  }

  @Test func `a bad sector of the origin or the store costs its 512 bytes`() throws {
    let store = FaultySource(Self.builder.image(), unreadable: [2 * 1024 + 600..<2 * 1024 + 601])
    let origin = FaultySource(Self.origin, unreadable: [8192..<8193, 1535..<1537, 0..<1024])
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    let view = SnapshotView(of: origin, through: loaded.table, of: store)
    let (bytes, lost) = try view.readAll()
    #expect(
      lost == [
        LostRange(1024..<2048, .originUnreadable), LostRange(3584..<4096, .storeUnreadable),
        LostRange(8192..<8704, .originUnreadable),
      ])
    origin.unreadable = []
    store.unreadable = []
    var expected = try view.readAll().bytes
    for range in lost.map(\.range) {
      let zeroes = [UInt8](repeating: 0, count: range.count)
      expected.put(zeroes, at: Int(range.lowerBound))
    }
    #expect(bytes.firstDifference(from: expected) == nil)
  }

  @Test(arguments: UInt64(1)...40)
  func `exactly the unreadable sectors are lost`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let origin = FaultySource(Self.origin)
    let view = try SnapshotView(StoreBuilder(chunkSectors: 2).image(), over: origin)
    var bad: Set<Int> = []
    for _ in 0..<random.below(12) { bad.insert(random.below(Self.origin.count / 512)) }
    origin.unreadable = bad.map { UInt64($0 * 512 + 7)..<UInt64($0 * 512 + 8) }
    let (bytes, lost) = try view.readAll()
    let lostSectors = lost.flatMap { $0.range.lowerBound / 512..<$0.range.upperBound / 512 }
    #expect(Set(lostSectors.map { Int($0) }) == bad)
    for sector in 0..<Self.origin.count / 512 {
      let range = sector * 512..<(sector + 1) * 512
      let expected =
        bad.contains(sector)
        ? [UInt8](repeating: 0, count: 512) : Array(Self.origin[range])
      #expect(Array(bytes[range]) == expected)
    }
  }

  @Test func `an error that is not the medium's is not read around`() throws {
    let origin = FaultySource(Self.origin, unreadable: [0..<1])
    origin.failure = .refused("is gone")
    let view = try SnapshotView(StoreBuilder(chunkSectors: 2).image(), over: origin)
    #expect(throws: BlockIOError.self) { try view.readAll() }
    #expect(origin.reads.count == 1)
  }

  @Test(arguments: UInt64(1)...60)
  func `nothing but zeroes lies outside what may be data`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let pieces = (0..<random.below(4)).map { index in
      (byteOffset: UInt64(index * 8192 + random.below(8) * 512), bytes: random.bytes(512))
    }
    let origin = FaultySource(byteCount: 24 * 1024 + 512, pieces: pieces)
    let view = try SnapshotView(Self.builder.image(), over: origin)
    let bytes = try view.readAll().bytes
    var position: UInt64 = 0
    while let data = try view.nextData(from: position) {
      #expect(data.lowerBound >= position && !data.isEmpty && data.upperBound <= view.byteCount)
      #expect(bytes[Int(position)..<Int(data.lowerBound)].allSatisfy { $0 == 0 })
      position = data.upperBound
    }
    #expect(bytes[Int(position)...].allSatisfy { $0 == 0 })
    #expect(try view.nextData(from: view.byteCount) == nil)
  }

  @Test(arguments: ChunkSize.all)
  func `chunks of every size map where they should`(size: ChunkSize) throws {
    let unit = size.byteCount
    let header = StoreBuilder(chunkSectors: 1).image(.chunkSectors(size.sectorCount)).prefix(16)
    let exception = UInt64(1).littleEndianBytes + UInt64(3).littleEndianBytes
    let stamp = Stamp.sectors(0..<1, by: "store")
    let store = FaultySource(
      byteCount: unit * 4,
      pieces: [(0, Array(header)), (unit, exception), (unit * 4 - 512, stamp)])
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    let origin = FaultySource(byteCount: unit * 3, pieces: [])
    let view = SnapshotView(of: origin, through: loaded.table, of: store)
    var segments: [SnapshotView.Segment] = []
    view.forEachSegment(in: 0..<view.byteCount) { segments.append($0) }
    let expected: [SnapshotView.Segment] = [
      .init(range: 0..<unit, place: .origin),
      .init(range: unit..<unit * 2, place: .store(unit * 3)),
      .init(range: unit * 2..<unit * 3, place: .origin),
    ]
    #expect(segments == expected)
    let buffer = IOBuffer(byteCount: 512)
    try view.read(at: unit * 2 - 512, into: buffer, 0..<512)
    #expect(buffer.bytes(0..<512) == stamp)
  }
}
