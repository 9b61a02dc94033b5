internal import SnapshotFormat

/// Distinguishes the exceptions in a metadata area from anything else that damage has left there.
///
/// By ``AreaLaw``, each exception has its place. If chunks leaked (a crash before 3.13, a copy that
/// failed), all that follow are *shifted*. File data, random bytes and areas of other stores are
/// not where the law puts them. Therefore
///
/// - four exceptions in a row with one shift are accepted, unless more of them contradict;
/// - fewer must fit between the shifts of those around them, or be permuted among each other;
/// - if exceptions were committed in another order than their copies began (before 3.13), a piece
///   of an area is accepted if its new chunks, taken together, leave hardly any out.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `persistent_prepare_exception`,
///   `persistent_commit_exception`.
struct SlotJudge {
  /// The meaning of a slot of sixteen bytes.
  enum Kind: UInt8 {
    case zero
    /// An exception that the law supports.
    case kept
    /// Possibly an exception, but not one that Linux would have written there.
    case outOfPlace
    /// An exception of no store: a chunk number is impossible.
    case impossible
    case unreadable
  }

  /// The facts known before a piece of an area is judged.
  struct Context {
    /// The shift of the last exception before it, if the piece continues its table.
    var shift: Int64?
    /// Whether a table is known to continue here: after a full area, or by the header.
    var isExpected: Bool
  }

  private static let none = Int64.min

  private let geometry: StoreGeometry
  /// The verdict on each slot of the last piece judged.
  private(set) var kinds: [Kind] = []
  private var shifts: [Int64] = []

  init(_ geometry: StoreGeometry) { self.geometry = geometry }

  /// The slots that a range of bytes touches, in a piece that begins at `byteOffset`.
  static func slots(of range: Range<UInt64>, from byteOffset: UInt64) -> Range<Int> {
    let size = DiskException.byteCount
    let end = Int(range.upperBound - byteOffset)
    return Int(range.lowerBound - byteOffset) / size..<(end + size - 1) / size
  }

  /// The shift of a slot that was kept.
  func shift(at slot: Int) -> Int64 { shifts[slot] }

  /// Judges a piece of an area whose first slot has that position in the table.
  ///
  /// - Parameter unreadable: The slots that could not be read, or only in part, ascending.
  mutating func judge(
    _ exceptions: Span<DiskException>, at position: UInt64, unreadable: [Range<Int>],
    after context: Context
  ) {
    classify(exceptions, position, unreadable)
    let strong = strongRuns(exceptions, position, context)
    keep(strong)
    keepPermuted(between: strong)
    keepWeak(between: strong, context)
    if isUnordered(exceptions, position, context) {
      for slot in kinds.indices where kinds[slot] == .outOfPlace { kinds[slot] = .kept }
    }
  }

  /// Marks every possible exception as unsupported, to begin with.
  private mutating func classify(
    _ exceptions: Span<DiskException>, _ position: UInt64, _ unreadable: [Range<Int>]
  ) {
    kinds.removeAll(keepingCapacity: true)
    shifts.removeAll(keepingCapacity: true)
    let perArea = geometry.chunkSize.exceptionsPerArea
    let segment = position / perArea * geometry.chunkSize.areaStride + StoreGeometry.firstDataChunk
    let end = AreaLaw.chunkNumberEnd(geometry.chunkSize)
    for slot in exceptions.indices {
      let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
      var (kind, shift) = (Kind.impossible, Self.none)
      if old | new == 0 {
        kind = .zero
      } else if old < end, new < end,
        let order = new &- segment < perArea
          ? position / perArea * perArea + (new - segment) : geometry.position(ofData: Chunk(new))
      {
        shift = Int64(order) - Int64(position) - Int64(slot)
        kind = .outOfPlace
      }
      kinds.append(kind)
      shifts.append(shift)
      // Linux copies a chunk once: three in a row for one chunk are something else.
      if slot >= 2, kind == .outOfPlace, old == exceptions[slot - 1].oldChunk,
        old == exceptions[slot - 2].oldChunk
      {
        for other in slot - 2...slot { kinds[other] = .impossible }
      }
    }
    for slots in unreadable {
      for slot in slots { kinds[slot] = .unreadable }
    }
  }

  /// The maximal ranges of ``AreaLaw/strongCount`` slots or more with one shift, without the
  /// contradicted ones.
  private mutating func strongRuns(
    _ exceptions: Span<DiskException>, _ position: UInt64, _ context: Context
  ) -> [Range<Int>] {
    // An area of another store has its own order, far from this one's. Permuted exceptions may have
    // left a negative shift.
    let shiftMax = context.shift.map { max($0, 0) + AreaLaw.riseMax } ?? AreaLaw.leakMax
    var (runs, others): ([Range<Int>], [Range<Int>]) = ([], [])
    var start = 0
    while start < kinds.count {
      var end = start + 1
      if kinds[start] == .outOfPlace {
        while end < kinds.count, kinds[end] == .outOfPlace, shifts[end] == shifts[start],
          exceptions[end].oldChunk != exceptions[end - 1].oldChunk
        {
          end += 1
        }
        if end - start >= AreaLaw.strongCount {
          if shifts[start] >= 0, shifts[start] <= shiftMax {
            runs.append(start..<end)
          } else {
            others.append(start..<end)
          }
        }
      }
      start = end
    }
    let shiftBefore = context.shift ?? 0
    if !isRising(runs), runs.contains(where: { shifts[$0.lowerBound] == shiftBefore }) {
      // The table itself continues with the shift that it had.
      others += runs.filter { isDisplaced($0, position, shiftBefore) }
      runs.removeAll { isDisplaced($0, position, shiftBefore) }
    }
    // A copy of another area's sectors does not look like permuted exceptions.
    for run in others where isDisplaced(run, position, shiftBefore) {
      for slot in run { kinds[slot] = .impossible }
    }
    return withoutContradictions(runs)
  }

  /// Whether a run is where sectors of another area would put it.
  private func isDisplaced(_ run: Range<Int>, _ position: UInt64, _ shiftBefore: Int64) -> Bool {
    let unit = AreaLaw.damageSlotCount(geometry)
    let rise = (shifts[run.lowerBound] - shiftBefore).magnitude
    return rise > 0 && rise % unit == 0 && (position + UInt64(run.lowerBound)) % unit == 0
  }

  private func isRising(_ runs: [Range<Int>]) -> Bool {
    zip(runs, runs.dropFirst()).allSatisfy { shifts[$0.lowerBound] <= shifts[$1.lowerBound] }
  }

  /// The longest part of the runs, in slots, whose shifts never decrease.
  private func withoutContradictions(_ runs: [Range<Int>]) -> [Range<Int>] {
    if isRising(runs) { return runs }
    var weights = runs.map(\.count)
    var previous = [Int?](repeating: nil, count: runs.count)
    // Quadratic, but only in runs that contradict each other; this many are no table.
    guard runs.count <= 1024 else { return [] }
    for index in runs.indices {
      let own = runs[index].count
      for other in 0..<index
      where shifts[runs[other].lowerBound] <= shifts[runs[index].lowerBound]
        && weights[other] + own > weights[index]
      {
        weights[index] = weights[other] + own
        previous[index] = other
      }
    }
    var best = weights.indices.max { weights[$0] < weights[$1] }
    var kept: [Range<Int>] = []
    while let index = best {
      kept.append(runs[index])
      best = previous[index]
    }
    return kept.reversed()
  }

  private mutating func keep(_ runs: [Range<Int>]) {
    for run in runs {
      for slot in run { kinds[slot] = .kept }
    }
  }

  /// Keeps the exceptions between strong runs whose copies did not end in the order they began.
  ///
  /// They have chunks between those of the runs, each once.
  ///
  /// With a run on one side only, they must leave out no chunk.
  private mutating func keepPermuted(between strong: [Range<Int>]) {
    if strong.isEmpty { return }
    for index in 0...strong.count {
      let before = index > 0 ? strong[index - 1] : nil
      let after = index < strong.count ? strong[index] : nil
      let slots = (before?.upperBound ?? 0)..<(after?.lowerBound ?? kinds.count)
      let possible = slots.filter { kinds[$0] == .outOfPlace }
      let orders = possible.map { shifts[$0] + Int64($0) }.sorted()
      guard let lowest = orders.first, let highest = orders.last,
        zip(orders, orders.dropFirst()).allSatisfy(<)
      else { continue }
      let start = before.map { shifts[$0.lowerBound] + Int64($0.upperBound) }
      let end = after.map { shifts[$0.lowerBound] + Int64($0.lowerBound) }
      let size = Int64(orders.count)
      if lowest >= start ?? (end ?? 0) - size, highest < end ?? (start ?? 0) + size {
        for slot in possible { kinds[slot] = .kept }
      }
    }
  }

  /// Keeps the exceptions whose shifts fit between those of the strong runs around them.
  private mutating func keepWeak(between strong: [Range<Int>], _ context: Context) {
    var low = context.shift
    // The last exception before may have been committed late, and have a lower shift than all.
    if strong.isEmpty, isForeign(max(low ?? 0, 0)) { return }
    let isClean = !kinds.contains(.impossible) && !kinds.contains(.unreadable)
    var next = 0
    for slot in kinds.indices {
      if next < strong.count, strong[next].contains(slot) {
        low = shifts[slot]
        if slot == strong[next].upperBound - 1 { next += 1 }
        continue
      }
      guard kinds[slot] == .outOfPlace, shifts[slot] >= 0 else { continue }
      let shift = shifts[slot]
      let high = next < strong.count ? shifts[strong[next].lowerBound] : nil
      let isAttached = slot == 0 ? context.isExpected : kinds[slot - 1] == .kept
      let isSupported =
        switch (low, high) {
        case (let low?, let high?): low <= shift && shift <= high
        // A rise is a leak, unless a later exception shows that it is a flipped bit.
        case (let low?, nil):
          shift == low
            || (isAttached && isClean && (low...low + AreaLaw.riseMax).contains(shift)
              && !isContradicted(slot, above: low))
        case (nil, let high?): shift <= high
        case (nil, nil):
          shift == 0 && (isClean || context.isExpected)
            || context.isExpected && isAttached && isClean && shift <= AreaLaw.riseMax
              && !isContradicted(slot, above: 0)
        }
      if isSupported {
        kinds[slot] = .kept
        low = shift
      }
    }
  }

  /// Whether, if this slot is in its place, more of the next slots cannot be.
  private func isContradicted(_ slot: Int, above low: Int64) -> Bool {
    var (below, above) = (0, 0)
    for next in slot + 1..<min(slot + 1 + 2 * AreaLaw.strongCount, kinds.count)
    where kinds[next] == .outOfPlace && shifts[next] >= low {
      if shifts[next] < shifts[slot] { below += 1 } else { above += 1 }
    }
    return below > above
  }

  /// Whether most possible exceptions are out of place: numbers of another kind.
  private func isForeign(_ shift: Int64) -> Bool {
    let possible = kinds.count { $0 == .outOfPlace }
    let placed = zip(kinds, shifts).count { $0 == .outOfPlace && $1 == shift }
    return placed * 2 < possible
  }

  /// Whether the remaining slots are exceptions in another order than their chunks.
  private func isUnordered(
    _ exceptions: Span<DiskException>, _ position: UInt64, _ context: Context
  ) -> Bool {
    let kept = kinds.count { $0 == .kept }
    let left = kinds.count { $0 == .outOfPlace }
    let all = kept + left
    guard left * 4 > all, all >= (context.isExpected ? 2 : 8),
      kinds.count(where: { $0 == .impossible }) * 8 <= all
    else { return false }
    var (lowest, highest) = (Int64.max, Int64.min)
    var (orders, olds) = (ChunkSet(), ChunkSet())
    // Those copied from another area are as dense, but have no chunk of this one's.
    let own = 0..<Int64(kinds.count) + max(context.shift ?? 0, 0) + AreaLaw.riseMax
    var ownCount = 0
    for slot in kinds.indices where kinds[slot] == .kept || kinds[slot] == .outOfPlace {
      let order = shifts[slot] + Int64(slot)
      (lowest, highest) = (min(lowest, order), max(highest, order))
      if kinds[slot] == .outOfPlace, own.contains(order) { ownCount += 1 }
      _ = orders.insert(UInt64(bitPattern: order))
      _ = olds.insert(exceptions[slot].oldChunk)
    }
    // A few may be named twice by damage, but none of a handful.
    let isUnique = all - Int(min(orders.count, olds.count)) <= all / 16
    let isDense = highest - lowest < Int64(all + all / 4 + 16)
    let shift = context.shift ?? 0
    return isUnique && isDense && ownCount * 2 >= left && lowest + Int64(position) >= 0
      && lowest >= -AreaLaw.leakMax
      && highest <= Int64(kinds.count) + shift + AreaLaw.leakMax
  }
}
