import BlockIO
import Inputs
import SnapshotFormat
import SnapshotKit

// Text and numbers for users.

/// A size for users: three digits and a binary unit.
func byteSize(_ byteCount: UInt64) -> String {
  if byteCount == 1 { return "1 byte" }
  let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
  var value = Double(byteCount)
  var unit = 0
  while value >= 1024, unit < units.count - 1 {
    value /= 1024
    unit += 1
  }
  let digits = unit == 0 || value == value.rounded() ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0
  let scale: UInt64 = digits == 2 ? 100 : digits == 1 ? 10 : 1
  let scaled = UInt64((value * Double(scale)).rounded())
  let fraction = digits == 0 ? "" : String(scaled % scale)
  let zeroes = String(repeating: "0", count: max(digits - fraction.count, 0))
  return "\(scaled / scale)" + (digits == 0 ? "" : ".\(zeroes)\(fraction)") + " \(units[unit])"
}

/// "1 exception", "302 exceptions".
func counted(_ count: UInt64, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

extension String {
  /// The maximum width of text.
  private static let width = 96

  /// The string, padded with spaces.
  func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(width - count, 0))
  }

  /// The string in lines of whole words, each indented by `indent` spaces.
  func wrapped(indent: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in split(separator: " ") {
      if !line.isEmpty, indent + line.count + 1 + word.count > Self.width {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? String(word) : " \(word)"
    }
    lines.append(line)
    let margin = String(repeating: " ", count: indent)
    return lines.map { margin + $0 }
  }
}

extension Finding {
  /// The finding as a line.
  var line: ColouredLine {
    let (word, times) = (severity.rawValue, count > 1 ? " (\(count) times)" : "")
    return ColouredLine(word, severity.colour)
      + "\("".padding(to: 8 - word.count)) \(code.rawValue): \(code.entry.title)\(times)"
  }
}

/// A file name as one word for a shell, without anything that a terminal would not show.
func quoted(_ name: String) -> String {
  let isPlain =
    name.visible == name
    && name.allSatisfy { $0.isLetter || $0.isNumber || "/._-+,=:@%".contains($0) }
  if isPlain, !name.isEmpty { return name }
  guard name.visible == name else {
    let bytes = name.utf8.map { byte -> String in
      let isShown =
        (0x20..<0x7f).contains(byte) && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
      return isShown
        ? String(UnicodeScalar(byte)) : "\\x" + byte.hexadecimal(digitCount: 2)
    }
    return "$'\(bytes.joined())'"
  }
  return "'"
    + name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
    + "'"
}

extension PlacementPlan {
  /// Says which siblings were of no use as witnesses, and why.
  func sayUnusedSiblings() {
    for line in unusedSiblings { Console.say("dmsnap: \(line)") }
  }

  /// The reasons why orphans have no place, and their numbers of bytes; nil if all have one.
  func reasons(_ geometry: StoreGeometry) -> String? {
    if unplaced.isEmpty { return nil }
    let size = byteSize(unplacedCount * geometry.chunkSize.byteCount)
    return "\(counted(unplacedCount, "chunk")) (\(size)): "
      + unplaced.map { "\($0.chunkCount) \($0.reason.words)" }.joined(separator: ", ")
  }

  /// The numbers of placed orphans: "212 proven, 655 likely of 763 unnamed chunks".
  var words: String {
    "\(provenCount) proven, \(likelyCount) likely of \(counted(orphanCount, "unnamed chunk"))"
  }
}
