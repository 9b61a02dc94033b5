/// Where a text of LVM2's metadata is not one, or describes no volume group, and why.
public struct MetadataTextError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line, from 1.
  public let line: Int
  /// Where in the line, in bytes, from 1.
  public let column: Int
  /// What stands there, in words or in quotation marks.
  public let found: String
  /// What has to stand there.
  public let required: String

  public var description: String {
    "line \(line), column \(column): found \(found), but \(required) is required"
  }

  /// What is wrong at a byte of a text.
  init(at byteOffset: Int, of text: [UInt8], found: String, required: String) {
    let before = text.prefix(byteOffset)
    line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    column = byteOffset - lineStart + 1
    self.found = found
    self.required = required
  }
}
