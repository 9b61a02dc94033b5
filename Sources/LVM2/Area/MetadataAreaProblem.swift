internal import BlockIO

/// A problem with a metadata area, or with its text.
///
/// Bytes are counted from the beginning of the device.
package enum MetadataAreaProblem: Equatable, Sendable, CustomStringConvertible {
  /// By the label, it reaches past the end of the device, which has that many bytes.
  case beyondEnd(byteCount: UInt64)
  /// It has too few bytes in the device for a text.
  case tooSmall(byteCount: UInt64)
  /// It is too large to search for older texts.
  case tooLarge(byteCount: UInt64)
  /// These bytes of it cannot be read, and were taken for zeroes.
  case unreadable([Range<UInt64>])
  /// It does not begin with a header.
  case noHeader
  case headerChecksum(found: UInt32, required: UInt32)
  case headerVersion(UInt32)
  /// By its header, it is elsewhere than in the label.
  case elsewhere(byteOffset: UInt64, byteCount: UInt64)
  /// By its header, the text, or a part of it, is outside: at that many bytes from the beginning of
  /// the area, and of that length.
  case textOutside(byteOffset: UInt64, byteCount: UInt64)
  case textChecksum(found: UInt32, required: UInt32)
  /// The text is invalid.
  case text(MetadataTextError)

  package var description: String {
    switch self {
    case .beyondEnd(let byteCount):
      "the area reaches past the end of the device, which is \(byteCount) bytes long"
    case .tooSmall(let byteCount): "\(byteCount) bytes are too few for metadata"
    case .tooLarge(let byteCount):
      "\(byteCount) bytes are too many to search for older texts; at most"
        + " \(MetadataArea.searchedByteCountMax) bytes are searched"
    case .unreadable(let ranges):
      "\(ranges.totalCount) bytes cannot be read, from byte \(ranges.first?.lowerBound ?? 0) on"
    case .noHeader: "there is no metadata area header"
    case .headerChecksum(let found, let required):
      "the header's checksum is \(words(found)), but \(words(required)) is required"
    case .headerVersion(let version): "the header's version is \(version), but 1 is required"
    case .elsewhere(let byteOffset, let byteCount):
      "the header says that the area has \(byteCount) bytes at byte \(byteOffset), the label says"
        + " otherwise"
    case .textOutside(let byteOffset, let byteCount):
      "the header says that the text has \(byteCount) bytes at byte \(byteOffset) of the area,"
        + " where they do not fit"
    case .textChecksum(let found, let required):
      "the text's checksum is \(words(found)), but \(words(required)) is required"
    case .text(let error): "the text is damaged: \(error)"
    }
  }

  private func words(_ checksum: UInt32) -> String { "0x" + checksum.hexadecimal(digitCount: 8) }
}
