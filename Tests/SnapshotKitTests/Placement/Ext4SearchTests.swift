import TestSupport
import Testing

@testable import SnapshotKit

/// What the metadata of an ext4 proves, and what it does not.
@Suite(.enabled(if: ToolRunner(named: "mke2fs") != nil, "mke2fs must be installed"))
struct Ext4SearchTests {
  @Test func `a transaction that survives leads to all before it, and to the homes`() throws {
    let overlay = try Ext4Overlay()
    // Only the end of the last transaction is left.
    let plan = try overlay.plan(surviving: [overlay.journal + 7])
    #expect(overlay.isRight(plan))
    #expect(overlay.placed(plan) == Set(overlay.olds).subtracting([overlay.journal + 7]))
    #expect(plan.placements.allSatisfy { $0.strength == .proven })
  }

  @Test func `any block that is lost alone is found`() throws {
    let overlay = try Ext4Overlay()
    for old in Set(overlay.olds) {
      let plan = try overlay.plan(surviving: Set(overlay.olds).subtracting([old]))
      #expect(overlay.isRight(plan) && overlay.placed(plan) == [old], "\(old)")
    }
  }

  @Test func `copies in the journal are not taken for homes`() throws {
    let overlay = try Ext4Overlay()
    // The homes' data is gone: what passes for them is in the journal, or older.
    let plan = try overlay.plan(
      surviving: [overlay.journal + 7], wiped: [overlay.table])
    #expect(overlay.isRight(plan))
    #expect(overlay.placed(plan).contains(overlay.table + 1))
  }

  @Test func `without the journal's superblock no home is proven`() throws {
    let overlay = try Ext4Overlay()
    let plan = try overlay.plan(
      surviving: [overlay.journal + 7], wiped: [overlay.journal])
    #expect(overlay.isRight(plan))
    // Where they lie is likely: they are the newest of their inodes.
    #expect(
      overlay.placed(plan, .proven).isDisjoint(with: [overlay.table, overlay.table + 1]))
  }

  @Test(arguments: [Orphan.Reason.leaked, .inFlight])
  func `what may be of another use of the space structures nothing`(
    reason: Orphan.Reason
  ) throws {
    let overlay = try Ext4Overlay()
    let plan = try overlay.plan(surviving: [overlay.journal + 7], reason: reason)
    #expect(plan.placements == [])
  }
}
