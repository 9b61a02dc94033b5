/// Sectors that say who wrote them and where, so that a wrong byte explains itself.
public enum Stamp {
  /// The sectors `range` of a device, sixteen lines of 32 bytes each, as in corpus/README.md.
  public static func sectors(_ range: Range<Int>, by writer: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count * 512)
    for sector in range {
      let number = String(sector)
      let digits = String(repeating: "0", count: max(0, 10 - number.count)) + number
      var line = Array("sector \(digits) \(writer)".utf8.prefix(31))
      line += [UInt8](repeating: UInt8(ascii: " "), count: 31 - line.count) + [UInt8(ascii: "\n")]
      for _ in 0..<16 { bytes += line }
    }
    return bytes
  }

  /// An origin before anything happened to it, cut after `byteCount` bytes.
  public static func origin(byteCount: Int, by writer: String = "origin gen 0") -> [UInt8] {
    Array(sectors(0..<(byteCount + 511) / 512, by: writer).prefix(byteCount))
  }
}
