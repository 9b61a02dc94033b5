import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What the plan believes of the evidence that it is given.
@Suite struct PlacementPlanTests {
  /// Says what a closure makes of what is proven so far.
  private struct Witness: EvidenceSearch {
    let says: (OrphanPlaces) -> [(new: UInt64, old: UInt64)]

    mutating func look(at new: UInt64, _ content: Span<UInt8>) {}

    mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
      says(scene.proven).map {
        Evidence(kind: .xfsBlock, strength: .proven, new: $0.new, old: $0.old)
      }
    }
  }

  private static let geometry = StoreGeometry(
    chunkSize: ChunkSize.all[0], byteCount: 64 * 512)

  /// A store whose chunks 10 to 19 are orphans; each holds its number, or what it is said to hold.
  private func plan(
    _ searches: [any EvidenceSearch], contents: [UInt64: UInt8] = [:],
    reason: Orphan.Reason = .exceptionLost
  ) throws -> PlacementPlan {
    var bytes: [UInt8] = Array(repeating: 0, count: 64 * 512)
    for chunk in 0..<64 {
      let content = contents[UInt64(chunk)] ?? UInt8(chunk)
      for index in chunk * 512..<(chunk + 1) * 512 { bytes[index] = content }
    }
    return try PlacementPlan(
      MemorySource(bytes), Self.geometry, [ExceptionRun(old: 90, new: 2, count: 8)],
      [Orphan(new: 10, count: 10, old: nil, reason: reason)],
      of: MemorySource(Array(repeating: 0, count: 200 * 512)), searches)
  }

  private func olds(_ plan: PlacementPlan) -> [UInt64: UInt64] {
    var olds: [UInt64: UInt64] = [:]
    for placement in plan.placements {
      for within in 0..<placement.count { olds[placement.new + within] = placement.old + within }
    }
    return olds
  }

  @Test func `two orphans for one place contradict each other, unless they are the same`() throws {
    let both = Witness { _ in [(10, 5), (11, 5), (12, 6)] }
    let other = try plan([both])
    #expect(olds(other) == [12: 6])
    #expect(
      other.unplaced == [
        Unplaced(reason: .contradicted, chunkCount: 2),
        Unplaced(reason: .noEvidence, chunkCount: 7),
      ])
    let same = try plan([both], contents: [10: 7, 11: 7])
    #expect(olds(same) == [10: 5, 12: 6])
  }

  @Test func `what rests on a proof that is contradicted later is not believed`() throws {
    let witness = Witness { proven in
      proven[10] == nil ? [(10, 5)] : [(10, 5), (11, 6)] + (proven[11] == nil ? [] : [(10, 7)])
    }
    let found = try plan([witness, Witness { _ in [(15, 30)] }])
    #expect(olds(found) == [15: 30])
    #expect(found.unplaced.first == Unplaced(reason: .contradicted, chunkCount: 1))
  }

  @Test func `a witness that never ends contradicting itself is not believed at all`() throws {
    let witness = Witness { proven in
      // Each round another orphan is proven, and what was proven before is contradicted.
      let next = (10..<20 as Range<UInt64>).first { proven[$0] == nil } ?? 10
      return [(next, next + 40)] + proven.map { ($0.new, $0.old + 1) }
    }
    let found = try plan([witness])
    #expect(found.provenCount + found.unplacedCount == 10)
  }

  @Test func `what a chunk of the table has, and what leaked, gets no orphan`() throws {
    #expect(olds(try plan([Witness { _ in [(10, 90), (11, 1)] }])) == [11: 1])
    let leaked = try plan([Witness { _ in [(11, 1)] }], reason: .leaked)
    #expect(leaked.placements.isEmpty)
    #expect(leaked.unplaced == [Unplaced(reason: .leaked, chunkCount: 10)])
  }

  @Test func `an exception is found again only when no gap is left for it`() throws {
    let found = try plan([Witness { _ in [(10, 5)] }])
    let generation = Generation(
      index: 0, isCurrent: true, areas: 0..<1, runs: [], exceptionCount: 8, doubtfulCount: 0,
      lostExceptionCount: 1, isEndLost: false, lost: [],
      orphans: [Orphan(new: 10, count: 10, old: nil, reason: .exceptionLost)], orphanCount: 10,
      inFlightCount: 0, isInDoubt: false, findings: [])
    let placed = generation.placing(found, .proven)
    #expect(placed.orphanCount == 9 && placed.lostExceptionCount == 1 && !placed.isComplete)
  }
}
