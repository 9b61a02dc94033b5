internal import CLinux
internal import Glibc
internal import SystemPackage

/// Shares data between two files of one file system, instead of copying it (reflink).
///
/// - Source: Linux `fs/remap_range.c`, FICLONERANGE.
package struct ExtentCloner: Sendable {
  /// A clone costs some fifty microseconds and an extent of its own, whatever its size; copying
  /// fewer bytes is as fast, and leaves the file in one piece.
  static let byteCountMin: UInt64 = 65536

  private let source: FileBacking
  private let target: FileBacking
  /// Shared ranges begin and end at multiples of this, in bytes, in both files.
  private let blockByteCount: UInt64

  /// A cloner between the files under a source and a target; nil if these are not files, not on one
  /// file system, or on one that cannot share.
  package init?(from source: any BlockSource, to target: any BlockTarget) {
    guard let source = FileBacking(of: source), let target = FileBacking(of: target),
      !source.isBlockDevice, !target.isBlockDevice,
      source.identity.device == target.identity.device,
      source.identity != target.identity
    else { return nil }
    let number = target.descriptor.rawValue
    var status = statvfs()
    guard unsafe fstatvfs(number, &status) == 0, status.f_bsize > 0 else { return nil }
    blockByteCount = UInt64(status.f_bsize)
    // A range shared with itself: EINVAL if files can be shared, another error elsewhere.
    guard dmsnap_clone_range(number, 0, number, 0, blockByteCount) != 0, Glibc.errno == EINVAL
    else { return nil }
    (self.source, self.target) = (source, target)
  }

  /// The part of an extent that can be shared and is worth it, whole blocks of both files; or nil.
  package func shareablePart(of extent: CopyExtent) -> CopyExtent? {
    guard extent.byteCount >= Self.byteCountMin else { return nil }
    let sourceStart = source.range.lowerBound + extent.sourceOffset
    let targetStart = target.range.lowerBound + extent.targetOffset
    guard sourceStart % blockByteCount == targetStart % blockByteCount else { return nil }
    let head = (blockByteCount - sourceStart % blockByteCount) % blockByteCount
    guard head < extent.byteCount else { return nil }
    let count = (extent.byteCount - head) / blockByteCount * blockByteCount
    return count < Self.byteCountMin ? nil : extent.part(head..<head + count)
  }

  /// Shares an extent that ``shareablePart(of:)`` gave.
  ///
  /// - Returns: false if that is refused after all; then nothing has changed.
  package func clone(_ extent: CopyExtent) -> Bool {
    dmsnap_clone_range(
      target.descriptor.rawValue, target.range.lowerBound + extent.targetOffset,
      source.descriptor.rawValue, source.range.lowerBound + extent.sourceOffset,
      extent.byteCount) == 0
  }
}
