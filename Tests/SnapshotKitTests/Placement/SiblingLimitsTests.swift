import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Siblings where little can be compared: lost ends, lost beginnings, and zeroes everywhere.
@Suite struct SiblingLimitsTests {
  private typealias Copy = (old: Int, content: UInt64)

  private func placements(
    of image: [UInt8], by sibling: [Copy]
  ) throws -> PlacementPlan {
    let plan = try SalvagePlan(Store(FaultySource(image)), chunkSize: ChunkSize(sectorCount: 1))
    return try plan.placements(
      of: try plan.generation(0), origin: nil, siblings: [Sibling(Store(copiedImage(sibling)))])
  }

  /// Different chunks with different contents.
  private func copies(_ olds: Range<Int>, of machine: UInt64 = 1) -> [Copy] {
    olds.map { ($0, machine * 1_000_000 + UInt64($0)) }
  }

  private func zeroes(_ olds: Range<Int>) -> [Copy] { olds.map { ($0, 0) } }

  /// The old chunks that have a place, by their new chunks.
  private func places(_ plan: PlacementPlan) -> [UInt64: UInt64] {
    var places: [UInt64: UInt64] = [:]
    for placement in plan.placements {
      for within in 0..<placement.count {
        places[placement.new + within] = placement.old + within
      }
    }
    return places
  }

  @Test func `zeroes at a lost end are likely copies, as many as a sibling has`() throws {
    let all = copies(100..<166) + zeroes(300..<304)
    let plan = try placements(of: copiedImage(all, lost: 2), by: all)
    #expect(plan.provenCount == 2 && plan.likelyCount == 4 && plan.orphanCount == 6)
    #expect(Set(places(plan).values) == [164, 165, 300, 301, 302, 303])
    let generation = try SalvagePlan(Store(FaultySource(copiedImage(all, lost: 2)))).generation(0)
    let placed = generation.placing(plan, .likely)
    #expect(placed.orphanCount == 0 && placed.exceptionCount == 70)
  }

  @Test func `a sibling that lived longer says nothing of zeroes at the end`() throws {
    let all = copies(100..<166)
    let plan = try placements(
      of: copiedImage(all + zeroes(300..<304), lost: 2),
      by: all + copies(500..<540) + zeroes(300..<304))
    #expect(plan.provenCount == 2 && plan.likelyCount == 0)
  }

  @Test func `what was copied after all that survives is likely`() throws {
    let (before, after) = (copies(100..<164), copies(300..<332))
    let plan = try placements(of: copiedImage(before + after, lost: 2), by: after)
    #expect(plan.siblings.map(\.verdict) == [.used])
    #expect(plan.provenCount == 0 && plan.likelyCount == 32)
    #expect(Set(places(plan).values) == Set(300..<332))
  }

  @Test func `a clone that ends with the same content is no sibling`() throws {
    func writes(_ machine: UInt64, package: Int) -> [Copy] {
      copies(10..<16, of: machine) + copies(Int(machine) * 1000..<Int(machine) * 1000 + 58)
        + (0..<32).map { (package + $0, 9_000_000 + UInt64($0)) }
    }
    let plan = try placements(
      of: copiedImage(writes(1, package: 30_000), lost: 2), by: writes(2, package: 40_000))
    #expect(plan.siblings.map(\.verdict) == [.otherContent])
    #expect(plan.placements.isEmpty)
  }

  @Test func `between zeroes, copies of zeroes are likely, and not proven`() throws {
    let all = copies(100..<108) + zeroes(1000..<2200) + copies(200..<208)
    let plan = try placements(of: copiedImage(all, lost: 18), by: all)
    #expect(plan.orphanCount == 32 && plan.provenCount == 0 && plan.likelyCount == 32)
    #expect(Set(places(plan).values) == Set(1568..<1600))
  }

  /// The younger has lost its beginning, and chunks were wiped with it: six of its own, or some
  /// that both have. Right before it was made, the older had copied zeroes.
  @Test(arguments: [6, 14, 25], [true, false])
  func `chunks that were wiped with the header are no copies of zeroes`(
    count: Int, isHeaderWiped: Bool
  ) throws {
    let common = copies(2000..<2010) + zeroes(2010..<2013) + copies(300..<350)
    let own = copies(1000..<1010, of: 2)
    let older = copies(600..<640) + zeroes(1000..<1020) + common
    var image = copiedImage(own + common)
    for index in (isHeaderWiped ? 0 : 512)..<(2 + count) * 512 { image[index] = 0 }
    let plan = try placements(of: image, by: older)
    #expect(plan.siblings.map(\.verdict) == [.used])
    let whole = (own + common).indices.dropFirst(count).map { (own + common)[$0].old }
    #expect(Set(places(plan).values.map(Int.init)).isSubset(of: whole))
    #expect(Set(302..<309).isSubset(of: places(plan).values.map(Int.init)))
  }

  @Test func `zeroes at the beginning are copies where the sibling has them too`() throws {
    let common = zeroes(2000..<2020) + copies(300..<350)
    var image = copiedImage(common)
    for index in 0..<1024 { image[index] = 0 }
    let plan = try placements(of: image, by: copies(600..<640) + common)
    #expect(Set(places(plan).values) == Set(2000..<2020).union(300..<312))
  }

  /// Two clones of one image write the same chunks first, with other contents, then one package.
  @Test(arguments: [0, 300])
  func `clones that began with the same chunks are no siblings`(further: Int) throws {
    func writes(_ machine: UInt64, package: Int) -> [Copy] {
      copies(100..<164, of: machine) + (0..<32).map { (package + $0, 9_000_000 + UInt64($0)) }
    }
    let plan = try placements(
      of: copiedImage(writes(1, package: 30_000), lost: 2),
      by: writes(2, package: 40_000) + copies(50_000..<50_000 + further))
    #expect(plan.placements.isEmpty)
  }

  /// Of two neighbours, one was zeroed through a snapshot, the other through the other.
  @Test func `the same content in other chunks is no proof`() throws {
    let before = copies(100..<140)
    let after = copies(200..<240)
    let plan = try placements(
      of: copiedImage(before + zeroes(500..<501) + copies(501..<502) + after, lost: 1),
      by: before + copies(500..<501) + zeroes(501..<502) + after)
    let wrong = plan.placements.filter { $0.strength == .proven && 500..<502 ~= $0.old }
    #expect(wrong.isEmpty && plan.provenCount == 30)
  }

  /// An exception that the older made before the younger existed, and the younger after, shows
  /// that all before it was copied for the older alone.
  @Test func `nothing is copied for both before what only one had copied`() throws {
    let common = zeroes(2000..<2010) + copies(300..<350)
    let own = zeroes(900..<910)
    let older = copies(600..<640) + zeroes(1000..<1020) + copies(700..<701) + common
    let plan = try placements(
      of: copiedImage(own + common + copies(700..<701, of: 2), lost: 0), by: older)
    #expect(Set(places(plan).values) == Set(2000..<2010).union(300..<312))
  }
}
