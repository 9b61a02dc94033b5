/// Aligns the orphans of a store, in its order, with the lost chunks of files: finds the best order
/// of those, and the part that all nearly best orders share.
///
/// Linux writes a file's chunks one after the other, and so they lie in the store; files that it
/// writes one after the other lie beside each other in the origin, mostly. So a row is walked from
/// orphan to orphan: on to the next chunk costs nothing, a jump to another one does, and a jump
/// within a file most of all. An orphan may also be none of these chunks.
struct FileDataAlignment {
  /// A chunk of the origin that an orphan may be a copy of.
  struct Target {
    let chunk: UInt64
    /// The content it must hold; nil for one that no file needs, such as that of a deleted file.
    let need: FileDataNeed?
    /// Whether the target before is the chunk before.
    let isNext: Bool
    /// Whether its file has the chunk before as well, and that was lost, too.
    let isMiddle: Bool
    /// The places in the store's order of the chunks before and after, if known.
    let (before, after): (Int?, Int?)
    /// Whether its file has them as well, and beside them in the store there are orphans.
    let (isTornBefore, isTornAfter): (Bool, Bool)
    /// Whether the next chunk was free before.
    let isFreeAfter: Bool
  }

  // In sixteenths of a bit.
  private static let jump: Int32 = 80
  private static let tear: Int32 = 112
  private static let detour: Int32 = 48
  private static let resumption: Int32 = 16
  private static let disorder: Int32 = 64
  private static let end: Int32 = 16
  /// The margin by which everything else must fit worse, for the orphan and for the chunk.
  private static let (orphanMargin, chunkMargin): (Int32, Int32) = (16, 24)

  /// More would overflow the sums.
  private static let fitMax: Int32 = 1 << 12
  /// More orphans are not laid out at once, for the same reason.
  static let rowCountMax = 1 << 14

  let targets: [Target]
  /// The places of the orphans in the store's order, ascending.
  let positions: [Int]
  /// The target that continues the known places before an orphan.
  let successors: [Int?]

  /// The certain matches so far: the target of each orphan.
  ///
  /// - Parameter scores: How well an orphan fits a target.
  func certain(_ score: (Int, Int) -> Int32) -> [Int?] {
    let (rows, columns) = (positions.count, targets.count)
    guard rows > 0, columns > 0 else { return [] }
    var fits = [Int32](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns where targets[column].need != nil {
        fits[row * columns + column] = min(
          max(score(row, column), FileDataScores.impossible), Self.fitMax)
      }
    }
    var (sums, none) = forward(fits)
    let (rest, noneRest) = backward(fits)
    for index in sums.indices { sums[index] += rest[index] }
    for row in 0..<rows { none[row] += noneRest[row] }
    var best = [(value: Int32, column: Int)](repeating: (.min, 0), count: rows)
    var second = [Int32](repeating: .min, count: rows)
    for row in 0..<rows {
      second[row] = none[row]
      for column in 0..<columns {
        let value = sums[row * columns + column]
        if value > best[row].value {
          second[row] = max(second[row], best[row].value)
          best[row] = (value, column)
        } else {
          second[row] = max(second[row], value)
        }
      }
    }
    return (0..<rows).map { row in
      let (value, column) = best[row]
      guard targets[column].need != nil, value - second[row] >= Self.orphanMargin else {
        return nil
      }
      for other in 0..<rows where other != row {
        let most = max(best[other].value, none[other])
        if most - sums[other * columns + column] < Self.chunkMargin { return nil }
      }
      return column
    }
  }

  /// The cost of a jump to a target.
  private func entry(_ column: Int, _ position: Int) -> Int32 {
    let target = targets[column]
    var cost = target.need == nil ? Self.detour : target.isMiddle ? Self.tear : 0
    if let before = target.before {
      cost += before < position ? Self.resumption : Self.jump + Self.disorder
      if target.isTornBefore, before != position - 1 { cost += Self.tear }
    } else {
      cost += Self.jump
    }
    return cost
  }

  /// The cost of a jump from a target.
  private func exit(_ column: Int, _ position: Int) -> Int32 {
    let target = targets[column]
    var cost: Int32 = 0
    if column + 1 < targets.count, targets[column + 1].isMiddle { cost += Self.tear }
    if let after = target.after {
      if after < position, target.isFreeAfter { cost += Self.disorder }
      if target.isTornAfter, after != position + 1 { cost += Self.tear }
    }
    return cost
  }

  /// The gain where a known chunk follows a target in the store and in the origin: no jump led
  /// there.
  private func closing(_ column: Int, _ position: Int) -> Int32 {
    targets[column].after == position + 1 ? Self.jump + Self.resumption : 0
  }

  private func isConsecutive(_ row: Int) -> Bool {
    row > 0 && positions[row - 1] + 1 == positions[row]
  }

  /// The best way to each target of each orphan, and to none of them.
  private func forward(_ fits: [Int32]) -> (sums: [Int32], none: [Int32]) {
    let (rows, columns) = (positions.count, targets.count)
    var sums = [Int32](repeating: FileDataScores.impossible, count: rows * columns)
    var none = [Int32](repeating: 0, count: rows)
    for row in 0..<rows {
      let (start, position, isConsecutive) = (
        row * columns, positions[row], isConsecutive(row)
      )
      var hub: Int32 = 0
      if row > 0 {
        hub = none[row - 1]
        let last = positions[row - 1]
        for column in 0..<columns {
          let closing = isConsecutive ? 0 : closing(column, last)
          hub = max(hub, sums[start - columns + column] - exit(column, last) + closing)
        }
        none[row] = isConsecutive ? max(none[row - 1], hub - Self.end) : hub
      }
      for column in 0..<columns {
        var value = hub - entry(column, position)
        if isConsecutive {
          if targets[column].isNext { value = max(value, sums[start - columns + column - 1]) }
        } else if successors[row] == column {
          value = max(value, hub + Self.resumption)
        }
        sums[start + column] = value + fits[start + column]
      }
    }
    return (sums, none)
  }

  /// The best way on from each target of each orphan, and from none of them.
  private func backward(_ fits: [Int32]) -> (sums: [Int32], none: [Int32]) {
    let (rows, columns) = (positions.count, targets.count)
    var sums = [Int32](repeating: 0, count: rows * columns)
    var none = [Int32](repeating: 0, count: rows)
    let last = rows - 1
    for column in 0..<columns {
      sums[last * columns + column] =
        closing(column, positions[last]) - exit(column, positions[last])
    }
    for row in (0..<last).reversed() {
      let (start, next) = (row * columns, (row + 1) * columns)
      let (position, isConsecutive) = (positions[row], isConsecutive(row + 1))
      var hub = FileDataScores.impossible
      for column in 0..<columns {
        let value = sums[next + column] + fits[next + column]
        var cost = entry(column, positions[row + 1])
        if !isConsecutive, successors[row + 1] == column { cost = min(cost, -Self.resumption) }
        hub = max(hub, value - cost)
      }
      none[row] = max(none[row + 1], hub)
      let elsewhere = isConsecutive ? max(none[row + 1] - Self.end, hub) : none[row]
      for column in 0..<columns {
        var value = elsewhere - exit(column, position)
        if !isConsecutive {
          value += closing(column, position)
        } else if column + 1 < columns, targets[column + 1].isNext {
          value = max(value, sums[next + column + 1] + fits[next + column + 1])
        }
        sums[start + column] = value
      }
    }
    return (sums, none)
  }
}
