/// A UUID of LVM2: 32 characters of its own alphabet.
public struct LVMIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// In the form that lvm2 prints: "2VyAz0-Ymco-rQ0x-5p2w-CH8v-Zg9e-bU3CVQ".
  public let description: String

  /// The lengths of the groups between hyphens.
  private static let groups = [6, 4, 4, 4, 4, 4, 6]

  /// The UUID in the form of labels: 32 characters without hyphens.
  ///
  /// - Returns: nil unless there are 32 letters, digits, `!` and `#`.
  package init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 32, bytes.allSatisfy(Self.isInAlphabet) else { return nil }
    var rest = bytes[...]
    description = Self.groups.map { count in
      defer { rest = rest.dropFirst(count) }
      return String(decoding: rest.prefix(count), as: UTF8.self)
    }.joined(separator: "-")
  }

  /// The UUID in the form of texts: with hyphens, wherever they are.
  ///
  /// - Source: lvm2 `lib/uuid/uuid.c`, `id_read_format()`.
  public init?(_ text: String) { self.init(text.utf8.filter { $0 != UInt8(ascii: "-") }) }

  private static func isInAlphabet(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "!"), UInt8(ascii: "#"):
      true
    default: false
    }
  }
}
