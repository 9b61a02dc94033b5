public import BlockIO

/// The target of an export: a file that stays sparse, or a stream.
public protocol ExportSink: AnyObject {
  /// Appends the next bytes.
  func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError)
  /// Appends that many zeroes.
  func appendZeroes(byteCount: UInt64) throws(BlockIOError)
}
