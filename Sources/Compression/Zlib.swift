#if Zlib
  internal import CZlib

  /// Decompression by zlib.
  enum Zlib {
    /// Decompresses a stream; nil if it is damaged.
    static func decompress(
      _ input: Span<UInt8>, into output: inout MutableSpan<UInt8>, _ range: Range<Int>
    ) -> Int? {
      guard let inputByteCount = UInt32(exactly: input.count),
        let outputByteCountMax = UInt32(exactly: range.count)
      else { return nil }
      return unsafe output.withUnsafeMutableBufferPointer { all in
        let buffer = unsafe UnsafeMutableBufferPointer(rebasing: all[range])
        return unsafe input.withUnsafeBufferPointer { bytes in
          var stream = unsafe z_stream()
          let size = unsafe Int32(MemoryLayout<z_stream>.size)
          guard unsafe inflateInit_(&stream, ZLIB_VERSION, size) == Z_OK else { return nil }
          defer { unsafe inflateEnd(&stream) }
          unsafe stream.next_in = unsafe UnsafeMutablePointer(mutating: bytes.baseAddress)
          unsafe stream.avail_in = inputByteCount
          unsafe stream.next_out = buffer.baseAddress
          unsafe stream.avail_out = outputByteCountMax
          let result = unsafe inflate(&stream, Z_FINISH)
          let rest = unsafe stream.avail_out
          let isCut = rest == 0 && (result == Z_OK || result == Z_BUF_ERROR)
          return result == Z_STREAM_END || isCut ? Int(outputByteCountMax - rest) : nil
        }
      }
    }
  }
#endif
