import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// A plan has what survives, tells the tables apart, and never trusts a header more than areas.
@Suite struct SalvagePlanTests {
  /// A table in which chunks of an origin were copied in any order.
  private func builder(_ random: inout SplitMix64, count: Int, leaking: Bool = false)
    -> StoreBuilder
  {
    let builder = StoreBuilder(chunkSectors: 1)
    var position = 0
    var copy = builder
    for old in (0..<count).shuffled(using: &random) {
      if leaking, random.oneIn(25) { position += 1 + random.below(3) }
      copy.exceptions.append(
        StoreBuilder.Exception(UInt64(old), UInt64(builder.dataChunk(position))))
      position += 1
    }
    copy.chunkCount = builder.dataChunk(position) + 33
    return copy
  }

  @Test(arguments: UInt64(1)...40)
  func `a whole store is one complete generation, all of it`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let isLeaking = seed % 2 == 0
    let builder = builder(&random, count: 1 + random.below(200), leaking: isLeaking)
    let plan = try SalvagePlan(builder.image())
    let generation = try #require(plan.generations.first)
    #expect(plan.generations.count == 1)
    #expect(generation.exceptions == builder.exceptions)
    #expect(generation.isCurrent && generation.index == 0)
    // Chunks that leaked just at an area's beginning may be those of lost exceptions.
    #expect(generation.isComplete || isLeaking)
    #expect(generation.doubtfulCount == 0)
    #expect(generation.lost == [] && (generation.lostExceptionCount == 0 || isLeaking))
    #expect(generation.areas == 0..<UInt64(builder.exceptions.count / 32 + 1))
    // Leaked chunks are no decision.
    #expect(generation.codes == [] || (isLeaking && generation.codes == [.orphans]))
    #expect(plan.unreadable == [])
    #expect(plan.inferred.basis == .header && plan.geometry.chunkSize.sectorCount == 1)
  }

  // MARK: - Damage

  /// What can happen to an area.
  private enum Fate: CaseIterable { case intact, zeroed, random, unreadable, flipped }

  /// Damages a store, and returns which of its exceptions are untouched and where it is unreadable.
  private func damage(
    _ image: inout [UInt8], of builder: StoreBuilder, _ random: inout SplitMix64
  ) -> (untouched: [StoreBuilder.Exception], unreadable: [Range<UInt64>], zeroed: Set<Int>) {
    var untouched: [StoreBuilder.Exception] = []
    var unreadable: [Range<UInt64>] = []
    var zeroed: Set<Int> = []
    for start in stride(from: 0, to: builder.exceptions.count, by: 32) {
      var own = Array(builder.exceptions[start..<min(start + 32, builder.exceptions.count)])
      let chunk = builder.chunk(ofArea: start / 32)
      var fate = random.oneIn(2) ? Fate.intact : Fate.allCases[random.below(5)]
      if fate == .flipped, own.count < 16 { fate = .intact }
      switch fate {
      case .intact: break
      case .zeroed:
        Damage.zeroChunk(chunk).apply(to: &image, of: builder)
        zeroed.insert(start / 32)
        own = []
      case .random:
        Damage.randomChunk(chunk, seed: random.next()).apply(to: &image, of: builder)
        own = []
      case .unreadable:
        unreadable.append(builder.bytes(ofChunk: chunk))
        own = []
      case .flipped:
        for slot in Set((0..<3).map { _ in random.below(own.count) }).sorted(by: >) {
          let (old, new) = (own[slot].old, own[slot].new)
          let others: [(UInt64, UInt64)] = [
            (old, new ^ 1 << (20 + random.next() % 44)), (old | 1 << 55, new), (old, 0), (old, 1),
            (random.next(), random.next()), (old, new - 1),
          ]
          let other = others[random.below(others.count)]
          Damage.exception(area: start / 32, slot: slot, old: other.0, new: other.1)
            .apply(to: &image, of: builder)
          own.remove(at: slot)
        }
      }
      untouched += own
    }
    return (untouched, unreadable, zeroed)
  }

  @Test(arguments: UInt64(1)...300)
  func `of a damaged table just what is untouched is kept`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let builder = builder(&random, count: 1 + random.below(260))
    var image = builder.image()
    let (untouched, unreadable, zeroed) = damage(&image, of: builder, &random)
    let plan = try SalvagePlan(image, unreadable: unreadable)
    #expect(plan.exceptions == Set(untouched), "seed \(seed)")
    #expect(plan.unreadable == unreadable.reduce(into: []) { $0.append(mergingInto: $1) })
    // Zeroes may be an end, and only they.
    #expect(plan.generations.count <= 1 + zeroed.count)
    for generation in plan.generations {
      #expect(generation.exceptionCount == UInt64(generation.exceptions.count))
      let olds = Set(generation.exceptions.map(\.old))
      #expect(olds.count == generation.exceptions.count)
      for chunks in generation.lost { #expect(olds.isDisjoint(with: chunks.old)) }
    }
    if let generation = plan.generations.first, plan.generations.count == 1 {
      #expect(generation.exceptions == untouched)
      let gone = UInt64(builder.exceptions.count - untouched.count)
      let isTailGone = builder.exceptions.last != untouched.last
      #expect(generation.lostExceptionCount >= gone || isTailGone)
      #expect(!generation.isComplete || gone == 0 || isTailGone)
    }
  }

  @Test(arguments: 0..<64)
  func `one wrong slot costs that slot, wherever it is`(slot: Int) throws {
    var random = SplitMix64(seed: 11)
    let builder = builder(&random, count: 100)
    for (old, new): (UInt64, UInt64) in [
      (7, 0), (7, 1), (1 << 60, 3), (7, 1 << 40), (builder.exceptions[slot].old, 99),
    ] {
      let image = builder.image(.exception(area: slot / 32, slot: slot % 32, old: old, new: new))
      var expected = builder.exceptions
      expected.remove(at: slot)
      let plan = try SalvagePlan(image)
      #expect(plan.generations.count == 1, "\(slot): \(old) → \(new)")
      #expect(plan.generations.first?.exceptions == expected, "\(slot): \(old) → \(new)")
    }
  }

  // MARK: - Old kernels

  /// Commits in another order than the copies began, within windows that end with an area.
  private func permuted(_ random: inout SplitMix64, leaking: Bool) -> StoreBuilder {
    var builder = builder(&random, count: 1 + random.below(200), leaking: leaking)
    let window = 2 + random.below(12)
    for area in stride(from: 0, to: builder.exceptions.count, by: 32) {
      let end = min(area + 32, builder.exceptions.count)
      for start in stride(from: area, to: end, by: window) where random.oneIn(2) {
        builder.exceptions[start..<min(start + window, end)].shuffle(using: &random)
      }
    }
    return builder
  }

  @Test(arguments: UInt64(1)...150)
  func `exceptions that were committed in another order are all found`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let builder = permuted(&random, leaking: false)
    let plan = try SalvagePlan(builder.image())
    #expect(plan.generations.map(\.exceptions) == [builder.exceptions], "seed \(seed)")
    #expect(plan.generations.first?.isComplete == true, "seed \(seed)")
  }

  @Test(arguments: UInt64(1)...150)
  func `where chunks leaked as well, none is invented, and what is missing is counted`(
    seed: UInt64
  ) throws {
    var random = SplitMix64(seed: seed)
    let builder = permuted(&random, leaking: true)
    let plan = try SalvagePlan(builder.image())
    #expect(plan.exceptions.isSubset(of: builder.exceptions), "seed \(seed)")
    let missing = builder.exceptions.count - plan.exceptions.count
    #expect(missing * 3 <= builder.exceptions.count, "seed \(seed): \(missing)")
    let generation = try #require(plan.generations.first)
    #expect(plan.generations.count == 1, "seed \(seed)")
    // Where chunks leaked just at an area's beginning, exceptions may be lost as well.
    #expect(!generation.isComplete || missing == 0, "seed \(seed)")
    #expect(generation.lostExceptionCount >= UInt64(missing), "seed \(seed)")
  }

  // MARK: - Reuse

  @Test(arguments: UInt64(1)...100)
  func `an older table is a generation of its own, as far as it survives`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let older = builder(&random, count: 40 + random.below(200), leaking: seed % 2 == 0).sized(400)
    let count = 1 + random.below(120)
    let isLeaking = seed % 3 == 0 && count > 31
    let newer = builder(&random, count: count, leaking: isLeaking)
    if newer.exceptions.count % 32 == 0 { return }  // a full last area: the next test
    let plan = try SalvagePlan(newer.image(over: older.image()))
    let survivors = older.survivors(of: newer)
    if (1..<4).contains(survivors.count) { return }  // so few speak for nobody
    #expect(
      plan.generations.map(\.exceptions) == [newer.exceptions, survivors].filter { !$0.isEmpty })
    #expect(plan.generations.map(\.isCurrent) == (survivors.isEmpty ? [true] : [true, false]))
    // With data behind a table that ends with half an area, its end is in doubt.
    let isAtEnd = newer.exceptions.count % 16 == 0
    #expect(plan.generations.first?.isComplete == true || isLeaking || isAtEnd)
    if plan.generations.count == 2 {
      let cleared = UInt64(newer.exceptions.count / 32 + 1)
      #expect(plan.generations[1].areas.lowerBound == cleared)
      #expect(plan.generations[1].lostExceptionCount == cleared * 32)
      let covered = older.exceptions.dropFirst(Int(cleared) * 32).filter { $0.new < newer.nextFree }
      let lost = plan.generations[1].lost.filter { $0.reason == .overwritten }
        .reduce(0) { $0 + $1.old.count }
      #expect(lost == covered.count)
      #expect((plan.generations[1].finding(.generationOverwritten)?.count ?? 0) == covered.count)
    }
  }

  @Test func `a newer table that fills its area exactly is not joined with an older one`() throws {
    var random = SplitMix64(seed: 3)
    let older = builder(&random, count: 200).sized(300)
    let newer = StoreBuilder(chunkSectors: 1).copying((0..<64).shuffled(using: &random))
    let plan = try SalvagePlan(newer.image(over: older.image()))
    #expect(
      plan.generations.map(\.exceptions) == [newer.exceptions, older.survivors(of: newer)])
  }

  @Test func `a newer table without an exception leaves the older one`() throws {
    var random = SplitMix64(seed: 3)
    let older = builder(&random, count: 200).sized(300)
    let newer = StoreBuilder(chunkSectors: 1)
    let plan = try SalvagePlan(newer.image(over: older.image()))
    #expect(plan.generations.map(\.exceptions) == [older.survivors(of: newer)])
    #expect(plan.generations.first?.isCurrent == false)
  }

  @Test(arguments: UInt64(1)...60)
  func `three generations are three`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    func count(_ range: Range<Int>) -> Int { (range.randomElement(using: &random) ?? 0) | 1 }
    let (first, second, third) = (count(200..<280), count(100..<190), count(1..<90))
    let oldest = builder(&random, count: first).sized(400)
    let middle = builder(&random, count: second)
    let newest = builder(&random, count: third, leaking: true)
    let plan = try SalvagePlan(newest.image(over: middle.image(over: oldest.image())))
    #expect(
      plan.generations.map(\.exceptions)
        == [
          newest.exceptions, middle.survivors(of: newest), oldest.survivors(of: middle, newest),
        ].filter { !$0.isEmpty }, "seed \(seed)")
    #expect(plan.generations.map(\.index) == Array(plan.generations.indices))
  }

  // MARK: - Headers

  @Test(arguments: UInt64(1)...40)
  func `the header adds nothing to what areas say`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let chunkSectors = [1, 2, 8, 16][random.below(4)]
    let count = 4 + random.below(chunkSectors * 100)
    let older = StoreBuilder(chunkSectors: chunkSectors).copying(
      (0..<count).shuffled(using: &random))
    var image = older.image()
    if random.oneIn(2) {
      image = StoreBuilder(chunkSectors: chunkSectors).copying(7..<12).image(over: image)
    }
    let whole = try SalvagePlan(image)
    for damage in [
      Damage.magicErased, .headerZeroed, .magic("LUKS"), .valid(0), .version(9), .zeroChunk(0),
      .randomChunk(0, seed: seed),
    ] {
      var broken = image
      damage.apply(to: &broken, of: older)
      let plan = try SalvagePlan(broken)
      #expect(
        plan.generations.map(\.runs) == whole.generations.map(\.runs), "seed \(seed), \(damage)")
      #expect(plan.generations.map(\.areas) == whole.generations.map(\.areas))
      #expect(plan.generations.map(\.isCurrent) == whole.generations.map(\.isCurrent))
      #expect(plan.generations.map(\.lost) == whole.generations.map(\.lost))
      #expect(plan.geometry == whole.geometry)
    }
  }

  @Test func `a chunk size that is said settles it`() throws {
    let image = StoreBuilder(chunkSectors: 8).copying(0..<20).image(.headerZeroed)
    let size = try ChunkSize(sectorCount: 8)
    let plan = try SalvagePlan(Store(image), chunkSize: size)
    #expect(plan.inferred.basis == .option && plan.inferred.evidence == nil)
    #expect(plan.generations.first?.exceptionCount == 20)
    let other = try ChunkSize(sectorCount: 16)
    #expect(throws: StoreError.self) { try SalvagePlan(Store(image), chunkSize: other) }
  }

  @Test func `a header that its areas contradict is not believed, and the score is kept`() throws {
    let image = StoreBuilder(chunkSectors: 8).copying(0..<20).image(.chunkSectors(32))
    let inferred = InferredGeometry(Store(image))
    #expect(inferred.basis == .areas)
    #expect(inferred.geometry?.chunkSize.sectorCount == 8)
    #expect(inferred.evidence?.best?.exceptionCount == 20)
    #expect(try SalvagePlan(image).generations.first?.exceptionCount == 20)
  }

  @Test func `a header is believed where areas say nothing`() throws {
    let image = StoreBuilder(chunkSectors: 8).image()
    let inferred = InferredGeometry(Store(image))
    #expect(inferred.basis == .header && inferred.evidence == nil)
    #expect(inferred.geometry?.chunkSize.sectorCount == 8)
    #expect(InferredGeometry(Store(Stamp.origin(byteCount: 65_536))).geometry == nil)
  }

  // MARK: - What is no store, and what is left of one

  @Test func `what is no store is no plan`() throws {
    var random = SplitMix64(seed: 1)
    for bytes in [
      [], [1, 2, 3], [UInt8](repeating: 0, count: 65_536), random.bytes(65_536),
      Stamp.origin(byteCount: 65_536),
    ] {
      let error = #expect(throws: StoreError.self) { try SalvagePlan(bytes) }
      guard case .notAStore? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test func `an empty store is a complete table without exceptions`() throws {
    let plan = try SalvagePlan(StoreBuilder(chunkSectors: 1, chunkCount: 40).image())
    #expect(plan.generations.isEmpty)
    let generation = try plan.generation(0)
    #expect(generation.isComplete && generation.exceptionCount == 0)
    for index in [1, 7] {
      let error = #expect(throws: StoreError.self) { try plan.generation(index) }
      guard case .noGeneration(_, index, count: 0)? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test(arguments: [Damage.randomChunk(1, seed: 5), .cut(byteCount: 512), .cut(byteCount: 1024)])
  func `a table that is lost with its only area is not complete`(damage: Damage) throws {
    let image = StoreBuilder(chunkSectors: 1).copying(0..<20).image(damage)
    let plan = try SalvagePlan(image)
    let generation = try plan.generation(0)
    if image.count > 512 * 2 || image.count == 512 {
      #expect(!generation.isComplete && generation.isEndLost)
      #expect(generation.exceptionCount == 0 && generation.lostExceptionCount == 32)
      // Its data is all there, if the store does not end before it.
      #expect(generation.codes == (image.count > 512 ? [.areaLost, .orphans] : [.areaLost]))
      #expect(generation.orphanCount == (image.count > 512 ? 20 : 0))
    } else {
      // Area 0 is there, whole: its exceptions are known, their data is not.
      #expect(generation.lost == [LostChunks(old: 0..<20, reason: .beyondStore)])
    }
  }

  @Test func `generations that are not there are an error that says how many are`() throws {
    let plan = try SalvagePlan(StoreBuilder(chunkSectors: 1).copying(0..<9).image())
    #expect(try plan.generation(0).exceptionCount == 9)
    let error = #expect(throws: StoreError.self) { try plan.generation(1) }
    #expect("\(try #require(error))" == "store.img: there is no generation 1: the oldest is 0")
  }

  @Test func `a device that is gone is an error`() {
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<9).image())
    let store = Store(source)
    source.unreadable = [0..<1 << 20]
    source.failure = .system(.permissionDenied)
    #expect(throws: StoreError.self) { try SalvagePlan(store) }
  }

  // MARK: - Anything

  /// Whatever is in a store: every reading of it, and all that is made of a plan.
  private func exerciseAll(_ image: [UInt8], unreadable: [Range<UInt64>] = []) {
    let source = FaultySource(image, name: "store.img", unreadable: unreadable)
    let origin = FaultySource(Stamp.origin(byteCount: 100 * 512 + 7))
    for reading in Reading.allCases {
      guard let loaded = try? LoadedTable(Store(source), reading: reading) else { continue }
      let view = SnapshotView(of: origin, through: loaded.table, of: source)
      #expect(throws: Never.self) { try view.readAll() }
      _ = loaded.lostRanges(originByteCount: .max)
    }
    let audit = Auditor(Store(source), origin: origin).audit()
    _ = Diagnosis(audit)
    for size in [ChunkSize?.none] + ChunkSize.all.prefix(5).map(Optional.some) {
      guard let plan = try? SalvagePlan(Store(source), chunkSize: size) else { continue }
      for generation in plan.generations {
        let wanted = WantedSectors(plan, generation, lost: [])
        _ = wanted.mapfile(at: 0, in: source.byteCount)
        let lost = generation.lost.compactMap {
          $0.range(plan.geometry, originByteCount: UInt64.max)
        }
        let report = SalvageReport(
          plan, generation,
          PlacementPlan(
            unplaced: generation.orphanCount, because: .notLookedFor), .none, byteCount: 0,
          lost: lost, isComplete: generation.isComplete)
        #expect((try? JSON.text(report)) != nil)
      }
    }
  }

  @Test(arguments: UInt64(1)...150)
  func `random damage never traps, in any reading`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(0..<random.below(75))
    var image = builder.image(.flippedBits(1 + random.below(80), seed: seed))
    if random.oneIn(3) {
      Damage.randomChunk(random.below(79), seed: seed).apply(to: &image, of: builder)
    }
    if random.oneIn(3) {
      Damage.cut(byteCount: random.below(image.count)).apply(to: &image, of: builder)
    }
    let bad = UInt64(random.below(80)) * 512
    exerciseAll(image, unreadable: random.oneIn(2) ? [bad..<bad + 9] : [])
  }

  @Test(arguments: UInt64(1)...60)
  func `odd stores never trap, in any reading`(seed: UInt64) {
    exerciseAll(OddStore.make(seed: seed).store)
  }

  /// The numbers at which arithmetic on disk numbers goes wrong, in areas full of them.
  @Test(arguments: UInt64(1)...60)
  func `areas of the wildest numbers never trap, in any reading`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let wild: [UInt64] = [
      0, 1, 2, 33, 34, 35, 1 << 32, (1 << 54) - 1, 1 << 54, (1 << 55) - 1, (1 << 56) - 1, 1 << 56,
      1 << 63, .max - 33, .max - 1, .max,
    ]
    let start = wild[random.below(wild.count)]
    let count = 1 + random.below(90)
    var builder = StoreBuilder(chunkSectors: 1, chunkCount: 120)
    for index in 0..<UInt64(count) {
      let ordered = UInt64(builder.dataChunk(Int(index)))
      switch seed % 3 {
      case 0:
        builder.exceptions.append(
          .init(wild[random.below(wild.count)], wild[random.below(wild.count)]))
      case 1: builder.exceptions.append(.init(start &+ index, ordered))
      default: builder.exceptions.append(.init(index, start &+ index))
      }
    }
    exerciseAll(builder.image())
  }
}
