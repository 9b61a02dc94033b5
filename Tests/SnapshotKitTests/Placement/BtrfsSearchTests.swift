import BlockIO
import FileSystemFormat
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What a btrfs says of orphans is right, and proven only if it must be so.
struct BtrfsSearchTests {
  @Test(arguments: [4, 8, 16, 32] as [UInt32])
  func `all that was copied is found from the superblock down`(chunkSectors: UInt32) throws {
    let scene = try BtrfsScene(chunkSectors: chunkSectors)
    let (plan, isRight) = try scene.plan(.exceptionLost)
    #expect(isRight)
    #expect(plan.likelyCount == 0)
    let size = scene.geometry.chunkSize.byteCount
    if chunkSectors >= 8 {
      #expect(Int(plan.unplacedCount) == scene.olds.count { scene.isZero($0) })
      #expect(plan.placements.contains { $0.old == BtrfsScene.newData / size })
    }
    #expect(plan.placements.map(\.evidence).allSatisfy { $0 == [.btrfsNode] || $0 == [.btrfsData] })
  }

  @Test func `of a table of which nothing is left, all that would be proven is likely`() throws {
    let scene = try BtrfsScene()
    let (plan, isRight) = try scene.plan(.endLost)
    #expect(isRight && plan.provenCount == 0)
    #expect(try plan.placements.map(\.run) == scene.plan(.exceptionLost).plan.placements.map(\.run))
  }

  @Test(arguments: [8, 16, 32] as [UInt32])
  func `a part of a node is found by the rest`(chunkSectors: UInt32) throws {
    let scene = try BtrfsScene(chunkSectors: chunkSectors)
    let size = scene.geometry.chunkSize.byteCount
    for old in scene.olds where !scene.isZero(old) {
      let (plan, isRight) = try scene.plan(.exceptionLost) { $0 != old * size }
      #expect(isRight)
      #expect(plan.provenCount == 1)
      #expect(plan.placements.first?.old == old)
    }
  }

  @Test func `chunks longer than nodes are placed by all their nodes`() throws {
    let scene = try BtrfsScene(chunkSectors: 64)
    let superblock = BtrfsScene.superblock
    let (plan, isRight) = try scene.plan(.exceptionLost) { $0 == superblock }
    #expect(isRight)
    #expect(plan.unplacedCount == 0)
  }

  @Test func `where a sector is split, its chunks were copied one after the other`() throws {
    let scene = try BtrfsScene(chunkSectors: 4)
    let data = BtrfsScene.newData
    let (plan, isRight) = try scene.plan(.exceptionLost) { $0 < data }
    #expect(isRight)
    #expect(plan.provenCount == 12)
  }

  @Test func `a copy that may not have ended is only likely, unless a checksum has its content`()
    throws
  {
    let scene = try BtrfsScene()
    let superblock = BtrfsScene.superblock
    let (likely, isLikelyRight) = try scene.plan(.inFlight) { $0 == superblock }
    #expect(isLikelyRight)
    #expect(likely.provenCount == 0)
    #expect(likely.likelyCount > 0)
    let (proven, isProvenRight) = try scene.plan(.inFlight) { $0 < BtrfsScene.newData }
    #expect(isProvenRight)
    #expect(proven.provenCount == 6)
  }

  @Test func `a superblock that may be another store's is not believed`() throws {
    for reason in [Orphan.Reason.endLost, .inFlight, .leaked] {
      #expect(try BtrfsScene().plan(reason).plan.provenCount == 0)
    }
  }

  @Test func `what leaked is nothing's`() throws {
    let superblock = BtrfsScene.superblock
    let (plan, _) = try BtrfsScene().plan(.leaked) { $0 == superblock }
    #expect(plan.placements.isEmpty)
  }

  @Test func `at the end of the table, one of a kind is this store's`() throws {
    let superblock = BtrfsScene.superblock
    let scene = try BtrfsScene()
    let (plan, isRight) = try scene.plan(.endLost) { $0 == superblock }
    #expect(isRight)
    #expect(Int(plan.unplacedCount) == scene.olds.count { scene.isZero($0) })
    #expect(plan.likelyCount == 0)
  }

  @Test(arguments: [Orphan.Reason.endLost, .inFlight])
  func `another clone's nodes and data prove nothing`(reason: Orphan.Reason) throws {
    let scene = try BtrfsScene()
    let clone = try BtrfsScene(seed: 2)
    let foreign = clone.olds.map { Array(clone.snapshot[Int($0) * 4096..<(Int($0) + 1) * 4096]) }
    let superblock = BtrfsScene.superblock
    let (plan, isRight) = try scene.plan(reason, foreign: foreign) { $0 == superblock }
    #expect(isRight)
    // The checksums are in doubt, and so is what they are of.
    #expect(plan.provenCount <= UInt64(scene.olds.count))
    let (data, isDataRight) = try scene.plan(reason, foreign: foreign) { $0 < BtrfsScene.newData }
    #expect(isDataRight)
    #expect(data.provenCount == 6)
  }

  @Test func `data is not read because a checksum resembles an orphan's`() throws {
    let scene = try BtrfsScene()
    let place = Int(scene.byteOfOldData)
    var wanted = CRC32C(register: 0)
    wanted.add(scene.origin.span.extracting(place..<place + 4096))
    // All that ends in these four bytes, after zeroes, has a checksum that differs in one bit.
    let end = CRC32C.integer(from: 0, to: wanted.register ^ 1)
    let other = [UInt8](repeating: 0, count: 4092) + end.littleEndianBytes
    let (_, isRight, origin, _) = try scene.planCounting(.exceptionLost, foreign: [other]) { _ in
      true
    }
    #expect(isRight)
    let sector = scene.byteOfOldData..<scene.byteOfOldData + 4096
    #expect(!origin.reads.contains { $0.overlaps(sector) })
  }

  @Test func `orphans that are the same are compared once, however many chunks need them`() throws {
    let scene = try BtrfsScene(isRepeated: true)
    let data = BtrfsScene.newData
    let (plan, isRight, _, store) = try scene.planCounting(.exceptionLost) { $0 < data }
    #expect(isRight && plan.provenCount == 6)
    let first = try scene.new(0) * 4096
    #expect(store.reads.count { $0 == first..<first + 4096 } <= 2)
  }

  @Test func `without a btrfs there is nothing to search`() throws {
    let zeroes = MemorySource([UInt8](repeating: 0, count: 1 << 20))
    #expect(try BtrfsSearch(view: zeroes, chunkByteCount: 4096) == nil)
    let scene = try BtrfsScene()
    let origin = MemorySource(scene.origin)
    #expect(try BtrfsSearch(view: origin, at: 4096, chunkByteCount: 4096) == nil)
    #expect(try BtrfsSearch(view: MemorySource([]), chunkByteCount: 4096) == nil)
  }
}
