public import BlockIO

/// Where an export goes: a file that stays sparse, or a stream.
public protocol ExportSink: AnyObject {
  /// Takes the next bytes.
  func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError)
  /// Takes that many zeroes.
  func appendZeroes(byteCount: UInt64) throws(BlockIOError)
}
