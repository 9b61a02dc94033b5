internal import BlockIO

/// Names of files as text, and back: the one place that escapes them.
///
/// On a disk, a name is any bytes. As text, these become `\xNN`, two hexadecimal digits for each
/// byte of the name:
///
/// - `/`, control characters, and characters that move or reverse the text of a terminal
/// - bytes that are not UTF-8
/// - the backslash of a name that itself has `\x` and two hexadecimal digits
/// - the dots of `.` and `..`
///
/// An empty name is `\x`. So text is never taken for another name, and text without escapes stands
/// for itself.
public enum EscapedName {
  /// The text of a name.
  public static func text(_ name: [UInt8]) -> String {
    if isPlain(name) { return String(decoding: name, as: UTF8.self) }
    if name.isEmpty { return "\\x" }
    if name == [dot] || name == [dot, dot] { return name.map(escape).joined() }
    var text = ""
    var rest = name[...]
    while let byte = rest.first {
      let scalar = scalar(at: rest)
      let isEscaped =
        byte == slash || byte == backslash && isEscape(rest) || scalar.map(isHidden) ?? true
      let width = scalar.map { UTF8.width($0) } ?? 1
      if !isEscaped, let scalar {
        text.unicodeScalars.append(scalar)
      } else {
        text += rest.prefix(width).map(escape).joined()
      }
      rest = rest.dropFirst(width)
    }
    return text
  }

  /// The name that a text stands for.
  public static func name(_ text: some StringProtocol) -> [UInt8] {
    let bytes = Array(text.utf8)
    if !bytes.contains(backslash) { return bytes }
    if bytes == [backslash, letterX] { return [] }
    var name: [UInt8] = []
    var rest = bytes[...]
    while let byte = rest.first {
      if byte == backslash, isEscape(rest),
        let high = digit(rest[rest.startIndex + 2]), let low = digit(rest[rest.startIndex + 3])
      {
        name.append(high << 4 | low)
        rest = rest.dropFirst(4)
      } else {
        name.append(byte)
        rest = rest.dropFirst()
      }
    }
    return name
  }

  /// A name that can be made in a directory: itself, unless that would be another directory's, or
  /// none at all.
  ///
  /// A name with `/` or NUL, `.`, `..` and an empty one are given as text; Linux takes any other.
  public static func safe(_ name: [UInt8]) -> [UInt8] {
    let isUnsafe =
      name.isEmpty || name == [dot] || name == [dot, dot] || name.contains(slash)
      || name.contains(0)
    return isUnsafe ? Array(text(name).utf8) : name
  }

  private static let (slash, backslash, dot) =
    (UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "."))
  private static let letterX = UInt8(ascii: "x")

  /// Whether a name is its own text, as nearly every one is.
  private static func isPlain(_ name: [UInt8]) -> Bool {
    guard let first = name.first, first != dot || name.count > 2 else { return false }
    return name.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != slash && $0 != backslash }
  }

  /// Whether bytes begin with a sequence that would be read as an escaped byte.
  private static func isEscape(_ bytes: ArraySlice<UInt8>) -> Bool {
    let start = bytes.startIndex
    guard bytes.count >= 2, bytes[start + 1] == letterX else { return false }
    // Of a name that is `\x` and nothing else, the backslash is escaped as well.
    return bytes.count == 2
      || bytes.count >= 4 && digit(bytes[start + 2]) != nil && digit(bytes[start + 3]) != nil
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
  }

  private static func escape(_ byte: UInt8) -> String { "\\x" + [byte].hexadecimal }

  /// The character that bytes begin with; nil unless they are UTF-8.
  private static func scalar(at bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
    var decoder = UTF8()
    var iterator = bytes.prefix(4).makeIterator()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
    return scalar
  }

  /// Whether a terminal does something other than show the character.
  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: true
    default: false
    }
  }
}
