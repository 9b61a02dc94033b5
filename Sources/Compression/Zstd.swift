#if Zstd
  internal import CZstd

  /// Decompression by libzstd.
  enum Zstd {
    /// Decompresses a frame; nil if it is damaged, or longer than that.
    static func decompress(
      _ input: Span<UInt8>, into output: inout MutableSpan<UInt8>, _ range: Range<Int>
    ) -> Int? {
      unsafe output.withUnsafeMutableBufferPointer { all in
        let buffer = unsafe UnsafeMutableBufferPointer(rebasing: all[range])
        return unsafe input.withUnsafeBufferPointer { bytes in
          // The rest of the sector after the frame is not part of it.
          let frame = unsafe ZSTD_findFrameCompressedSize(bytes.baseAddress, bytes.count)
          guard ZSTD_isError(frame) == 0, frame <= bytes.count else { return nil }
          let result = unsafe ZSTD_decompress(
            buffer.baseAddress, buffer.count, bytes.baseAddress, frame)
          return ZSTD_isError(result) == 0 && result <= buffer.count ? result : nil
        }
      }
    }
  }
#endif
