import BlockIO
import FileSystems
import SnapshotKit

/// Lines that go to standard output as they come, many at a time.
final class LineWriter {
  private static let pieceByteCount = 1 << 16
  private var text = ""

  func write(_ line: String) throws(BlockIOError) {
    text += line
    text += "\n"
    if text.utf8.count >= Self.pieceByteCount { try flush() }
  }

  func flush() throws(BlockIOError) {
    if text.isEmpty { return }
    try OutputStream.standardOutput.write(text)
    text = ""
  }
}

/// A file as a line of a list.
struct FileLine {
  let path: String
  let inode: Inode?
  let id: FileID
  let kind: FileKind?
  let isDeleted: Bool
  /// The numbers of its bytes that are lost, in doubt, and likely; nil if not requested.
  let losses: FileLosses.Counts?
  /// The target of a symbolic link.
  let target: String?

  /// As `ls -l` has it.
  var long: String {
    guard let inode else { return "?????????? \("?".padding(to: 44)) \(name)" }
    let size =
      inode.device.map { "\($0.major), \($0.minor)" } ?? "\(inode.byteCount)"
    return "\(inode.modeText) \(inode.linkCount) "
      + "\(inode.owner)".padding(to: 5) + " " + "\(inode.group)".padding(to: 5) + " "
      + String(repeating: " ", count: max(12 - size.count, 0))
      + "\(size) \(inode.modified.minute) \(name)"
  }

  /// Its path, with the target of a link, its deletion and its losses.
  var name: String {
    path + (target.map { " -> \($0)" } ?? "") + (isDeleted ? " (deleted)" : "")
      + (losses?.words.map { " (\($0))" } ?? "")
  }

  /// As the Sleuth Kit's body file has it.
  var body: String {
    let name = path.replacing("|", with: "\\x7c") + (target.map { " -> \($0)" } ?? "")
    guard let inode else { return "0|\(name)|\(id.number)|-/----------|0|0|0|0|0|0|0" }
    // A regular file has an r where ls has a dash.
    let text = inode.modeText
    let mode = inode.kind == .regular ? "r" + text.dropFirst() : text
    return "0|\(name)\(isDeleted ? " (deleted)" : "")|\(id.number)|\(mode.prefix(1))/\(mode)"
      + "|\(inode.owner)|\(inode.group)|\(inode.byteCount)|\(inode.accessed.seconds)"
      + "|\(inode.modified.seconds)|\(inode.changed.seconds)|\(inode.created?.seconds ?? 0)"
  }

  /// As one object.
  var json: String {
    func time(_ time: Timestamp?) -> String { time.map { "\"\($0.iso8601)\"" } ?? "null" }
    func number(_ value: (some BinaryInteger)?) -> String { value.map { "\($0)" } ?? "null" }
    return "{\"path\": \(quotedJSON(path)), \"type\": \"\((kind ?? .unknown).rawValue)\""
      + ", \"inode\": \(id.number), \"tree\": \(id.tree)"
      + ", \"byteCount\": \(number(inode?.byteCount)), \"mode\": \(number(inode?.permissions))"
      + ", \"uid\": \(number(inode?.owner)), \"gid\": \(number(inode?.group))"
      + ", \"modified\": \(time(inode?.modified)), \"accessed\": \(time(inode?.accessed))"
      + ", \"changed\": \(time(inode?.changed)), \"created\": \(time(inode?.created))"
      + ", \"deleted\": \(isDeleted), \"lostByteCount\": \(number(losses?.lost))"
      + ", \"doubtfulByteCount\": \(number(losses?.doubtful))"
      + ", \"likelyByteCount\": \(number(losses?.likely))}"
  }
}

extension FileLosses.Counts {
  /// "512 bytes lost, 1 byte in doubt"; nil if there are none.
  fileprivate var words: String? {
    let words = [(lost, "lost"), (doubtful, "in doubt"), (likely, "likely")]
      .filter { $0.0 > 0 }.map { "\(counted($0.0, "byte")) \($0.1)" }
    return words.isEmpty ? nil : words.joined(separator: ", ")
  }
}

/// A text as JSON has it.
func quotedJSON(_ text: String) -> String {
  guard text.utf8.contains(where: { $0 == 0x22 || $0 == 0x5c || $0 < 0x20 }) else {
    return "\"\(text)\""
  }
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": quoted += "\\\""
    case "\\": quoted += "\\\\"
    case _ where scalar.value < 0x20: quoted += "\\u" + scalar.value.hexadecimal(digitCount: 4)
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}

extension Inode {
  /// Its kind and mode as `ls` has them: `drwxr-xr-x`.
  var modeText: String {
    let kind =
      switch kind {
      case .regular: "-"
      case .directory: "d"
      case .link: "l"
      case .characterDevice: "c"
      case .blockDevice: "b"
      case .fifo: "p"
      case .socket: "s"
      case .unknown: "?"
      }
    var letters = Array("rwxrwxrwx")
    for (index, _) in letters.enumerated() where permissions & (0o400 >> UInt16(index)) == 0 {
      letters[index] = "-"
    }
    for (bit, index, letter) in [(0o4000, 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t")]
    where permissions & UInt16(bit) != 0 {
      letters[index] = Character(letters[index] == "x" ? letter : letter.uppercased())
    }
    return kind + String(letters)
  }
}

extension Timestamp {
  /// The day and the second of the day, in UTC.
  private var parts: (year: Int64, month: Int64, day: Int64, second: Int64) {
    // Days are counted from March, so that the odd one of a leap year is the last.
    let (days, second) = (floorDivision(seconds, 86_400), floorRemainder(seconds, 86_400))
    let shifted = days + 719_468
    let era = floorDivision(shifted, 146_097)
    let dayOfEra = floorRemainder(shifted, 146_097)
    let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (year + era * 400 + (month <= 2 ? 1 : 0), month, day, second)
  }

  private var day: String {
    let parts = parts
    return "\(digits(parts.year, 4))-\(digits(parts.month, 2))-\(digits(parts.day, 2))"
  }

  /// `2026-11-27 01:12`, UTC.
  var minute: String {
    let second = parts.second
    return "\(day) \(digits(second / 3600, 2)):\(digits(second / 60 % 60, 2))"
  }

  /// `2026-11-27T01:12:05.000000001Z`.
  var iso8601: String {
    let second = parts.second
    return "\(day)T\(digits(second / 3600, 2)):\(digits(second / 60 % 60, 2))"
      + ":\(digits(second % 60, 2)).\(digits(Int64(nanoseconds), 9))Z"
  }
}

private func digits(_ number: Int64, _ count: Int) -> String {
  let text = String(number.magnitude)
  return (number < 0 ? "-" : "") + String(repeating: "0", count: max(count - text.count, 0)) + text
}

private func floorDivision(_ number: Int64, _ divisor: Int64) -> Int64 {
  number / divisor - (number % divisor < 0 ? 1 : 0)
}

private func floorRemainder(_ number: Int64, _ divisor: Int64) -> Int64 {
  let rest = number % divisor
  return rest < 0 ? rest + divisor : rest
}
