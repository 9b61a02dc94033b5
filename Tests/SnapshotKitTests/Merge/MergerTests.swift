import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Afterwards the origin is what the snapshot showed, whatever happened on the way, and back again.
@Suite struct MergerTests {
  /// Runs of several lengths, in two areas, and the partial last chunk of an odd origin.
  private static let store = StoreBuilder(chunkSectors: 1, chunkCount: 80)
    .copying(Array(3..<20) + Array(30..<41) + [25, 50, 0, 62] + Array(54..<58)).image()
  private static let origin = Stamp.origin(byteCount: 63 * 512 + 100)

  @Test(arguments: UInt64(1)...150)
  func `the origin becomes the view, and undoing gives it back`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    let reference = ReferenceDecoder(made.store)
    guard reference.verdict == .loads else { return }
    let empty = try MergeRig.emptyUndo(of: made.store, into: made.origin)
    let rig = MergeRig(made.store, into: made.origin, undo: empty)
    do {
      try rig.merge()
    } catch MergeError.refused(let refusal) where refusal.code == .kernelWouldFail {
      #expect(rig.power.operationCount == 0)
      return
    }
    let undo = try #require(rig.undo)
    let viewed = reference.view(of: made.origin).bytes
    #expect(rig.origin.bytes.firstDifference(from: viewed) == nil)
    #expect(rig.origin.isFlushed && undo.isFlushed)
    try expectSoundUndo(undo.bytes)
    #expect(ReferenceDecoder(undo.bytes).merge(into: rig.origin.bytes) == made.origin)
    let back = MergeRig(undo.bytes, into: rig.origin.bytes, undo: nil)
    try back.merge()
    #expect(back.origin.bytes.firstDifference(from: made.origin) == nil)
  }

  /// The undo store is one that Linux would take, and that an audit finds nothing wrong with.
  private func expectSoundUndo(_ undo: [UInt8]) throws {
    for kernel in ReferenceDecoder.Kernel.allCases {
      #expect(ReferenceDecoder(undo, kernel).verdict == .loads)
    }
    let audit = Auditor(Store(undo)).audit()
    #expect(audit.findings.allSatisfy { $0.severity == .note }, "\(audit.findings)")
    #expect(audit.verdict == .healthy)
  }

  @Test func `without undo the origin becomes the view too`() throws {
    let rig = MergeRig(Self.store, into: Self.origin, undo: nil)
    let outcome = try rig.merge()
    #expect(!outcome.wasFinished)
    #expect(outcome.byteCount == 36 * 512)
    let expected = ReferenceDecoder(Self.store).view(of: Self.origin).bytes
    #expect(rig.origin.bytes.firstDifference(from: expected) == nil)
    #expect(rig.origin.isFlushed)
  }

  @Test func `neighbours are one write, and nothing else is written`() throws {
    var rig = MergeRig(Self.store, into: Self.origin, undo: nil)
    rig.windowByteCount = 1 << 20
    try rig.merge()
    let expected: [Range<UInt64>] = [
      0..<512, 3 * 512..<20 * 512, 25 * 512..<26 * 512, 30 * 512..<41 * 512, 50 * 512..<51 * 512,
      54 * 512..<58 * 512, 62 * 512..<63 * 512,
    ]
    #expect(rig.origin.writes == expected)
  }

  @Test func `merging twice is merging once`() throws {
    let rig = MergeRig(Self.store, into: Self.origin, undo: nil)
    try rig.merge()
    let once = rig.origin.bytes
    try rig.merge()
    #expect(rig.origin.bytes == once)
  }

  @Test func `a finished merge is not done again`() throws {
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    let rig = MergeRig(Self.store, into: Self.origin, undo: empty)
    try rig.merge()
    let undo = try #require(rig.undo)
    let (writes, undoWrites) = (rig.origin.writes.count, undo.writes.count)
    let outcome = try rig.merge(isNew: false)
    #expect(outcome.wasFinished)
    #expect(rig.origin.writes.count == writes && undo.writes.count == undoWrites)
  }

  @Test func `a finished merge into an origin that was written since is refused`() throws {
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    let rig = MergeRig(Self.store, into: Self.origin, undo: empty)
    try rig.merge()
    try rig.origin.write(at: 5 * 512, from: IOBuffer([1, 2, 3]), 0..<3)
    #expect(throws: MergeError.self) { try rig.merge(isNew: false) }
  }

  @Test func `progress goes up to the end`() throws {
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    let rig = MergeRig(Self.store, into: Self.origin, undo: empty)
    let loaded = try LoadedTable(Store(Self.store), reading: .kernel)
    let view = SnapshotView(of: rig.origin, through: loaded.table, of: loaded.store.source)
    let undo = try UndoStore(of: view, over: rig.origin, in: try #require(rig.undo), isNew: true)
    var done: [MergeStep: [UInt64]] = [:]
    var order: [MergeStep] = []
    _ = try Merger(view, of: loaded.store.source, into: rig.origin)
      .merge(undo: undo, verify: false) { step, byteCount, total in
        if order.last != step { order.append(step) }
        done[step, default: []].append(byteCount)
        #expect(total == view.mappedByteCount)
      }
    // Each byte is saved once, and then merged once.
    #expect(order == [.saving, .merging])
    for counts in done.values {
      #expect(counts == counts.sorted() && counts.last == view.mappedByteCount)
    }
  }

  // MARK: - Failures

  @Test func `a store that cannot be read stops the merge, and the next one finishes it`() throws {
    let store = FaultySource(Self.store)
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    let target = VolatileTarget(Self.origin)
    let view = SnapshotView(of: target, through: loaded.table, of: store)
    store.unreadable = [20 * 512..<20 * 512 + 1]
    #expect(throws: MergeError.self) {
      try Merger(view, of: store, into: target).merge(undo: nil, verify: true) { _, _, _ in }
    }
    store.unreadable = []
    _ = try Merger(view, of: store, into: target).merge(undo: nil, verify: true) { _, _, _ in }
    #expect(target.bytes == ReferenceDecoder(Self.store).view(of: Self.origin).bytes)
  }

  @Test func `what is read back otherwise than written is an error`() throws {
    final class Forgetful: BlockTarget, @unchecked Sendable {
      let content: FaultySource
      init(_ bytes: [UInt8]) { content = FaultySource(bytes) }
      var name: String { "forgetful.img" }
      var byteCount: UInt64 { content.byteCount }
      func read(
        at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
      ) throws(BlockIOError) { try content.read(at: byteOffset, into: buffer, range) }
      func write(
        at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
      ) throws(BlockIOError) {}
      func flush() throws(BlockIOError) {}
    }
    let loaded = try LoadedTable(Store(Self.store), reading: .kernel)
    let target = Forgetful(Self.origin)
    let view = SnapshotView(of: target, through: loaded.table, of: loaded.store.source)
    let merger = Merger(view, of: loaded.store.source, into: target)
    let error = #expect(throws: MergeError.self) {
      try merger.merge(undo: nil, verify: true) { _, _, _ in }
    }
    guard case .verificationFailed(_, let byteOffset) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(byteOffset == 0)
    _ = try merger.merge(undo: nil, verify: false) { _, _, _ in }
  }
}

/// A merge of what was salvaged leaves alone what it cannot read, and says so.
@Suite struct SalvageMergerTests {
  private static let origin = Stamp.origin(byteCount: 63 * 512 + 100)
  private static let bad: [Range<UInt64>] = [5 * 512..<5 * 512 + 1, 12 * 512..<14 * 512]

  /// A store whose header is gone, one exception wrong, and some data unreadable.
  private let store = FaultySource(
    StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(Array(3..<20) + Array(30..<41))
      .image(.headerZeroed, .exception(slot: 20, old: 33, new: 70)), name: "store.img",
    unreadable: bad)
  private let target = VolatileTarget(origin, name: "origin.img")

  private func view() throws -> (LoadedTable, SnapshotView) {
    let loaded = try LoadedTable(Store(store), reading: .salvage)
    return (loaded, SnapshotView(of: target, through: loaded.table, of: store))
  }

  /// Which sectors of the origin have something else now.
  private var changed: [Int] {
    let bytes = target.bytes
    return (0..<63).filter {
      bytes[$0 * 512..<($0 + 1) * 512] != Self.origin[$0 * 512..<($0 + 1) * 512]
    }
  }

  @Test func `what cannot be read is left as it is, and listed`() throws {
    let (loaded, view) = try view()
    #expect(try loaded.mergeObstacle(originByteCount: target.byteCount) == nil)
    let outcome = try Merger(view, of: store, into: target)
      .merge(undo: nil, verify: true) { _, _, _ in }
    // The store's sectors 5, 12 and 13 are for old chunks 6, 13 and 14.
    #expect(
      outcome.lost == [
        LostRange(3072..<3584, .storeUnreadable),
        LostRange(6656..<7680, .storeUnreadable),
      ])
    #expect(outcome.byteCount == (27 - 3) * 512)
    let expected = [3, 4, 5] + Array(7..<13) + Array(15..<20) + [30, 31, 32] + Array(34..<41)
    #expect(changed == expected)
    #expect(target.isFlushed)
  }

  @Test func `an undo store gives all of it back`() throws {
    let (_, view) = try view()
    let file = VolatileTarget(
      [UInt8](repeating: 0, count: Int(UndoStore.byteCount(for: view))), name: "undo.cow")
    let undo = try UndoStore(of: view, over: target, in: file, isNew: true)
    let outcome = try Merger(view, of: store, into: target)
      .merge(undo: undo, verify: true) { _, _, _ in }
    #expect(outcome.lost.ranges == [3072..<3584, 6656..<7680])
    #expect(!changed.isEmpty)
    let back = MergeRig(file.bytes, into: target.bytes, undo: nil)
    try back.merge()
    #expect(back.origin.bytes.firstDifference(from: Self.origin) == nil)
  }

  @Test func `a chunk that is there in part is merged as far as it goes`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying(1..<5)
    let cut = FaultySource(builder.image(.cut(byteCount: 4 * 4096 + 1024)))
    let loaded = try LoadedTable(Store(cut), reading: .salvage)
    let target = VolatileTarget(Stamp.origin(byteCount: 8 * 4096))
    let view = SnapshotView(of: target, through: loaded.table, of: cut)
    let outcome = try Merger(view, of: cut, into: target).merge(undo: nil, verify: true) {
      _, _, _ in
    }
    #expect(outcome.lost == [LostRange(13_312..<16_384, .beyondStore)])
    #expect(target.writes == [4096..<13_312])
  }

  @Test func `a kernel's reading does not put up with any of it`() throws {
    let whole = FaultySource(
      StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(3..<20).image(), unreadable: Self.bad)
    let loaded = try LoadedTable(Store(whole), reading: .kernel)
    let view = SnapshotView(of: target, through: loaded.table, of: whole)
    #expect(throws: MergeError.self) {
      try Merger(view, of: whole, into: target).merge(undo: nil, verify: true) { _, _, _ in }
    }
  }
}
