import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What another snapshot of the same origin proves of orphans, and what it does not.
@Suite struct SiblingSearchTests {
  /// Two snapshots, the second taken after sixty of two hundred writes; some chunks are written
  /// again, so that only the second has a copy of them from then on.
  private static func model(seed: UInt64 = 1) -> CopyModel {
    var (model, random) = (CopyModel(chunkCount: 400), SplitMix64(seed: seed))
    model.snap()
    for _ in 0..<60 { model.write(Int.random(in: 0..<100, using: &random)) }
    model.snap()
    for _ in 0..<300 { model.write(Int.random(in: 0..<400, using: &random)) }
    return model
  }

  private func placement(
    _ model: CopyModel, _ damaged: Int, by other: Int, lost areas: [Int],
    unreadable: [Range<UInt64>] = []
  ) throws -> (plan: PlacementPlan, generation: Generation) {
    let builder = model.builder(damaged)
    var image = model.image(damaged)
    for area in areas {
      Damage.randomChunk(builder.chunk(ofArea: area), seed: 5).apply(to: &image, of: builder)
    }
    let origin = FaultySource(model.originImage)
    let plan = try SalvagePlan(
      Store(FaultySource(image, unreadable: unreadable)), originByteCount: origin.byteCount)
    let generation = try plan.generation(0)
    let sibling = try Sibling(Store(model.image(other)))
    return (
      try plan.placements(of: generation, origin: origin, siblings: [sibling]), generation
    )
  }

  /// How many proofs there are, of which every one must be right.
  private func proven(_ plan: PlacementPlan, _ model: CopyModel, _ damaged: Int) -> Int {
    let exceptions = Set(model.builder(damaged).exceptions)
    var count = 0
    for placement in plan.placements where placement.strength == .proven {
      for within in 0..<placement.count {
        #expect(
          exceptions.contains(
            StoreBuilder.Exception(placement.old + within, placement.new + within)))
        count += 1
      }
    }
    return count
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `an area of the older that was lost after the younger was made is proven whole`(
    seed: UInt64
  ) throws {
    let model = Self.model(seed: seed)
    let found = try placement(model, 0, by: 1, lost: [4])
    #expect(found.plan.orphanCount == 32)
    #expect(proven(found.plan, model, 0) == 32)
    let placed = found.generation.placing(found.plan, .proven)
    #expect(placed.isComplete && placed.orphans.isEmpty && placed.orphanCount == 0)
    #expect(placed.exceptionCount == UInt64(model.snapshots[0].copies.count))
  }

  @Test(arguments: [1, 2, 3] as [UInt64], [0, 1])
  func `of a store that lost every exception, all that both copied is likely`(
    seed: UInt64, damaged: Int
  ) throws {
    let model = Self.model(seed: seed)
    let copies = model.snapshots[damaged].copies
    let found = try placement(
      model, damaged, by: 1 - damaged, lost: Array(0...(copies.count - 1) / 32))
    let common = Set(model.snapshots[1 - damaged].copies.map(\.content))
    #expect(found.plan.orphanCount == UInt64(copies.count))
    #expect(found.plan.provenCount == 0 && found.plan.siblings.map(\.verdict) == [.used])
    #expect(found.plan.likelyCount == UInt64(copies.count { common.contains($0.content) }))
    let exceptions = Set(model.builder(damaged).exceptions)
    for run in found.plan.placements.map(\.run) {
      for within in 0..<run.count {
        #expect(
          exceptions.contains(StoreBuilder.Exception(run.old + within, run.new + within)))
      }
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `of what the younger lost, all that the older copied as well is proven`(seed: UInt64) throws
  {
    let model = Self.model(seed: seed)
    let common = Set(model.snapshots[0].copies.map(\.content))
    for area in 0..<4 {
      let found = try placement(model, 1, by: 0, lost: [area])
      let lost = model.snapshots[1].copies[area * 32..<(area + 1) * 32]
      #expect(proven(found.plan, model, 1) == lost.count { common.contains($0.content) })
    }
  }

  @Test func `what was copied before the younger was made is not taken from it`() throws {
    let model = Self.model()
    let found = try placement(model, 0, by: 1, lost: [0])
    #expect(found.plan.orphanCount == 32 && found.plan.provenCount == 0)
    let placed = found.generation.placing(found.plan, .proven)
    #expect(!placed.isComplete && placed.orphanCount == 32)
  }

  @Test func `writes through a snapshot are not believed, and disturb nothing else`() throws {
    var model = Self.model()
    let copied = Set(model.snapshots[0].copies.map(\.old))
    for chunk in (0..<400).filter({ !copied.contains($0) }).prefix(3) {
      model.write(chunk, throughSnapshot: 0)
    }
    let found = try placement(model, 0, by: 1, lost: [4])
    #expect(proven(found.plan, model, 0) == 32)
    // A copy that both had, and that one of them was written over since.
    let changed = model.snapshots[1].copies.last?.old ?? 0
    model.write(changed, throughSnapshot: 1)
    let last = (model.snapshots[0].copies.count - 1) / 32
    let after = try placement(model, 0, by: 1, lost: [last])
    #expect(
      after.plan.placements.allSatisfy { !($0.old..<$0.old + $0.count).contains(UInt64(changed)) })
    _ = proven(after.plan, model, 0)
  }

  @Test func `a snapshot of another origin proves nothing`() throws {
    let (model, other) = (Self.model(seed: 1), Self.model(seed: 99))
    var image = model.image(0)
    let builder = model.builder(0)
    Damage.randomChunk(builder.chunk(ofArea: 4), seed: 5).apply(to: &image, of: builder)
    let origin = FaultySource(model.originImage)
    let plan = try SalvagePlan(Store(FaultySource(image)), originByteCount: origin.byteCount)
    var foreign = other
    for chunk in 0..<400 { foreign.write(chunk, throughSnapshot: 1) }
    let found = try plan.placements(
      of: try plan.generation(0), origin: origin, siblings: [Sibling(Store(foreign.image(1)))])
    #expect(found.provenCount == 0)
  }

  @Test func `siblings of another chunk size say nothing`() throws {
    let model = Self.model()
    var other = CopyModel(chunkCount: 400, chunkSectors: 2)
    other.snap()
    for chunk in 0..<100 { other.write(chunk) }
    var image = model.image(0)
    let builder = model.builder(0)
    Damage.randomChunk(builder.chunk(ofArea: 4), seed: 5).apply(to: &image, of: builder)
    let plan = try SalvagePlan(Store(FaultySource(image)))
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil, siblings: [Sibling(Store(other.image(0)))])
    #expect(found.provenCount == 0 && found.orphanCount == 32)
  }

  @Test func `two clones that wrote the same content in other places are no siblings`() throws {
    /// What a machine writes: a few chunks that all have, its own, a package, and its own again.
    func writes(_ machine: Int, package: Int) -> [(old: Int, content: UInt64)] {
      let own = UInt64(machine * 100_000)
      return (0..<6).map { (10 + $0, own + UInt64($0)) }
        + (0..<26).map { (5000 * machine + 7 * $0, own + 100 + UInt64($0)) }
        + (0..<60).map { (package + $0, 9_000_000 + UInt64($0)) }
        + (0..<20).map { (5000 * machine + 2000 + 7 * $0, own + 200 + UInt64($0)) }
    }
    let store = Store(FaultySource(copiedImage(writes(1, package: 30_000), lost: 2)))
    let plan = try SalvagePlan(store)
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil,
      siblings: [Sibling(Store(copiedImage(writes(2, package: 40_000))))])
    #expect(found.orphanCount == 32 && found.provenCount == 0)
    #expect(found.siblings.map(\.verdict) != [.used])
  }

  @Test(arguments: [
    StoreBuilder.Exception(109, (1 << 55) + 5), StoreBuilder.Exception(.max - 1, 11),
    StoreBuilder.Exception(109, 3),
  ])
  func `exceptions of a sibling that cannot be are left out`(_ odd: StoreBuilder.Exception) throws {
    let copies = (0..<70).map { (old: 100 + $0, content: UInt64($0) + 1) }
    let builder = StoreBuilder(chunkSectors: 1).copying(copies.map(\.old))
    var sibling = copiedImage(copies)
    Damage.exception(slot: 9, old: odd.old, new: odd.new).apply(to: &sibling, of: builder)
    let plan = try SalvagePlan(Store(FaultySource(copiedImage(copies, lost: 1))))
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil, siblings: [Sibling(Store(sibling))])
    #expect(found.provenCount == 32)
    #expect(found.placements.allSatisfy { $0.old == $0.new + 97 })
  }

  @Test func `what was written twice in one order is nothing that both copied`() throws {
    var model = CopyModel(chunkCount: 400)
    model.snap()
    for chunk in 0..<200 { model.write(chunk) }
    model.snap()
    for chunk in 200..<264 { model.write(chunk) }
    for chunk in 0..<200 { model.write(chunk) }
    let found = try placement(model, 1, by: 0, lost: [0])
    #expect(proven(found.plan, model, 1) == 32)
  }

  @Test func `copies of zeroes are proven at the table's end, before what was copied later`() throws
  {
    var copies: [(old: Int, content: UInt64)] = []
    for index in 0..<70 {
      copies.append((old: 100 + index, content: index % 3 == 0 ? UInt64(index) + 1 : 0))
    }
    let plan = try SalvagePlan(Store(FaultySource(copiedImage(copies, lost: 2))))
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil, siblings: [Sibling(Store(copiedImage(copies)))])
    #expect(found.orphanCount == 6 && found.provenCount == 6)
    #expect(found.placements.map(\.new) == [68] && found.placements.map(\.old) == [164])
  }

  @Test func `where one store has more, what is the same shows which are the others`() throws {
    var copies: [(old: Int, content: UInt64)] = []
    for index in 0..<96 { copies.append((old: 100 + index, content: UInt64(index) + 1)) }
    for index in 32..<64 { copies[index].content = 0 }
    let other = try Sibling(Store(copiedImage(copies)))
    copies.insert((old: 999, content: 777), at: 40)
    let builder = StoreBuilder(chunkSectors: 1).copying(copies.map(\.old))
    let unread = builder.bytes(ofChunk: Int(builder.exceptions[50].new))
    let plan = try SalvagePlan(
      Store(FaultySource(copiedImage(copies, lost: 1), unreadable: [unread])))
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil, siblings: [other])
    #expect(found.orphanCount == 32 && found.provenCount == 0 && found.likelyCount == 31)
    let right = Set(builder.exceptions)
    for run in found.placements.map(\.run) {
      for within in 0..<run.count {
        #expect(right.contains(StoreBuilder.Exception(run.old + within, run.new + within)))
      }
    }
  }

  @Test func `a chunk that was written through a snapshot keeps its turn in a row of equals`()
    throws
  {
    var copies: [(old: Int, content: UInt64)] = []
    for index in 0..<96 { copies.append((old: 100 + index, content: UInt64(index) + 1)) }
    for index in 40..<44 { copies[index].content = 0 }
    let other = try Sibling(Store(copiedImage(copies)))
    copies[43].content = 777
    let plan = try SalvagePlan(Store(FaultySource(copiedImage(copies, lost: 1))))
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil, siblings: [other])
    let bySibling = found.placements.filter {
      $0.strength == .likely && $0.evidence.contains(.sibling)
    }
    #expect(found.provenCount == 28)
    #expect(bySibling.map(\.old) == [140] && bySibling.map(\.count) == [3])
  }

  @Test(arguments: [0, 1])
  func `a chunk that cannot be read takes no place of another`(_ surplus: Int) throws {
    // The sibling has as much between what both have, or more: then which it is is not known.
    var copies: [(old: Int, content: UInt64)] = []
    for index in 0..<96 { copies.append((old: 100 + index, content: UInt64(index) + 1)) }
    var theirs = copies
    for index in 0..<surplus { theirs.insert((old: 900 + index, content: 5000), at: 41) }
    let builder = StoreBuilder(chunkSectors: 1).copying(copies.map(\.old))
    let unread = builder.bytes(ofChunk: Int(builder.exceptions[40].new))
    let plan = try SalvagePlan(
      Store(FaultySource(copiedImage(copies, lost: 1), unreadable: [unread])))
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil, siblings: [Sibling(Store(copiedImage(theirs)))])
    #expect(found.provenCount == 31 && found.likelyCount == UInt64(1 - surplus))
  }

  @Test func `a row of copies with a bad sector keeps its places before all that both have`() throws
  {
    // The younger: what it copied first is a row of zeroes, and then what the older had already.
    let row = (0..<40).map { (old: 100 + $0, content: UInt64(0)) }
    let rest = (0..<60).map { (old: 300 + $0, content: UInt64($0) + 1) }
    let early = (0..<20).map { (old: 700 + $0, content: UInt64($0) + 500) }
    let again = early.map { (old: $0.old, content: $0.content + 100) }
    let own = row + again + rest
    let builder = StoreBuilder(chunkSectors: 2).copying(own.map(\.old))
    let bad = builder.bytes(ofChunk: Int(builder.exceptions[20].new)).lowerBound
    let plan = try SalvagePlan(
      Store(
        FaultySource(
          copiedImage(own, lost: 0, chunkSectors: 2), unreadable: [bad..<bad + 512])))
    let found = try plan.placements(
      of: try plan.generation(0), origin: nil,
      siblings: [Sibling(Store(copiedImage(early + row + rest, chunkSectors: 2)))])
    #expect(found.provenCount + found.likelyCount >= 40)
    let right = Set(builder.exceptions)
    let placed = found.placements.flatMap { placement in
      (0..<placement.count).map {
        StoreBuilder.Exception(placement.old + $0, placement.new + $0)
      }
    }
    #expect(Set(placed.map(\.old)).isSuperset(of: (100..<140).map { UInt64($0) }))
    // Of equal content any will do.
    #expect(placed.allSatisfy { right.contains($0) || (100..<140).contains($0.old) })
  }

  @Test(arguments: [true, false])
  func `what cannot be read of a chunk is read from a sibling beyond zeroes`(
    _ isSame: Bool
  ) throws {
    // Around the chunk are zeroes; what is next to them tells whether the order is common.
    var copies: [(old: Int, content: UInt64)] = []
    for index in 0..<128 { copies.append((old: 100 + index, content: UInt64(index) + 1)) }
    for index in 30..<50 where index != 40 { copies[index].content = 0 }
    var theirs = copies
    if !isSame { for index in [28, 29, 50, 51] { theirs[index].content += 1000 } }
    let builder = StoreBuilder(chunkSectors: 2).copying(copies.map(\.old))
    let start = builder.bytes(ofChunk: Int(builder.exceptions[40].new)).lowerBound
    let plan = try SalvagePlan(
      Store(
        FaultySource(
          copiedImage(copies, lost: 1, chunkSectors: 2), unreadable: [start + 512..<start + 1024])))
    let loaded = try LoadedTable(
      plan, generation: 0,
      placing: Placing(siblings: [Sibling(Store(copiedImage(theirs, chunkSectors: 2)))]))
    let buffer = IOBuffer(byteCount: 1024)
    let unreadable = try loaded.store.source.readAround(at: start, into: buffer, 0..<1024)
    #expect(unreadable.isEmpty == isSame)
    if isSame {
      let model = CopyModel(chunkCount: 1, chunkSectors: 2)
      #expect(buffer.bytes(0..<1024) == model.bytes(of: 41))
    }
  }
}
