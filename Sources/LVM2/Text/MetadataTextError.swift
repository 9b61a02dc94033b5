/// The place where a text of LVM2's metadata is invalid, or describes no volume group, and the
/// reason.
public struct MetadataTextError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line, from 1.
  public let line: Int
  /// The place in the line, in bytes, from 1.
  public let column: Int
  /// The text found there, described or in quotation marks.
  public let found: String
  /// The requirement at that place.
  public let required: String

  public var description: String {
    "line \(line), column \(column): found \(found), but \(required) is required"
  }

  /// The error at a byte of a text.
  init(at byteOffset: Int, of text: [UInt8], found: String, required: String) {
    let before = text.prefix(byteOffset)
    line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    column = byteOffset - lineStart + 1
    self.found = found
    self.required = required
  }
}
