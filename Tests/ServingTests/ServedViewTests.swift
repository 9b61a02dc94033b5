import BlockIO
@testable import Serving
import SnapshotKit
import Synchronization
import TestSupport
import Testing

/// What is served is the snapshot, and what is lost of it reads as the user chose.
@Suite struct ServedViewTests {
  /// A snapshot of chunks of 4 KiB: 1, 5 and 9 of sixteen are the store's.
  private func snapshot(
    storeUnreadable: [Range<UInt64>] = [], originUnreadable: [Range<UInt64>] = []
  ) throws -> Snapshot {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 8).copying([1, 5, 9]).image(), name: "store.img",
      unreadable: storeUnreadable)
    let origin = FaultySource(Stamp.origin(byteCount: 16 * 4096), unreadable: originUnreadable)
    return try Snapshot(Store(store), of: origin)
  }

  @Test(arguments: UInt64(1)...60)
  func `what is served of an odd store is what Linux shows`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    let reference = ReferenceDecoder(made.store)
    guard reference.verdict == .loads else { return }
    let snapshot = try Snapshot(
      Store(FaultySource(made.store)), of: FaultySource(made.origin))
    let (bytes, unreadable) = reference.view(of: made.origin)
    let zero = try ServedView(snapshot, .zero)
    #expect(zero.lost == unreadable)
    #expect(try zero.allBytes().firstDifference(from: bytes) == nil)
    let strict = try ServedView(snapshot, .error)
    let buffer = IOBuffer(byteCount: 512)
    for sector in 0..<strict.byteCount / 512 {
      let range = sector * 512..<(sector + 1) * 512
      let isLost = unreadable.contains { $0.overlaps(range) }
      let error: BlockIOError?
      do throws(BlockIOError) {
        try strict.read(at: range.lowerBound, into: buffer, 0..<512)
        error = nil
      } catch let failure {
        error = failure
      }
      #expect((error != nil) == isLost, "sector \(sector)")
    }
  }

  @Test func `a medium that fails costs the bytes that it does not give`() throws {
    // The data of chunk 5 is the second that was copied: chunk 3 of the store.
    let bad = UInt64(3 * 4096 + 512)..<UInt64(3 * 4096 + 1024)
    let lost = UInt64(5 * 4096 + 512)..<UInt64(5 * 4096 + 1024)
    let snapshot = try snapshot(storeUnreadable: [bad])
    let origin = Stamp.origin(byteCount: 16 * 4096)
    let whole = try ServedView(try self.snapshot(), .error).allBytes()
    var expected: [LossPolicy: [UInt8]] = [.zero: whole, .origin: whole, .pattern: whole]
    expected[.zero]?.put([UInt8](repeating: 0, count: 512), at: Int(lost.lowerBound))
    expected[.origin]?.put(
      Array(origin[Int(lost.lowerBound)..<Int(lost.upperBound)]), at: Int(lost.lowerBound))
    let pattern = (0..<32).flatMap { _ in Array("LOST BY DMSNAP.\n".utf8) }
    expected[.pattern]?.put(pattern, at: Int(lost.lowerBound))
    for (policy, bytes) in expected {
      let shown = try ServedView(snapshot, policy).allBytes()
      #expect(shown.firstDifference(from: bytes) == nil, "\(policy)")
    }
    let strict = try ServedView(snapshot, .error)
    #expect(throws: BlockIOError.self) { try strict.allBytes() }
  }

  @Test(arguments: LossPolicy.allCases)
  func `a loss that only reading finds is told once`(policy: LossPolicy) throws {
    let snapshot = try snapshot(storeUnreadable: [3 * 4096 + 512..<3 * 4096 + 1024])
    let told = Mutex<[BlockIOError]>([])
    let view = try ServedView(snapshot, policy) { error in told.withLock { $0.append(error) } }
    let buffer = IOBuffer(byteCount: 4096)
    try view.read(at: 0, into: buffer, 0..<4096)
    #expect(!view.hasFoundLoss)
    for _ in 0..<2 {
      do { try view.read(at: 5 * 4096, into: buffer, 0..<4096) } catch {
        #expect(policy == .error)
      }
    }
    #expect(view.hasFoundLoss && !view.findsChange())
    #expect(told.withLock { $0.map(\.isUnreadableMedium) } == [true])
  }

  @Test func `what the origin cannot show either fails`() throws {
    let snapshot = try snapshot(originUnreadable: [0..<512])
    let view = try ServedView(snapshot, .origin)
    #expect(throws: BlockIOError.self) { try view.allBytes() }
  }

  @Test func `a pattern is the same wherever a read begins`() throws {
    let snapshot = try snapshot(storeUnreadable: [3 * 4096..<4 * 4096])
    let view = try ServedView(snapshot, .pattern)
    let whole = try view.allBytes()
    let buffer = IOBuffer(byteCount: 1000)
    for start in [5 * 4096, 5 * 4096 + 7, 5 * 4096 - 9, 6 * 4096 - 500] {
      try view.read(at: UInt64(start), into: buffer, 0..<1000)
      #expect(buffer.bytes(0..<1000) == Array(whole[start..<start + 1000]))
    }
  }

  @Test func `what exceptions are lost for is lost, although the origin shows through`() throws {
    // Exception 2 of 300 lost its sixteen bytes; those beside it show which chunk it was for.
    let builder = StoreBuilder(chunkSectors: 8).copying(Array(0..<300))
    var image = builder.image()
    image.put([UInt8](repeating: 0xff, count: 16), at: builder.byteOffset(slot: 2))
    let origin = FaultySource(Stamp.origin(byteCount: 400 * 4096))
    let snapshot = try Snapshot(Store(FaultySource(image)), of: origin, reading: .salvage)
    let lost = try #require(snapshot.lost.first)
    let view = try ServedView(snapshot, .error)
    #expect(view.lost.contains { $0.contains(lost.range.lowerBound) })
    let buffer = IOBuffer(byteCount: 512)
    #expect(throws: BlockIOError.self) {
      try view.read(at: lost.range.lowerBound, into: buffer, 0..<512)
    }
    let shown = try ServedView(snapshot, .origin)
    try shown.read(at: lost.range.lowerBound, into: buffer, 0..<512)
    #expect(
      buffer.bytes(0..<512)
        == Array(Stamp.origin(byteCount: 400 * 4096)[Int(lost.range.lowerBound)...].prefix(512)))
  }

  @Test(arguments: ["ext4-overlay", "xfs-overlay", "btrfs-overlay"])
  func `what files say was written, and no exception names, cannot be read`(name: String) throws {
    let facts = try Corpus.read("file-systems/\(name)")
    let bytes = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let origin = MemorySource(try Corpus.unpack(facts.origin, of: "file-systems/\(name)"))
    var damaged = bytes
    Damage.randomChunk(1 + 2 * 257, seed: 7).apply(to: &damaged, of: StoreBuilder(chunkSectors: 8))
    // Nothing is placed, so that all that is lost stays lost.
    let snapshot = try Snapshot(
      Store(MemorySource(damaged)), of: origin, reading: .salvage, placing: .none)
    let part = SnapshotPart(wholeOf: snapshot)
    let unnamed = try FileLosses(SnapshotFiles(snapshot, in: part)).unnamed
    try #require(!unnamed.isEmpty)
    let strict = try ServedView(snapshot, .error)
    let intact = try Snapshot(Store(MemorySource(bytes)), of: origin).view
    let (buffer, truth) = (IOBuffer(byteCount: 512), IOBuffer(byteCount: 512))
    var differingCount = 0
    for range in unnamed {
      for start in stride(from: range.lowerBound / 512 * 512, to: range.upperBound, by: 512) {
        #expect(throws: BlockIOError.self) { try strict.read(at: start, into: buffer, 0..<512) }
        try origin.read(at: start, into: buffer, 0..<512)
        try intact.read(at: start, into: truth, 0..<512)
        if !truth.equals(0..<512, in: buffer, at: 0) { differingCount += 1 }
      }
    }
    // What Linux showed there is not what the origin has: the files were right.
    #expect(differingCount > 0)
    #expect(!snapshot.view.knownLosses.contains { $0.range.overlaps(unnamed[0]) })
  }

  // MARK: - Extents

  /// Extents in chunks of 4 KiB, from the first on.
  private func extents(_ chunks: [(end: UInt64, isHole: Bool)]) -> [ServedExtent] {
    var start: UInt64 = 0
    return chunks.map { chunk in
      defer { start = chunk.end }
      return ServedExtent(range: start * 4096..<chunk.end * 4096, isHole: chunk.isHole)
    }
  }

  @Test func `extents say what is a hole, and what the store or the origin has`() throws {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 8).copying([1, 2, 300]).image(), name: "store.img")
    let origin = FaultySource(
      byteCount: 1000 * 4096,
      pieces: [(0, Stamp.origin(byteCount: 4096)), (500 * 4096, Stamp.origin(byteCount: 8192))])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    let all = try view.extents(in: 0..<view.byteCount)
    #expect(
      all
        == extents([
          (3, false), (300, true), (301, false), (500, true), (502, false), (1000, true),
        ]))
    // From anywhere on, the same.
    for start in stride(from: UInt64(0), to: view.byteCount, by: 70_000) {
      let rest = try view.extents(in: start..<view.byteCount)
      #expect(
        rest.first?.range.lowerBound == start && rest.last?.range.upperBound == view.byteCount)
      #expect(rest.dropFirst() == all.suffix(rest.count - 1))
    }
  }

  @Test func `what is lost is no hole`() throws {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 8).copying([1, 5]).image(), name: "store.img",
      unreadable: [2 * 4096..<3 * 4096])
    let origin = FaultySource(byteCount: 16 * 4096, pieces: [])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    #expect(
      try view.extents(in: 0..<view.byteCount)
        == extents([(1, true), (2, false), (5, true), (6, false), (16, true)]))
  }

  @Test func `what was written to a layer is no hole`() throws {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 8).copying([1]).image(), name: "store.img")
    let origin = FaultySource(byteCount: 1000 * 4096 + 512, pieces: [])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    let layer = try TrialLayer(
      over: view, in: VolatileTarget([UInt8](repeating: 0, count: 1 << 20)))
    let buffer = IOBuffer(byteCount: 4096)
    for (start, count) in [
      (2 * 4096, 1), (10 * 4096 - 1, 2), (20 * 4096, 4096), (1000 * 4096, 512),
    ] {
      try layer.write(at: UInt64(start), from: buffer, 0..<count)
    }
    let expected =
      extents([
        (1, true), (3, false), (9, true), (11, false), (20, true), (21, false), (1000, true),
      ]) + [ServedExtent(range: 1000 * 4096..<layer.byteCount, isHole: false)]
    #expect(try view.extents(in: 0..<layer.byteCount, under: layer) == expected)
    // A part of it begins and ends within a chunk.
    let part = try view.extents(in: 2 * 4096 + 512..<9 * 4096 + 512, under: layer)
    #expect(part.map(\.isHole) == [false, true, false])
    #expect(part.first?.range == 2 * 4096 + 512..<3 * 4096 && part.last?.range.count == 512)
  }

  @Test(arguments: UInt64(1)...40)
  func `extents cover what was asked for, and a hole is zero`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    guard ReferenceDecoder(made.store).verdict == .loads else { return }
    let snapshot = try Snapshot(
      Store(FaultySource(made.store)), of: FaultySource(made.origin))
    let view = try ServedView(snapshot, .zero)
    let bytes = try view.allBytes()
    var position: UInt64 = 0
    for extent in try view.extents(in: 0..<view.byteCount) {
      #expect(extent.range.lowerBound == position && !extent.range.isEmpty)
      position = extent.range.upperBound
      let part = bytes[Int(extent.range.lowerBound)..<Int(position)]
      guard extent.isHole else { continue }
      #expect(part.allSatisfy { $0 == 0 })
      #expect(!view.lost.contains { $0.overlaps(extent.range) })
    }
    #expect(position == view.byteCount)
  }

  /// Where an answer has one extent, it must not take an answer for each chunk.
  @Test(arguments: UInt64(1)...20)
  func `extents one by one cover what was asked for, in a bounded number`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var (olds, next) = ([Int](), 0)
    while next < 4000 {
      olds.append(next)
      next += 1 + random.below(random.oneIn(20) ? 500 : 20)
    }
    let store = FaultySource(StoreBuilder(chunkSectors: 8).copying(olds).image())
    let origin = FaultySource(byteCount: 4100 * 4096, pieces: [])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    let exact = try view.extents(in: 0..<view.byteCount)
    for shortest in [UInt64(0), 5000, 1 << 16] {
      var (position, all) = (UInt64(0), [ServedExtent]())
      while position < view.byteCount {
        let range = position..<view.byteCount
        let extent = try #require(
          try view.extents(in: range, holesFrom: shortest, atMost: 1).first)
        try #require(extent.range.lowerBound == position && !extent.range.isEmpty)
        all.append(extent)
        position = extent.range.upperBound
      }
      #expect(position == view.byteCount)
      let isAtEnd = { (extent: ServedExtent) in extent.range.upperBound == view.byteCount }
      #expect(
        all.filter(\.isHole)
          == exact.filter { $0.isHole && ($0.range.count >= shortest || isAtEnd($0)) })
      // No data ends where data begins.
      for (one, other) in zip(all, all.dropFirst()) { #expect(one.isHole != other.isHole) }
    }
  }

  @Test func `a view with many pieces answers with some of them, without looking at all`() throws {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 1).copying((0..<20_000).map { $0 * 2 }).image())
    let origin = FaultySource(byteCount: 512 << 20, pieces: [])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    let extents = try view.extents(in: 0..<view.byteCount, atMost: 100)
    #expect(extents.count == 100)
    for (index, extent) in extents.enumerated() {
      let start = UInt64(index) * 512
      #expect(extent == ServedExtent(range: start..<start + 512, isHole: index % 2 == 1))
    }
  }

  @Test func `a long extent is one`() throws {
    let store = FaultySource(StoreBuilder(chunkSectors: 8).copying([5 << 20]).image())
    let origin = FaultySource(byteCount: 64 << 30, pieces: [])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    let extents = try view.extents(in: 4096..<view.byteCount, atMost: 1)
    #expect(extents.first == ServedExtent(range: 4096..<(5 << 20) * 4096, isHole: true))
  }
}
