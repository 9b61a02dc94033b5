/// The lines of a text of any length, one after another.
package struct LineReader {
  private let source: any BlockSource
  private let buffer = IOBuffer(byteCount: 1 << 16)
  private var position: UInt64 = 0
  private var unread = 0..<0

  /// A reader of the text that `source` holds.
  package init(_ source: any BlockSource) { self.source = source }

  /// The next line, without its end; nil after the last.
  ///
  /// - Parameter byteCountMax: A longer line is cut there, and the rest is the next line.
  package mutating func next(byteCountMax: Int = 1 << 20) throws(BlockIOError) -> String? {
    var line: [UInt8] = []
    var hasEnded = false
    while !hasEnded, line.count < byteCountMax {
      if unread.isEmpty {
        let count = min(source.byteCount - position, UInt64(buffer.byteCount))
        if count == 0 { return line.isEmpty ? nil : String(decoding: line, as: UTF8.self) }
        unread = 0..<Int(count)
        try source.read(at: position, into: buffer, unread)
        position += count
      }
      buffer.withBytes(unread) { bytes in
        var index = 0
        let limit = min(bytes.count, byteCountMax - line.count)
        while index < limit, bytes[index] != UInt8(ascii: "\n") {
          line.append(bytes[index])
          index += 1
        }
        hasEnded = index < limit
        unread = unread.lowerBound + index + (hasEnded ? 1 : 0)..<unread.upperBound
      }
    }
    return String(decoding: line, as: UTF8.self)
  }
}
