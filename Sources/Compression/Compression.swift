/// A way in which bytes are compressed.
package enum Compression: String, Sendable {
  /// Deflate with a header and an Adler-32 (RFC 1950).
  case zlib
  /// A frame of Zstandard (RFC 8878).
  case zstd
  /// LZO1X, bare: without a length, until its end mark.
  case lzo

  /// Whether this build can decompress it; see the traits of the package.
  package var isSupported: Bool {
    switch self {
    #if Zlib
      case .zlib: true
    #else
      case .zlib: false
    #endif
    #if Zstd
      case .zstd: true
    #else
      case .zstd: false
    #endif
    case .lzo: true
    }
  }

  /// Decompresses the stream that `input` begins with, whatever follows it, into `range` of
  /// `output`.
  ///
  /// - Returns: The number of bytes put out. Nil if the input is damaged, longer than `range`
  ///   (except zlib's, which is cut there), or of a way that this build does not support; the
  ///   content of `range` is then undefined.
  package func decompress(
    _ input: Span<UInt8>, into output: inout MutableSpan<UInt8>, _ range: Range<Int>
  ) -> Int? {
    switch self {
    #if Zlib
      case .zlib: Zlib.decompress(input, into: &output, range)
    #else
      case .zlib: nil
    #endif
    #if Zstd
      case .zstd: Zstd.decompress(input, into: &output, range)
    #else
      case .zstd: nil
    #endif
    case .lzo: LZO1X.decompress(input, into: &output, range)
    }
  }
}
