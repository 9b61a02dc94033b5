import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Each kind of damage is found where it is; a store that Linux wrote has none; nothing traps.
@Suite struct AuditorTests {
  private func audit(_ maker: FindingMaker) throws -> Audit {
    try withExtendedLifetime(maker) {
      let auditor = Auditor(Store(maker.store), origin: maker.origin)
      return try auditor.audit(.data)
    }
  }

  @Test(arguments: FindingCode.allCases)
  func `each kind of finding is found where it was made`(code: FindingCode) throws {
    guard let maker = try FindingMaker.maker(of: code) else {
      let isSalvages = [
        .storeShifted, .storeUnconfirmed, .dataZeroBlock, .insideFilesystem, .unsupported, .orphans,
        .placedLikely,
        .generationOverwritten, .generationEndInDoubt, .generationMaybeOverwritten,
      ].contains(code)
      let isVolumes = code.rawValue.hasPrefix("lvm.")
      #expect(isSalvages || isVolumes || (code == .inUse && !LoopDevice.isAvailable))
      return
    }
    let audit = try audit(maker)
    let finding = try #require(
      audit.findings.first { $0.code == code }, "\(audit.findings.map(\.code))")
    #expect(finding.place == maker.place)
    #expect(finding.count == maker.count)
    #expect(!finding.found.isEmpty && !finding.required.isEmpty)
    #expect(finding.severity == code.entry.severity)
    if let ranges = maker.ranges { #expect(finding.ranges == ranges) }
    let codes = audit.findings.map(\.code.rawValue).sorted()
    #expect(codes == (maker.others + [code]).map(\.rawValue).sorted())
    #expect(audit.verdict == maker.verdict)
    #expect(audit.isStore)
  }

  @Test(arguments: FindingCode.allCases)
  func `findings come with the worst first`(code: FindingCode) throws {
    guard let maker = try FindingMaker.maker(of: code) else { return }
    let severities = try audit(maker).findings.map(\.severity)
    #expect(severities == severities.sorted(by: >))
  }

  // MARK: - Sound stores

  /// How many exceptions, where an area holds 32: none, one, and all around the first boundaries.
  @Test(arguments: [0, 1, 2, 31, 32, 33, 63, 64, 65, 96, 200])
  func `a store that Linux wrote has no finding at all`(count: Int) {
    for chunkSectors in [1, 2, 4] {
      let perArea = chunkSectors * 32
      let scaled = count / 32 * perArea + count % 32
      let builder = StoreBuilder(chunkSectors: chunkSectors).copying((0..<scaled).reversed())
      let audit = Auditor(Store(builder.image())).audit()
      #expect(audit.findings == [])
      #expect(audit.verdict == .healthy)
      #expect(audit.usableCount == UInt64(scaled))
      #expect(audit.extent?.exceptionCount == UInt64(scaled))
    }
  }

  @Test(arguments: ChunkSize.all.prefix(13))
  func `a sound store of every chunk size has no finding`(size: ChunkSize) {
    let header = Array(
      StoreBuilder(chunkSectors: 1).image(.chunkSectors(size.sectorCount)).prefix(16))
    let area = (UInt64(0)..<5).flatMap { ($0 * 3).littleEndianBytes + ($0 + 2).littleEndianBytes }
    let store = FaultySource(
      byteCount: size.byteCount * 9, pieces: [(0, header), (size.byteCount, area)])
    let audit = Auditor(Store(store)).audit()
    #expect(audit.findings == [])
    #expect(audit.verdict == .healthy)
    #expect(audit.usableCount == 5)
  }

  @Test(arguments: [0, 1, 31, 32, 33, 64])
  func `a merge that was cut short leaves data behind the table, and no damage`(count: Int) {
    var builder = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(0..<70)
    let image = builder.image()
    var merged = image
    for slot in count..<70 {  // Linux clears exceptions from the last to the first
      Damage.exception(area: slot / 32, slot: slot % 32, old: 0, new: 0).apply(
        to: &merged, of: builder)
    }
    builder.exceptions.removeLast(70 - count)
    let audit = Auditor(Store(merged)).audit()
    // Where an area is full, the next may be one that was zeroed.
    let isFull = count > 0 && count % 32 == 0
    #expect(audit.count(of: .damage) == 0 && audit.count(of: .warning) == (isFull ? 1 : 0))
    let code: FindingCode = isFull ? .generationEndInDoubt : .mergeInterrupted
    #expect(audit.findings.map(\.code) == [count == 0 ? .mergeResidue : code])
    #expect(audit.extent?.exceptionCount == UInt64(count))
  }

  /// What Linux writes when a store of smaller chunks is begun where one of larger chunks was.
  ///
  /// With no exception at all it cannot be told from a header whose chunk size was changed.
  @Test(arguments: [1, 2])
  func `a young store over an older one of larger chunks is in good order`(count: Int) {
    let older = StoreBuilder(chunkSectors: 32, chunkCount: 40).copying(0..<20)
    let young = StoreBuilder(chunkSectors: 8, chunkCount: 160).copying(0..<count)
    let written = Array(young.image().prefix((2 + count) * 4096))  // header, area 0 and data
    let audit = Auditor(Store(older.image(.bytes(written, at: 0)))).audit()
    #expect(audit.findings.allSatisfy { $0.severity == .note }, "\(audit.findings.map(\.code))")
    #expect(audit.load.extent?.exceptionCount == UInt64(count))
    #expect(audit.extent?.exceptionCount == UInt64(count))
  }

  @Test(arguments: [(0, true), (1, false), (4, false)])
  func `a header is believed if its own area is sound, not if it is empty`(
    count: Int, isContradicted: Bool
  ) {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).copying(0..<count)
    let other = (UInt64(0)..<5).flatMap {
      ($0 + 7).littleEndianBytes + ($0 + 2).littleEndianBytes
    }
    let image = builder.image(.zeroChunk(2), .bytes(other, at: 8192))  // data, or another area 0
    let audit = Auditor(Store(image)).audit()
    let codes = audit.findings.map(\.code)
    #expect(codes.contains(.headerChunkSizeContradicted) == isContradicted)
  }

  // MARK: - No stores

  @Test(arguments: [0, 1, 2, 15, 16, 17, 511, 512, 513, 4096, 12_345, 70_000])
  func `random bytes, zeroes and text are no store`(byteCount: Int) {
    var random = SplitMix64(seed: UInt64(byteCount))
    let text = Array(repeatElement(Array("All work and no play. ".utf8), count: byteCount / 22 + 1))
    for bytes in [
      random.bytes(byteCount), [UInt8](repeating: 0, count: byteCount),
      [UInt8](repeating: 0xff, count: byteCount), Array(text.joined().prefix(byteCount)),
      Stamp.origin(byteCount: byteCount),
    ] {
      let audit = Auditor(Store(bytes)).audit()
      #expect(audit.verdict == .notAStore)
      #expect(!audit.isStore)
      #expect(audit.findings.isEmpty)
    }
  }

  @Test(arguments: UInt64(1)...40)
  func `random bytes of any length are no store`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let audit = Auditor(Store(random.bytes(random.below(100_000)))).audit()
    #expect(audit.verdict == .notAStore)
  }

  // MARK: - Anything

  @Test func `a store cut at every sector is judged like the reference`() {
    let image = StoreBuilder(chunkSectors: 1).copying(0..<70).image()
    for sector in 0...image.count / 512 {
      let audit = Auditor(Store(Array(image.prefix(sector * 512)))).audit()
      let reference = ReferenceDecoder(Array(image.prefix(sector * 512)))
      #expect(audit.load.verdict.rawValue == reference.verdict.rawValue)
      #expect(audit.isStore == (sector > 0))
      #expect(audit.extent?.exceptionCount ?? 0 <= 70)
      if sector < 74 { #expect(audit.verdict != .healthy, "\(sector) sectors") }
    }
  }

  @Test(arguments: UInt64(1)...250)
  func `odd stores are audited, whatever is in them`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    for origin in [nil, FaultySource(made.origin)] {
      let audit = try Auditor(Store(made.store), origin: origin).audit(.data)
      #expect(audit.isStore)
      guard audit.load.verdict == .loads else { continue }
      // A salvage finds more: behind holes, and where a chunk is there in part.
      #expect(audit.usableCount >= usableCount(made, origin: origin))
      if audit.plan == nil { #expect(audit.usableCount == usableCount(made, origin: origin)) }
    }
  }

  /// How many exceptions are for a chunk of the origin, and in a data chunk, of their own.
  private func usableCount(_ made: OddStore.Made, origin: (any BlockSource)?) -> UInt64 {
    let reference = ReferenceDecoder(made.store)
    let builder = made.builder
    let end = UInt64(made.store.count / builder.chunkByteCount)
    let originEnd = origin.map { _ in
      UInt64((made.origin.count / 512 + builder.chunkSectors - 1) / builder.chunkSectors)
    }
    var (olds, news) = (Set<UInt64>(), Set<UInt64>())
    var count: UInt64 = 0
    for (old, new) in reference.exceptions {
      let isNewOld = olds.insert(old).inserted
      let isData = new >= 2 && new < end && new % UInt64(builder.exceptionsPerArea + 1) != 1
      let isNewNew = isData && news.insert(new).inserted
      if isNewOld, isNewNew, originEnd.map({ old < $0 }) ?? true { count += 1 }
    }
    return count
  }

  @Test(arguments: UInt64(1)...200)
  func `stores with random damage never trap`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(0..<random.below(75))
    var image = builder.image(.flippedBits(1 + random.below(80), seed: seed))
    if random.oneIn(3) {
      Damage.randomChunk(1 + random.below(79), seed: seed).apply(to: &image, of: builder)
    }
    if random.oneIn(3) {
      Damage.cut(byteCount: random.below(image.count)).apply(to: &image, of: builder)
    }
    let origin = FaultySource(Stamp.origin(byteCount: 64 * 512))
    _ = try Auditor(Store(image), origin: origin).audit(.data)
    _ = Auditor(Store(image), reading: .kernel612).audit()
  }

  /// The numbers at which arithmetic on disk numbers goes wrong, in every place of a small table.
  @Test(
    arguments: [
      0, 1, 2, 33, 34, (1 << 55), (1 << 56) - 1, 1 << 56, 1 << 63, .max - 33, .max - 1, .max,
    ] as [UInt64])
  func `an exception of any number never traps`(number: UInt64) {
    for count in [1, 31, 32] {
      for valid in [UInt32(0), 1] {
        for (old, new) in [(number, 2), (0, number), (number, number)] as [(UInt64, UInt64)] {
          let builder = StoreBuilder(chunkSectors: 1, chunkCount: 34).copying(0..<count)
          let image = builder.image(.valid(valid), .exception(slot: 0, old: old, new: new))
          for origin in [nil, FaultySource(Stamp.origin(byteCount: 4096))] {
            #expect(Auditor(Store(image), origin: origin).audit().isStore)
          }
        }
      }
    }
  }

  @Test(arguments: UInt64(1)...60)
  func `bad sectors never trap, and cost no more than themselves`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<70).image())
    let bad = UInt64(random.below(76)) * 512
    source.unreadable = [bad..<bad + 1]
    let audit = Auditor(Store(source)).audit()
    #expect(audit.isStore)
    let isHeader = bad == 0
    let area = [512, 34 * 512, 67 * 512].firstIndex(of: bad)
    #expect(audit.findings.contains { $0.code == .headerUnreadable } == isHeader)
    #expect(audit.findings.contains { $0.code == .areaUnreadable } == (area != nil))
    let lost = [32, 32, 6]  // what each area has
    #expect(audit.usableCount == UInt64(70 - (area.map { lost[$0] } ?? 0)))
  }
}
