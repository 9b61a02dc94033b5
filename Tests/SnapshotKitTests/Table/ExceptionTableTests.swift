import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// Looking a chunk up gives what Linux would read, for both readings, whatever the table holds.
@Suite struct ExceptionTableTests {
  private func table(
    _ builder: StoreBuilder, _ reading: Reading = .kernel
  ) throws -> ExceptionTable {
    try builder.loaded(reading).table
  }

  @Test func `a sound table has its runs, ascending`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying([9, 10, 11, 3, 4, 20])
    let table = try table(builder)
    #expect(
      table.runs == [
        ExceptionRun(old: 3, new: 5, count: 2), ExceptionRun(old: 9, new: 2, count: 3),
        ExceptionRun(old: 20, new: 7, count: 1),
      ])
    #expect(table.runs.reduce(0) { $0 + $1.count } == 6)
    #expect(table.newChunk(for: Chunk(10)) == Chunk(3))
    #expect(table.newChunk(for: Chunk(2)) == nil)
    #expect(table.newChunk(for: Chunk(5)) == nil)
    #expect(table.newChunk(for: Chunk(21)) == nil)
    #expect(table.newChunk(for: Chunk(.max)) == nil)
  }

  @Test func `an empty table maps nothing`() throws {
    let table = try table(StoreBuilder(chunkSectors: 8))
    #expect(table.runs.isEmpty)
    #expect(table.runs.reduce(0) { $0 + $1.count } == 0)
    #expect(table.newChunk(for: Chunk(0)) == nil)
    #expect(table.indexOfRun(endingAtOrAfter: 0) == 0)
  }

  @Test func `a run is found from any of its chunks`() throws {
    let table = try table(StoreBuilder(chunkSectors: 8).copying([3, 4, 9, 10, 11, 20]))
    for (chunk, index) in [
      (0, 0), (3, 0), (4, 0), (5, 1), (9, 1), (11, 1), (12, 2), (20, 2), (21, 3),
    ] {
      #expect(table.indexOfRun(endingAtOrAfter: UInt64(chunk)) == index, "chunk \(chunk)")
    }
  }

  /// Measured on Linux 6.1 and 6.12: facts 1.6, T1, T22, T2.
  @Test func `of duplicates the first wins under 6.1, the last under 6.12`() throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).adding((5, 2), (5, 9), (5, 7))
    #expect(try table(builder).newChunk(for: Chunk(5)) == Chunk(2))
    #expect(try table(builder, .kernel612).newChunk(for: Chunk(5)) == Chunk(7))
  }

  @Test func `a run wins over a later duplicate in it`() throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40)
      .adding((10, 2), (11, 3), (12, 4), (11, 9))
    #expect(try table(builder).newChunk(for: Chunk(11)) == Chunk(3))
  }

  @Test func `a top byte maps the chunks behind its own`() throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).adding((10, 2 << 56 | 2))
    #expect(try table(builder).runs == [ExceptionRun(old: 10, new: 2, count: 3)])
  }

  @Test func `a top byte that continues a run is not lost in it`() throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40)
      .adding((9, 2 << 56 | 2), (10, 2 << 56 | 3))
    let reference = ReferenceDecoder(builder.image())
    let table = try table(builder)
    for chunk in UInt64(5)..<20 {
      #expect(table.newChunk(for: Chunk(chunk))?.index == reference.newChunk(for: chunk))
    }
  }

  @Test(arguments: UInt64(1)...400)
  func `lookup in an odd table equals the reference`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    for reading in Reading.kernels {
      try expectReference(made.builder, made.store, reading)
    }
  }

  /// Windows of 256 chunks that share buckets, with duplicates and packed runs at their edges.
  @Test(arguments: UInt64(1)...150)
  func `lookup in crowded buckets equals the reference`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var builder = StoreBuilder(chunkSectors: 1, chunkCount: [70, 140, 300][random.below(3)])
    let windows: [UInt64] = [0, 1, 63, 64, 65, 127, 128, 129, 256, 1 << 20]
    while builder.exceptions.count < 60 {
      let window = windows[random.below(windows.count)] * 256
      let first = window + [0, 1, 120, 250, 254][random.below(5)]
      let new = UInt64(2 + random.below(60))
      let top = random.oneIn(25) ? UInt64(1 + random.below(20)) << 56 : 0
      var run = (0..<UInt64(1 + random.below(8))).map {
        StoreBuilder.Exception(first + $0, (new + $0) | top)
      }
      if random.oneIn(3) { run.reverse() }
      builder.exceptions += run
    }
    for reading in Reading.kernels { try expectReference(builder, builder.image(), reading) }
  }

  @Test(arguments: UInt64(1)...20)
  func `lookup in a large table without duplicates equals a dictionary`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let olds = Array(0..<2000).shuffled(using: &random).prefix(700)
    let builder = StoreBuilder(chunkSectors: 2).copying(olds)
    let expected = Dictionary(
      uniqueKeysWithValues: builder.exceptions.map { ($0.old, $0.new) })
    for reading in Reading.kernels {
      let table = try table(builder, reading)
      #expect(table.runs.reduce(0) { $0 + $1.count } == 700)
      for old in UInt64(0)..<2001 {
        #expect(table.newChunk(for: Chunk(old))?.index == expected[old])
      }
    }
  }

  @Test func `a table that would crash Linux is an error that says so`() throws {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 64).adding((1, 255 << 56 | 3), (0, 2))
    let store = Store(builder.image())
    let geometry = try #require(store.geometry)
    let extent = StoreScanner(store.source, geometry).scan { _, _ in }
    let error = #expect(throws: TableError.self) {
      try ExceptionTable(store, geometry, extent, reading: .kernel)
    }
    #expect(error == .kernelCrash(oldChunk: 1))
    #expect(error.map { "\($0)".contains("crash") } == true)
  }

  private func expectReference(
    _ builder: StoreBuilder, _ image: [UInt8], _ reading: Reading
  ) throws {
    let reference = ReferenceDecoder(image, reading.kernel)
    let store = Store(image)
    let geometry = try #require(store.geometry)
    let extent = StoreScanner(store.source, geometry).scan { _, _ in }
    guard extent.isTerminated else { return }
    guard reference.verdict != .crashes else {
      #expect(throws: TableError.self) {
        try ExceptionTable(store, geometry, extent, reading: reading)
      }
      return
    }
    let table = try ExceptionTable(store, geometry, extent, reading: reading)
    for (run, next) in zip(table.runs, table.runs.dropFirst()) {
      #expect(run.count > 0 && run.lastOld < next.old)
    }
    var chunks: Set<UInt64> = [0, .max]
    for exception in builder.exceptions {
      for distance in [0, 1, 2, exception.new >> 56, exception.new >> 56 + 1] {
        chunks.insert(exception.old &+ distance)
        chunks.insert(exception.old &- distance)
      }
    }
    for chunk in chunks {
      let (ours, theirs) = (
        table.newChunk(for: Chunk(chunk))?.index, reference.newChunk(for: chunk)
      )
      #expect(ours == theirs, "\(reading): old chunk \(chunk)")
    }
  }
}
