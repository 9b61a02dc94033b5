#if TSK
  /// Limits on a call of libtsk, beyond which it is given up.
  package struct TSKLimits: Sendable {
    /// The time of a processor.
    package let processorTime: Duration
    /// The memory that libtsk has for the file system, in bytes.
    package let byteCount: Int

    /// So much time and memory.
    package init(processorTime: Duration, byteCount: Int) {
      (self.processorTime, self.byteCount) = (processorTime, byteCount)
    }

    /// More than the largest directories and the most files that a source can hold need.
    package init(sourceByteCount: UInt64) {
      processorTime = .seconds(min(15 + sourceByteCount >> 28, 120))
      byteCount = Int(min(64 << 20 + sourceByteCount >> 4, 512 << 20))
    }
  }
#endif
