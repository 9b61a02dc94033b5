internal import CLinux
internal import Glibc
internal import SystemPackage

/// The one file or device that has all bytes of a source contiguously.
///
/// For libraries that read from a descriptor, not from a ``BlockSource``.
package struct FileBacking: Sendable {
  private let file: FileSource
  /// The source's bytes in the file.
  package let range: Range<UInt64>

  /// The backing of `source`; nil if its bytes are in several places.
  package init?(of source: any BlockSource) {
    switch source {
    case let file as FileSource:
      self.file = file
      range = 0..<file.byteCount
    case let memory as MemoryFile:
      file = memory.source
      range = 0..<memory.byteCount
    case let target as FileTarget:
      file = target.source
      range = 0..<file.byteCount
    case let output as OutputFile:
      file = output.source
      range = 0..<file.byteCount
    case let slice as SliceSource:
      guard let base = FileBacking(of: slice.base) else { return nil }
      file = base.file
      let start = base.range.lowerBound
      range = start + slice.range.lowerBound..<start + slice.range.upperBound
    case let volume as VolumeSource:
      guard let (device, start) = volume.onlyPlace, let base = FileBacking(of: device),
        start + volume.byteCount <= UInt64(base.range.count)
      else { return nil }
      file = base.file
      range = base.range.lowerBound + start..<base.range.lowerBound + start + volume.byteCount
    default: return nil
    }
  }

  /// Identifies the file or device.
  var identity: FileIdentity { file.identity }
  /// Open for writing if it backs a target.
  var descriptor: FileDescriptor { file.descriptor }
  /// Whether a block device backs the source.
  package var isBlockDevice: Bool { file.identity.isBlockDevice }
  /// The smallest unit that a block device reads and writes, in bytes; 512 for a file.
  package var logicalBlockByteCount: Int { file.logicalBlockByteCount }

  /// Lends a descriptor of the file that is open for reading and shares nothing with the source.
  ///
  /// A library may seek with it and advise the system about it; the source's own descriptor keeps
  /// its place and its readahead. It is opened as the source was: without a trace if the system
  /// allows that.
  package func withDescriptor<Result, Failure: Error>(
    _ body: (CInt) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    let path = FilePath("/proc/self/fd/\(file.descriptor.rawValue)")
    let number = openUntouched(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard number >= 0 else { return nil }
    defer { close(number) }
    return try body(number)
  }
}
