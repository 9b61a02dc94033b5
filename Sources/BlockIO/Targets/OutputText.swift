public import SystemPackage

/// A new file of a length not known in advance, mostly a text; it appears under its name when it is
/// published, like any ``OutputFile``.
public final class OutputText: ByteSink {
  private let output: OutputFile
  private let buffer = IOBuffer(byteCount: 1 << 16)
  private var used = 0
  private var byteCount: UInt64 = 0

  /// Begins a file that will be at `path`.
  ///
  /// - Throws: If something is at `path` already.
  public init(path: FilePath) throws(BlockIOError) {
    output = try OutputFile(path: path, byteCount: 0)
  }

  /// Begins a text that is copied elsewhere and never published, in TMPDIR or /tmp.
  package static func temporary() throws(BlockIOError) -> OutputText {
    try OutputText(path: OutputFile.temporaryPath())
  }

  /// Appends a text.
  package func write(_ text: String) throws(BlockIOError) {
    var rest = text.utf8[...]
    while !rest.isEmpty {
      if used == buffer.byteCount { try drain() }
      let piece = rest.prefix(buffer.byteCount - used)
      buffer.withMutableBytes(used..<used + piece.count) { target in
        var index = 0
        for byte in piece {
          target[index] = byte
          index += 1
        }
      }
      used += piece.count
      rest = rest.dropFirst(piece.count)
    }
  }

  /// Appends bytes.
  package func write(_ bytes: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
    if range.count < buffer.byteCount - used {
      buffer.copy(from: bytes, range, to: used)
      used += range.count
      return
    }
    try drain()
    try output.source.descriptor.writeFully(at: byteCount, from: bytes, range, name: output.name)
    byteCount += UInt64(range.count)
  }

  /// Flushes the file and gives it its name.
  package func publish() throws(BlockIOError) {
    try drain()
    try output.publish()
  }

  /// Writes all of it to a stream.
  package func copy(to stream: OutputStream) throws(BlockIOError) {
    try drain()
    var position: UInt64 = 0
    while position < byteCount {
      let piece = 0..<Int(min(byteCount - position, UInt64(buffer.byteCount)))
      try output.source.descriptor.readFully(
        position..<position + UInt64(piece.count), into: buffer, piece, name: output.name)
      try stream.write(buffer, piece)
      position += UInt64(piece.count)
    }
  }

  private func drain() throws(BlockIOError) {
    try output.source.descriptor.writeFully(
      at: byteCount, from: buffer, 0..<used, name: output.name)
    byteCount += UInt64(used)
    used = 0
  }
}
