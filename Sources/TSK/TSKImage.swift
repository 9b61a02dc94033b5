#if TSK
  internal import BlockIO
  internal import CTSK

  /// A source as libtsk reads it: through a callback that gives bytes or fails.
  ///
  /// Failures are kept, so that the caller learns the source's own error. Not for concurrent use,
  /// which `TSKVolume` prevents.
  @safe
  final class TSKImage: @unchecked Sendable {
    // As much as libtsk reads at once for its cache; more is read in pieces.
    private static let bufferByteCount = 64 << 10

    private let source: any BlockSource
    private let buffer = IOBuffer(byteCount: bufferByteCount)
    private(set) var failure: BlockIOError?
    /// The library's image, valid as long as this object.
    private(set) var handle: UnsafeMutablePointer<TSK_IMG_INFO>?

    /// The image of a source; nil without memory, or if the source is too large for libtsk.
    init?(_ source: any BlockSource) {
      self.source = source
      guard Int64(exactly: source.byteCount) != nil,
        let image = unsafe dmsnap_tsk_open(
          Unmanaged.passUnretained(self).toOpaque(), source.byteCount,
          { image, offset, target, count in
            guard let image = unsafe image, let target = unsafe target,
              let context = unsafe dmsnap_tsk_context(image)
            else { return -1 }
            let this = unsafe Unmanaged<TSKImage>.fromOpaque(context).takeUnretainedValue()
            return unsafe this.read(
              at: offset, into: UnsafeMutableRawBufferPointer(start: target, count: count))
          })
      else { return nil }
      unsafe handle = image
    }

    /// Frees the library's image; nothing of it may be used after.
    func close() { unsafe loaded_tsk_img_close(handle) }

    /// The error of the source since this was last asked.
    func takeFailure() -> BlockIOError? {
      defer { failure = nil }
      return failure
    }

    /// Fills `target` as far as the source reaches.
    private func read(at offset: Int64, into target: UnsafeMutableRawBufferPointer) -> Int {
      TSKWorker.current?.checkIsWanted()
      guard let start = UInt64(exactly: offset), start < source.byteCount else { return -1 }
      let count = Int(min(UInt64(target.count), source.byteCount - start))
      var done = 0
      while done < count {
        let part = min(count - done, Self.bufferByteCount)
        do throws(BlockIOError) {
          try source.read(at: start + UInt64(done), into: buffer, 0..<part)
        } catch {
          failure = failure ?? error
          return -1
        }
        buffer.withBytes(0..<part) { bytes in
          unsafe bytes.withUnsafeBytes {
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + part])
              .copyMemory(from: $0)
          }
        }
        done += part
      }
      return count
    }
  }
#endif
