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

  @Test(arguments: [Orphan.Reason.leaked, .inFlight, .endLost])
  func `content that the journal attests is proven only where it was copied for certain`(
    reason: Orphan.Reason
  ) throws {
    let overlay = try Ext4Overlay()
    for old in [overlay.table, overlay.journal + 2] {
      let plan = try overlay.plan(
        surviving: Set(overlay.olds).subtracting([old]), reason: reason)
      #expect(overlay.isRight(plan))
      #expect(overlay.placed(plan) == (reason == .leaked ? [] : [old]))
      #expect(plan.provenCount == (reason == .endLost ? 1 : 0))
    }
  }

  @Test func `what has the right checksum and another content proves nothing`() throws {
    let overlay = try Ext4Overlay()
    for old in [overlay.table, overlay.journal + 1] {
      var other = overlay
      other.addCollision(with: old)
      let plan = try other.plan(surviving: Set(overlay.olds).subtracting([old]))
      #expect(other.isRight(plan), "\(old)")
    }
  }

  @Test func `in an origin that was written on, what it overwrote is found`() throws {
    let volume = try Ext4Overlay().writtenOn()
    let survivors: Set<UInt64> = [0, volume.journal]
    let plan = try volume.plan(surviving: survivors)
    #expect(volume.isRight(plan))
    #expect(volume.placed(plan) == Set(volume.olds).subtracting(survivors))
    #expect(plan.likelyCount == 0)
  }

  @Test func `an older version in the journal is no proof where the right one may be lost`() throws
  {
    let volume = try Ext4Overlay().writtenOn(isUnlogged: true)
    // Without the descriptor nothing says that the older version is the journal's.
    let survivors: Set<UInt64> = [0, volume.journal]
    let (home, descriptor) = (volume.table + 1, volume.journal + 1)
    let end = try volume.plan(surviving: survivors, wiped: [descriptor], endLost: [home])
    #expect(volume.isRight(end))
    let unreadable = try volume.plan(
      surviving: survivors, wiped: [descriptor], unreadable: [home])
    #expect(unreadable.placements(.proven).allSatisfy { $0.old != home })
    // The right one alone is the right one.
    let alone = try volume.plan(
      surviving: survivors.union([volume.journal + 3]), wiped: [descriptor])
    #expect(volume.isRight(alone) && volume.placed(alone).contains(home))
  }

  @Test func `so many checksums meet so many orphans by chance`() throws {
    let scene = try Ext4Overlay().scene(surviving: [])
    let volume = try #require(try Ext4Volume(scene.view))
    var orphans = Ext4OrphanBlocks(volume, nil)
    try OrphanReader(scene.store, scene.geometry, scene.orphans).forEach { orphans.add($0, $1) }
    let claims = Ext4Claims(volume, orphans, scene)
    #expect(claims.isRare(1 << 16))
    #expect(!claims.isRare(1 << 24) && !claims.isRare(.max))
  }

  @Test func `nothing is read again while nothing more is proven`() throws {
    let overlay = try Ext4Overlay()
    let scene = try overlay.scene(surviving: [overlay.journal + 7])
    var search = try #require(try Ext4Search(scene.view))
    try OrphanReader(scene.store, scene.geometry, scene.orphans).forEach { search.look(at: $0, $1) }
    let first = try search.evidence(in: scene)
    let origin = try #require(scene.origin as? FaultySource)
    let count = origin.reads.count
    let second = try search.evidence(in: scene)
    #expect(!first.isEmpty && first == second)
    #expect(origin.reads.count == count)
  }
}
