import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Stores that Linux wrote are found in what surrounds them, whatever is left of their headers.
@Suite struct CarverTests {
  /// What is done to the beginning of a store.
  enum Loss: String, CaseIterable {
    case nothing, magic, fields, sector, page, reset

    func apply(to store: inout [UInt8]) {
      switch self {
      case .nothing: break
      case .magic: store.put([0, 0, 0, 0], at: 0)
      case .fields: store.put([UInt8](repeating: 0x55, count: 12), at: 4)
      case .sector: store.put([UInt8](repeating: 0, count: 512), at: 0)
      case .page: store.put([UInt8](repeating: 0, count: 4096), at: 0)
      case .reset: store.put([UInt8](repeating: 0, count: 65_536), at: 0)
      }
    }

    var header: CarvedStore.Header {
      switch self {
      case .nothing: .intact
      case .magic, .fields: .damaged
      case .sector, .page, .reset: .lost
      }
    }

    /// How many exceptions must be left for the store to be found.
    var exceptionCountMin: Int {
      switch header {
      case .intact: 0
      case .damaged: 1
      case .lost: 4
      }
    }
  }

  /// What a test looks at.
  private struct Found: Equatable {
    var byteOffset: Int
    var chunkSectors: Int
    var exceptionCount: Int
    var header: CarvedStore.Header
  }

  private func carve(_ bytes: [UInt8]) throws -> Carving {
    try Carver(FaultySource(bytes)).carve { _, _ in }
  }

  private func found(in bytes: [UInt8]) throws -> [Found] {
    try carve(bytes).stores.map {
      Found(
        byteOffset: Int($0.byteOffset), chunkSectors: Int($0.chunkSize.sectorCount),
        exceptionCount: Int($0.exceptionCount), header: $0.header)
    }
  }

  // MARK: - Stores that Linux wrote

  /// The exceptions of a table up to its end, by the format alone; areas that hold none at its
  /// beginning are stepped over if they may have been lost.
  private func exceptionCount(_ store: [UInt8], chunkSectors: Int, steppingOver: Bool) -> Int {
    let perArea = chunkSectors * 32
    var count = 0
    var area = 0
    while true {
      let start = (1 + area * (perArea + 1)) * chunkSectors * 512
      guard start + chunkSectors * 512 <= store.count else { return count }
      let live = (0..<perArea).prefix { slot in
        store[(start + slot * 16 + 8)..<(start + slot * 16 + 16)].contains { $0 != 0 }
      }.count
      count += live
      area += 1
      if live < perArea, !steppingOver || count > 0 { return count }
    }
  }

  @Test(arguments: Corpus.names)
  func `a store of the corpus is found at its place, and nothing else is`(name: String) throws {
    var random = SplitMix64(seed: 20_261_123)
    let original = try Corpus.unpack(try Corpus.read(name).store, of: name)
    let chunkSectors = Int(original[12]) | Int(original[13]) << 8
    let reference = ReferenceDecoder(original)
    if reference.verdict == .loads {
      #expect(
        exceptionCount(original, chunkSectors: chunkSectors, steppingOver: false)
          == reference.exceptions.count)
    }
    let isWiped = original[0] == 0
    for loss in Loss.allCases where !(isWiped && loss.header != .lost && loss != .magic) {
      var store = original
      loss.apply(to: &store)
      let count = exceptionCount(
        store, chunkSectors: chunkSectors, steppingOver: loss != .nothing)
      let before = 512 * (2 * random.below(200) + 1)
      for around in [random.bytes(before + 65_536), [UInt8](repeating: 0, count: before + 65_536)] {
        var expected: [Found] = []
        if count >= loss.exceptionCountMin {
          expected = [
            Found(
              byteOffset: before, chunkSectors: chunkSectors, exceptionCount: count,
              header: loss.header)
          ]
        }
        // Two areas are left there of an older store, with chunks of another size.
        let hits = try found(in: around[..<before] + store + around[before...]).filter {
          name != "reused-other-chunk" || $0.chunkSectors == chunkSectors
        }
        #expect(hits == expected, "\(loss), \(around[0] == 0 ? "zeroes" : "random bytes")")
      }
    }
  }

  @Test func `what an older store left at another chunk size is a store of its own`() throws {
    let store = try Corpus.unpack(
      try Corpus.read("reused-other-chunk").store, of: "reused-other-chunk")
    let hits = try found(in: store)
    #expect(
      hits == [
        Found(byteOffset: 0, chunkSectors: 8, exceptionCount: 344, header: .lost),
        Found(byteOffset: 0, chunkSectors: 16, exceptionCount: 10, header: .intact),
      ])
  }

  @Test(arguments: [("reset-64k", 0, 344), ("magic-wiped-activated", 0, 44), ("reused", 20, 344)])
  func `older areas of the same chunk size are counted with the store`(
    name: String, count: UInt64, stale: UInt64
  ) throws {
    let store = try Corpus.unpack(try Corpus.read(name).store, of: name)
    let stores = try carve(store).stores
    #expect(stores.map(\.exceptionCount) == [count])
    #expect(stores.map(\.staleExceptionCount) == [stale])
  }

  // MARK: - Damage and odd places

  @Test func `a damaged area does not end a chain that goes on behind it`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying((0..<200).map { $0 * 3 })
    for damage in [Damage.randomChunk(34, seed: 7), .zeroChunk(34)] {
      for loss in [Loss.nothing, .sector] {
        var store = builder.image(damage)
        loss.apply(to: &store)
        let stores = try carve(store).stores
        #expect(stores.map(\.exceptionCount) == [168], "\(damage), \(loss)")
        #expect(stores.map(\.damagedAreaCount) == [1])
        #expect(stores.map(\.areaCount) == [6])
      }
    }
  }

  @Test func `chunks that an old kernel leaked shift the table and do not hide it`() throws {
    var builder = StoreBuilder(chunkSectors: 1)
    for position in 0..<100 {
      let new = builder.dataChunk(position + (position > 20 ? 2 : 0))
      builder = builder.adding((UInt64(position * 5), UInt64(new)))
    }
    for loss in [Loss.nothing, .sector] {
      var store = builder.sized(120).image()
      loss.apply(to: &store)
      #expect(
        try found(in: store)
          == [Found(byteOffset: 0, chunkSectors: 1, exceptionCount: 100, header: loss.header)])
    }
    // The first areas are lost too: those left are all shifted.
    let rest = [UInt8](repeating: 0, count: 35 * 512) + builder.sized(120).image().dropFirst(17_920)
    #expect(
      try found(in: rest)
        == [Found(byteOffset: 0, chunkSectors: 1, exceptionCount: 36, header: .lost)])
  }

  @Test func `a store that begins before the image is told of, and not listed`() throws {
    let store = StoreBuilder(chunkSectors: 8).copying((0..<300).map { $0 * 2 }).image()
    let carving = try carve(Array(store[20_480...]))
    #expect(carving.stores.isEmpty)
    #expect(carving.beheaded.map(\.missingByteCount) == [20_480])
    #expect(carving.beheaded.map(\.exceptionCount) == [44])
  }

  @Test func `an intact header alone is a store, and less sure`() throws {
    let fresh = try carve(StoreBuilder().image()).stores
    let used = try carve(StoreBuilder().copying(0..<9).image()).stores
    #expect(fresh.map(\.exceptionCount) == [0] && used.map(\.exceptionCount) == [9])
    #expect(fresh.map(\.confidence) == [0.941])  // 1 - 1/17
    #expect(used.map(\.confidence) == [0.961])  // 1 - 1/26
  }

  @Test func `fields that a header may not have are no store without areas`() throws {
    for damage in [Damage.version(2), .chunkSectors(3), .chunkSectors(1 << 22), .valid(7)] {
      #expect(try found(in: StoreBuilder().image(damage)).isEmpty)
      #expect(
        try found(in: StoreBuilder().copying([7, 9]).image(damage))
          == [Found(byteOffset: 0, chunkSectors: 8, exceptionCount: 2, header: .damaged)])
    }
  }

  @Test func `the areas correct a chunk size that is wrong but possible`() throws {
    let store = StoreBuilder().copying(0..<20).image(.chunkSectors(16))
    #expect(
      try found(in: store)
        == [Found(byteOffset: 0, chunkSectors: 8, exceptionCount: 20, header: .damaged)])
  }

  @Test func `what cannot be read is stepped over and listed`() throws {
    let store = StoreBuilder().copying(0..<20).image()
    let source = FaultySource(
      [UInt8](repeating: 0, count: 1536) + store + [UInt8](repeating: 7, count: 4096),
      unreadable: [512..<1024])
    let carving = try Carver(source).carve { _, _ in }
    #expect(carving.unreadable == [512..<1024])
    #expect(carving.stores.map(\.byteOffset) == [1536])
  }

  @Test func `holes are not read`() throws {
    let store = StoreBuilder().copying(0..<20).image()
    let source = FaultySource(byteCount: 1 << 50, pieces: [(1 << 49, store)])
    #expect(try Carver(source).carve { _, _ in }.stores.map(\.byteOffset) == [1 << 49])
    #expect(source.reads.reduce(0) { $0 + $1.count } < 8 << 20)
  }

  // MARK: - What is no store

  private static func pairs(_ count: Int, _ pair: (UInt64) -> (UInt64, UInt64)) -> [UInt8] {
    (0..<UInt64(count)).flatMap { index in
      let (old, new) = pair(index)
      return old.littleEndianBytes + new.littleEndianBytes
    }
  }

  private static let strangers: [(name: String, bytes: [UInt8])] = [
    ("counting", pairs(8192) { (2 * $0, 2 * $0 + 1) }),
    ("counting by threes", pairs(8192) { (6 * $0 + 1, 6 * $0 + 4) }),
    ("rows with numbers", pairs(8192) { ($0 &* 0x9e37_79b9 % 1_000_003, $0) }),
    ("rows with numbers from 1", pairs(8192) { ($0 &* 0x9e37_79b9 % 1_000_003, $0 + 1) }),
    ("short rows", pairs(17) { ($0 * 7, $0 + 100) } + [UInt8](repeating: 0, count: 4096)),
    ("one value", pairs(32) { (5, $0 + 2) } + [UInt8](repeating: 0, count: 4096)),
    ("wide numbers", pairs(32) { ($0 + 1 << 60, $0 + 2) } + [UInt8](repeating: 0, count: 4096)),
    ("zeroes", [UInt8](repeating: 0, count: 65_536)),
    ("ones", [UInt8](repeating: 0xff, count: 65_536)),
    (
      "the magic again and again",
      Array(repeating: [0x53, 0x6e, 0x41, 0x70], count: 9999).flatMap(\.self)
    ),
  ]

  @Test(arguments: strangers.map(\.name))
  func `numbers in order are no store`(name: String) throws {
    let bytes = try #require(Self.strangers.first { $0.name == name }).bytes
    for before in [0, 512, 128, 640] {
      let carving = try carve([UInt8](repeating: 1, count: before) + bytes + [1, 2, 3])
      #expect(carving == Carving(), "after \(before) bytes")
    }
  }

  @Test func `random bytes are no store`() throws {
    var random = SplitMix64(seed: 11)
    #expect(try carve(random.bytes(1 << 20)) == Carving())
  }
}
