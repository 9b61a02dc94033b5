import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What the origin holds already is left out, and nothing else.
@Suite struct IdenticalChunksTests {
  /// A table of chunks of 1 KiB, an origin that holds some of them already, and which differ.
  private struct Made {
    let store: [UInt8]
    var origin: [UInt8]
    let differing: Set<UInt64>

    init(seed: UInt64, identicalOf: (Int) -> Bool) {
      var random = SplitMix64(seed: seed)
      var olds: [Int] = []
      for old in 0..<50 where !random.oneIn(3) { olds.append(old) }
      if random.oneIn(2) { olds.shuffle(using: &random) }
      let builder = StoreBuilder(chunkSectors: 2).copying(olds)
      store = builder.image()
      origin = Stamp.origin(byteCount: 48 * 1024 + 512 + 100)  // the last chunk is not whole
      var differing: Set<UInt64> = []
      for exception in builder.exceptions where exception.old < 49 {
        let start = Int(exception.old) * 1024
        let end = min(start + 1024, 48 * 1024 + 512)
        if identicalOf(random.below(3)) {
          let bytes = builder.bytes(ofChunk: Int(exception.new))
          origin.put(
            Array(store[Int(bytes.lowerBound)..<Int(bytes.lowerBound) + end - start]), at: start)
          // One byte may make all the difference.
          guard random.oneIn(4) else { continue }
          origin[end - 1] ^= 1
        }
        differing.insert(exception.old)
      }
      self.differing = differing
    }

    func view(_ unreadable: [Range<UInt64>] = []) throws -> SnapshotView {
      let source = FaultySource(store, unreadable: unreadable)
      let loaded = try LoadedTable(Store(source), reading: .kernel)
      return SnapshotView(of: FaultySource(origin), through: loaded.table, of: source)
    }
  }

  private func chunks(_ table: ExceptionTable) -> [UInt64: UInt64] {
    var chunks: [UInt64: UInt64] = [:]
    for run in table.runs {
      for index in 0..<run.count {
        #expect(chunks.updateValue(run.new + index, forKey: run.old + index) == nil)
      }
    }
    return chunks
  }

  @Test(arguments: UInt64(1)...80)
  func `only chunks that differ are left, with the data that they had`(seed: UInt64) throws {
    let made = Made(seed: seed) { $0 > 0 }
    let view = try made.view()
    let left = try view.skippingIdentical()
    #expect(chunks(left.table) == chunks(view.table).filter { made.differing.contains($0.key) })
    #expect(try left.readAll().bytes == view.readAll().bytes)
    // By whichever ranges a table is restricted, it is the same table.
    let alone = left.table.runs.flatMap { run in (run.old..<run.oldEnd).map { $0..<$0 + 1 } }
    #expect(view.table.restricted(to: alone).digest == left.table.digest)
    #expect(view.table.restricted(to: [0..<1000]).digest == view.table.digest)
  }

  @Test(arguments: UInt64(1)...60)
  func `any ranges leave the chunks that lie in them`(seed: UInt64) throws {
    let view = try Made(seed: seed) { _ in false }.view()
    var random = SplitMix64(seed: seed)
    let ranges = (0..<random.below(9)).map { _ in
      let start = UInt64(random.below(60))
      return start..<start + UInt64(random.below(20))
    }.sorted { $0.lowerBound < $1.lowerBound }
    let expected = chunks(view.table).filter { pair in ranges.contains { $0.contains(pair.key) } }
    #expect(chunks(view.table.restricted(to: ranges)) == expected)
  }

  @Test(arguments: UInt64(1)...100)
  func `of any store the snapshot is the same`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    guard let view = try? SnapshotView(made.store, over: FaultySource(made.origin)) else { return }
    let whole = try view.readAll()
    let left = try view.skippingIdentical().readAll()
    #expect(left.bytes == whole.bytes && left.lost == whole.lost)
    // Over what the merge makes of it nothing is left but what cannot be shown.
    let merged = SnapshotView(of: FaultySource(whole.bytes), through: view.table, of: view.store)
    let rest = try merged.skippingIdentical()
    #expect(rest.mappedByteCount == 0 || !whole.lost.isEmpty)
  }

  @Test func `a table of which all is there already is empty`() throws {
    let view = try Made(seed: 1) { _ in true }.view()
    let merged = SnapshotView(
      of: FaultySource(try view.readAll().bytes), through: view.table, of: view.store)
    let left = try merged.skippingIdentical()
    #expect(left.table.runs.isEmpty && left.mappedByteCount == 0)
  }

  @Test func `what cannot be read is not taken for identical`() throws {
    let made = Made(seed: 7) { _ in true }
    let whole = try made.view()
    let run = try #require(whole.table.runs.first { !made.differing.contains($0.old) })
    let left = try made.view([run.new * 1024 + 600..<run.new * 1024 + 601]).skippingIdentical()
    #expect(Set(chunks(left.table).keys) == made.differing.union([run.old]))
  }

  /// A merge that skipped chunks and was cut off knows what it had set out to do.
  @Test(arguments: UInt64(1)...10)
  func `what an undo store has saved is what is left to do`(seed: UInt64) throws {
    let made = Made(seed: seed) { $0 > 0 }
    let target = VolatileTarget(made.origin)
    let whole = SnapshotView(
      of: target, through: try made.view().table, of: FaultySource(made.store))
    let left = try whole.skippingIdentical()
    let byteCount = UndoStore.byteCount(for: left)
    let file = VolatileTarget([UInt8](repeating: 0, count: Int(byteCount)))
    #expect(
      byteCount < UndoStore.byteCount(for: whole) || left.mappedByteCount == whole.mappedByteCount)
    #expect(try whole.restricted(toUndo: file) == nil)
    let undo = try UndoStore(of: left, over: target, in: file, isNew: true)
    #expect(throws: MergeError.self) {
      try Merger(left, of: left.store, into: target)
        .merge(undo: undo, verify: false, shouldStop: { true })
    }
    #expect(try whole.restricted(toUndo: file) == nil, "it was stopped while it saved")
    var isSaved = false
    let again = try UndoStore(of: left, over: target, in: file, isNew: false)
    #expect(throws: MergeError.self) {
      try Merger(left, of: left.store, into: target).merge(
        undo: again, verify: false, progress: { step, _, _ in isSaved = step == .merging },
        shouldStop: { isSaved })
    }
    let rest = try #require(try whole.restricted(toUndo: file))
    #expect(rest.table.digest == left.table.digest)
    let before = try #require(try SnapshotView(undoing: file, over: target))
    #expect(try before.readAll().bytes == made.origin)
    let last = try UndoStore(of: rest, over: target, in: file, isNew: false)
    _ = try Merger(rest, of: rest.store, into: target).merge(undo: last, verify: true) { _, _, _ in
    }
    let merged = ReferenceDecoder(made.store).view(of: made.origin).bytes
    #expect(target.bytes.firstDifference(from: merged) == nil)
  }
}
