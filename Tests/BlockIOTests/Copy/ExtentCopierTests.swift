import BlockIO
import SystemPackage
import TestSupport
import Testing

/// Any extents, in any order and any windows, end as a plain loop copies them.
@Suite struct ExtentCopierTests {
  /// Extents that no byte of the target is in twice, and what they are copied between.
  private struct Work {
    private static let content = pattern(201 * 512)
    let source: [UInt8]
    let target: [UInt8]
    let extents: [CopyExtent]
    let windowByteCount: Int

    init(seed: UInt64, unit: Int = 512) {
      var random = SplitMix64(seed: seed)
      source = Array(Self.content[Int(seed)..<Int(seed) + 200 * 512])
      target = [UInt8](repeating: 0xee, count: 160 * 512)
      windowByteCount = [1, 2, 5, 8, 64, 1000].randomElement(using: &random).map { $0 * 512 } ?? 0
      var extents: [CopyExtent] = []
      var position = random.below(4) * unit
      while position < 150 * 512 {
        let count = unit * (1 + random.below(random.oneIn(5) ? 30 : 4))
        let end = min(position + count, 160 * 512)
        let start = random.below((200 * 512 - (end - position)) / unit) * unit
        extents.append(
          CopyExtent(
            sourceOffset: UInt64(start), targetOffset: UInt64(position),
            byteCount: UInt64(end - position)))
        position = end + (random.oneIn(2) ? 0 : random.below(6) * unit)
      }
      switch random.below(4) {
      case 0: break
      case 1: extents.sort { $0.sourceOffset < $1.sourceOffset }
      case 2: extents.reverse()
      default: extents.shuffle(using: &random)
      }
      self.extents = extents
    }

    /// What a plain loop makes of the target, leaving out what is `bad` of the source.
    func copied(but bad: [Range<UInt64>] = []) -> [UInt8] {
      var bytes = target
      for extent in extents {
        var position: UInt64 = 0
        while position < extent.byteCount {
          let end = min(position + 512, extent.byteCount)
          let from = extent.sourceOffset + position
          if !bad.contains(where: { $0.contains(from) }) {
            let content = source[Int(from)..<Int(extent.sourceOffset + end)]
            bytes.put(Array(content), at: Int(extent.targetOffset + position))
          }
          position = end
        }
      }
      return bytes
    }

    /// The extents cut into windows.
    var windows: [[CopyExtent]] {
      var windows: [[CopyExtent]] = [[]]
      var room = UInt64(windowByteCount)
      for extent in extents {
        var done: UInt64 = 0
        while done < extent.byteCount {
          if room == 0 {
            windows.append([])
            room = UInt64(windowByteCount)
          }
          let count = min(room, extent.byteCount - done)
          windows[windows.count - 1].append(
            CopyExtent(
              sourceOffset: extent.sourceOffset + done, targetOffset: extent.targetOffset + done,
              byteCount: count))
          done += count
          room -= count
        }
      }
      return windows
    }
  }

  private func copy(
    _ work: Work, from source: any BlockSource, to target: any BlockTarget,
    readsAround: Bool = false, leavesZeroes: Bool = false,
    progress: (UInt64) -> Bool = { _ in true }
  ) throws -> ExtentCopier.Outcome {
    let extents = work.extents
    return try ExtentCopier(
      from: source, to: target, readsAround: readsAround, leavesZeroes: leavesZeroes,
      windowByteCount: work.windowByteCount
    ).copy(
      { (copy) throws(BlockIOError) in
        for extent in extents { try copy(extent) }
      }, progress: progress)
  }

  @Test(arguments: UInt64(1)...150)
  func `any extents end as a plain loop copies them`(seed: UInt64) throws {
    let work = Work(seed: seed, unit: seed % 3 == 0 ? 1 : 512)
    let (source, target) = (FaultySource(work.source), VolatileTarget(work.target))
    var steps: [UInt64] = []
    let outcome = try copy(work, from: source, to: target) {
      steps.append($0)
      return true
    }
    #expect(target.bytes.firstDifference(from: work.copied()) == nil)
    #expect(!outcome.isStopped && outcome.unreadable.isEmpty)
    // Read in the order of the extents, written ascending in each window, neighbours as one.
    #expect(source.reads == work.windows.flatMap { $0.map(\.sourceRange) })
    let writes = work.windows.flatMap { window in
      window.map(\.targetRange).sorted { $0.lowerBound < $1.lowerBound }
        .reduce(into: [Range<UInt64>]()) { $0.append(mergingInto: $1) }
    }
    #expect(target.writes == writes)
    let done = work.windows.map { $0.reduce(0) { $0 + $1.byteCount } }
    #expect(steps == done.indices.map { done[...$0].reduce(0, +) })
  }

  @Test(arguments: UInt64(1)...80)
  func `around what cannot be read all is copied, and just that is listed`(seed: UInt64) throws {
    let work = Work(seed: seed)
    var random = SplitMix64(seed: seed)
    let bad = (0..<1 + random.below(12)).map { _ in
      let sector = UInt64(random.below(195))
      return sector * 512..<(sector + 1 + UInt64(random.below(4))) * 512
    }
    let target = VolatileTarget(work.target)
    let outcome = try copy(
      work, from: FaultySource(work.source, unreadable: bad), to: target, readsAround: true)
    #expect(target.bytes.firstDifference(from: work.copied(but: bad)) == nil)
    let lost = work.extents.flatMap { extent in
      stride(from: 0, to: extent.byteCount, by: 512).filter { index in
        bad.contains { $0.contains(extent.sourceOffset + index) }
      }.map { extent.targetOffset + $0..<extent.targetOffset + $0 + 512 }
    }
    let joined = lost.sorted { $0.lowerBound < $1.lowerBound }
      .reduce(into: [Range<UInt64>]()) { $0.append(mergingInto: $1) }
    #expect(outcome.unreadable == joined)
  }

  @Test func `zeroes are left out where the target has them`() throws {
    var source = pattern(64 * 512)
    source.replaceSubrange(8192..<20_480, with: [UInt8](repeating: 0, count: 12_288))
    let target = VolatileTarget([UInt8](repeating: 0, count: 64 * 512))
    let whole = CopyExtent(sourceOffset: 0, targetOffset: 0, byteCount: 64 * 512)
    let outcome = try ExtentCopier(from: FaultySource(source), to: target, leavesZeroes: true).copy(
      { (copy) throws(BlockIOError) in try copy(whole) }, progress: { _ in true })
    #expect(target.bytes == source)
    #expect(target.writes == [0..<8192, 20_480..<32_768])
    #expect(!outcome.isStopped)
  }

  @Test func `nothing to copy is nothing done`() throws {
    let target = VolatileTarget([1, 2, 3])
    let empty = CopyExtent(sourceOffset: 1, targetOffset: 1, byteCount: 0)
    let outcome = try ExtentCopier(from: FaultySource([4, 5, 6]), to: target).copy(
      { (copy) throws(BlockIOError) in try copy(empty) },
      progress: { _ in
        Issue.record("something was done")
        return true
      })
    #expect(!outcome.isStopped && target.writes.isEmpty)
  }

  // MARK: - Ends before the end

  @Test(arguments: UInt64(1)...20)
  func `a source that fails ends it with its error, and what came before is written`(
    seed: UInt64
  ) throws {
    let work = Work(seed: seed)
    let source = FaultySource(work.source)
    let windows = work.windows
    let broken = windows.count / 2
    source.unreadable = [windows[broken][0].sourceRange]
    source.failure = .system(.noSuchAddressOrDevice)
    let target = VolatileTarget(work.target)
    let error = #expect(throws: BlockIOError.self) { try copy(work, from: source, to: target) }
    #expect(error?.reason == .system(.noSuchAddressOrDevice) && error?.operation == .read)
    let first = windows.firstIndex { $0.contains { $0.sourceRange.overlaps(source.unreadable[0]) } }
    let sent = windows[..<(first ?? broken)].flatMap(\.self).reduce(0) { $0 + $1.byteCount }
    #expect(target.writes.totalCount == sent)
  }

  @Test(arguments: UInt64(1)...20, [0, 1, 3])
  func `a target that fails ends it with its error`(seed: UInt64, count: Int) throws {
    let work = Work(seed: seed)
    let power = PowerSupply(.failure(afterOperations: count, .system(.noSpace)), seed: seed)
    let target = VolatileTarget(work.target, power: power)
    let error = #expect(throws: BlockIOError.self) {
      try copy(work, from: FaultySource(work.source), to: target)
    }
    #expect(error?.reason == .system(.noSpace) && error?.operation == .write)
    #expect(target.writes.count == count)
  }

  @Test func `an extent that cannot be named ends it with that error`() throws {
    let target = VolatileTarget(pattern(4096))
    let wrong = BlockIOError("store.img", .read, .beyondEnd(byteCount: 7))
    let error = #expect(throws: BlockIOError.self) {
      try ExtentCopier(from: FaultySource(pattern(4096)), to: target).copy(
        { (copy) throws(BlockIOError) in
          try copy(CopyExtent(sourceOffset: 0, targetOffset: 0, byteCount: 512))
          throw wrong
        }, progress: { _ in true })
    }
    #expect(error == wrong)
  }

  @Test(arguments: UInt64(1)...30)
  func `it stops behind the window at which it is told to`(seed: UInt64) throws {
    let work = Work(seed: seed)
    let windows = work.windows
    let limit = 1 + Int(seed) % windows.count
    let target = VolatileTarget(work.target)
    var count = 0
    let outcome = try copy(work, from: FaultySource(work.source), to: target) { _ in
      count += 1
      return count < limit
    }
    #expect(outcome.isStopped && count == limit)
    let written = windows[..<limit].flatMap(\.self).reduce(0) { $0 + $1.byteCount }
    #expect(target.writes.totalCount == written)
  }
}
