/// Bytes of a source that go to a place of a target.
package struct CopyExtent: Equatable, Sendable {
  /// Where they are, in bytes.
  package var sourceOffset: UInt64
  /// Their destination, in bytes.
  package var targetOffset: UInt64
  /// The number of bytes.
  package var byteCount: UInt64

  /// An extent of `byteCount` bytes.
  package init(sourceOffset: UInt64, targetOffset: UInt64, byteCount: UInt64) {
    self.sourceOffset = sourceOffset
    self.targetOffset = targetOffset
    self.byteCount = byteCount
  }

  /// The bytes of the source.
  package var sourceRange: Range<UInt64> { sourceOffset..<sourceOffset + byteCount }
  /// The bytes of the target.
  package var targetRange: Range<UInt64> { targetOffset..<targetOffset + byteCount }

  /// A part of it, in bytes from its beginning.
  func part(_ range: Range<UInt64>) -> CopyExtent {
    CopyExtent(
      sourceOffset: sourceOffset + range.lowerBound, targetOffset: targetOffset + range.lowerBound,
      byteCount: range.upperBound - range.lowerBound)
  }
}
