internal import SnapshotFormat

/// Decimal numbers that grow through a chunk of text, as process numbers and counters in logs do.
///
/// They show which of several texts a chunk continues. Numbers are told apart by the characters
/// around them, such as brackets: a year is not a process number.
struct TextNumbers {
  /// The characters before and after a number.
  private struct Setting: Hashable {
    let (before, after): (UInt8, UInt8)
  }

  private struct Row {
    var (first, last): (UInt64, UInt64)
    var stepMax: UInt64 = 0
    var count = 1
    var fallCount = 0
    /// The most from the last to the first of the next chunk: one of the numbers may be cut in two
    /// by the end of a chunk, and steps differ.
    var reach: UInt64 {
      let stepCount = UInt64(count - 1)
      let mean = (last - first) / stepCount
      return max(stepMax, mean > .max / 8 ? .max : (mean + 1) * 6)
    }
    /// Whether nearly all grow, and enough of them to tell.
    var isGrowing: Bool { count >= countMin && last > first && fallCount * 8 <= count }
  }

  private static let countMin = 3
  /// Shorter numbers are hours and days.
  private static let digitCounts = 4...18

  private var rows: [Setting: Row] = [:]

  /// The growing numbers of `content`; nil if there are none.
  init?(_ content: Span<UInt8>) {
    var index = 0
    while index < content.count {
      guard Self.isDigit(content[index]) else {
        index += 1
        continue
      }
      let start = index
      var value: UInt64 = 0
      while index < content.count, Self.isDigit(content[index]) {
        value = value &* 10 &+ UInt64(content[index] & 0xf)
        index += 1
      }
      // The chunk's first and last bytes may be within a number.
      guard start > 0, index < content.count, Self.digitCounts.contains(index - start) else {
        continue
      }
      let setting = Setting(before: content[start - 1], after: content[index])
      guard var row = rows[setting] else {
        rows[setting] = Row(first: value, last: value)
        continue
      }
      if value < row.last {
        row.fallCount += 1
      } else {
        row.stepMax = max(row.stepMax, value - row.last)
      }
      row.last = value
      row.count += 1
      rows[setting] = row
    }
    rows = rows.filter(\.value.isGrowing)
    if rows.isEmpty { return nil }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  /// Whether text with these numbers comes right after text with others: the numbers go on from
  /// there, with no more of a gap than there may be between two.
  func follows(_ last: TextNumbers) -> Bool {
    var doesFollow = false
    for (setting, row) in rows {
      guard let before = last.rows[setting] else { continue }
      guard row.first >= before.last, row.first - before.last <= max(row.reach, before.reach)
      else { return false }
      doesFollow = true
    }
    return doesFollow
  }
}
