internal import CLinux
internal import Glibc
internal import SystemPackage

/// The bytes on the medium, read past the page cache (O_DIRECT), to verify writes.
///
/// Reads of any place and length are made of whole blocks.
package final class UncachedSource: BlockSource {
  /// The alignment that O_DIRECT requires: few devices have larger blocks.
  private static let blockByteCount: UInt64 = 4096

  package let name: String
  package let byteCount: UInt64
  private let descriptor: FileDescriptor

  /// The medium under `target`; nil if the cache cannot be bypassed.
  package init?(_ target: any BlockTarget) {
    guard let backing = FileBacking(of: target) else { return nil }
    let path = FilePath("/proc/self/fd/\(backing.descriptor.rawValue)")
    let number = openUntouched(path, O_RDONLY | O_CLOEXEC | dmsnap_o_direct)
    guard number >= 0 else { return nil }
    name = target.name
    byteCount = target.byteCount
    descriptor = FileDescriptor(rawValue: number)
    // Some file systems accept the flag and then refuse to read.
    let buffer = IOBuffer(byteCount: Int(Self.blockByteCount))
    let probe = 0..<min(byteCount, Self.blockByteCount)
    do throws(BlockIOError) {
      _ = try descriptor.readBlocks(probe.lowerBound, buffer, atLeast: probe.count, name: name)
    } catch {
      return nil
    }
  }

  deinit {
    try? descriptor.close()  // closing a descriptor that was only read loses nothing
  }

  package func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    let start = byteOffset / Self.blockByteCount * Self.blockByteCount
    let end =
      (bytes.upperBound + Self.blockByteCount - 1) / Self.blockByteCount * Self.blockByteCount
    let bounce = IOBuffer(byteCount: Int(end - start))
    let skipped = Int(byteOffset - start)
    try descriptor.readBlocks(start, bounce, atLeast: skipped + range.count, name: name)
    buffer.copy(from: bounce, skipped..<skipped + range.count, to: range.lowerBound)
  }
}

extension FileDescriptor {
  /// Fills `buffer` from `byteOffset` on, up to the end of the file, which need not be at a block
  /// boundary.
  ///
  /// - Parameter minimum: With fewer bytes the read has failed.
  fileprivate func readBlocks(
    _ byteOffset: UInt64, _ buffer: IOBuffer, atLeast minimum: Int, name: String
  ) throws(BlockIOError) {
    let place = byteOffset..<byteOffset + UInt64(minimum)
    let done = try wrapping(
      { BlockIOError(name, .read, .system($0), at: place) },
      try movingAll(minimum) { done in
        let bytes = unsafe buffer.memory(done..<buffer.byteCount)
        return unsafe Glibc.pread(
          rawValue, bytes.baseAddress, bytes.count, off_t(byteOffset + UInt64(done)))
      })
    guard done >= minimum else {
      throw BlockIOError(
        name, .read, .changed("it now ends at byte \(byteOffset + UInt64(done))"), at: place)
    }
  }
}
