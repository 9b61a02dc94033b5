internal import CLinux
internal import Glibc
public import SystemPackage

/// A file or block device, opened for reading and nothing else.
///
/// Opening leaves no trace if the system allows that: it does not change the access time of our own
/// files (O_NOATIME).
///
/// Others cannot be kept from writing to it meanwhile. A change that shows at once, such as another
/// length, is an error at once; ``checkUnchanged()`` finds the others at the end of a job.
public final class FileSource: BlockSource {
  public let name: String
  public let byteCount: UInt64
  /// The device and inode of a file, the device number of a block device: see ``FileIdentity``.
  package let identity: FileIdentity
  /// The smallest unit that a block device reads and writes, in bytes; 512 for a file.
  package let logicalBlockByteCount: Int
  let descriptor: FileDescriptor
  private let asksForHoles: Bool
  /// When it was last written before it was opened; nil if that is unknown or does not matter.
  private let writeTime: Int64?

  /// Opens the file or block device at `path`.
  ///
  /// - Parameter asksForHoles: Whether to ask the file system where data is, and to take its holes
  ///   for zeroes. Some file systems are wrong about that.
  /// - Throws: Also for a directory, a pipe, a terminal: only files and block devices have bytes
  ///   that stay where they are.
  public convenience init(path: FilePath, asksForHoles: Bool = true) throws(BlockIOError) {
    let readOnly = O_RDONLY | O_CLOEXEC | O_NONBLOCK
    let number = openUntouched(path, readOnly)
    guard number >= 0 else {
      throw BlockIOError(path.string, .open, .system(Errno(rawValue: Glibc.errno)))
    }
    try self.init(
      name: path.string, owning: FileDescriptor(rawValue: number), asksForHoles: asksForHoles,
      isInput: true)
  }

  /// Takes over an open descriptor, and closes it in the end.
  ///
  /// - Parameter isInput: Whether the file must not change; false for a file that we write.
  init(
    name: String, owning descriptor: FileDescriptor, asksForHoles: Bool = true,
    isInput: Bool = false
  ) throws(BlockIOError) {
    do throws(BlockIOError) {
      let shape = try FileShape(of: descriptor, name: name)
      self.name = name
      self.descriptor = descriptor
      byteCount = shape.byteCount
      identity = shape.identity
      logicalBlockByteCount = shape.logicalBlockByteCount
      writeTime = isInput ? shape.writeTime : nil
      self.asksForHoles = asksForHoles
    } catch {
      try? descriptor.close()  // the error that matters is the one being thrown
      throw error
    }
  }

  deinit {
    try? descriptor.close()  // closing a descriptor that was only read loses nothing
  }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    try descriptor.readFully(bytes, into: buffer, range, name: name)
  }

  public func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    let aligned = byteOffset % 512 == 0 && range.count % 512 == 0
    let path = FilePath("/proc/self/fd/\(descriptor.rawValue)")
    let direct = aligned ? openUntouched(path, O_RDONLY | O_CLOEXEC | dmsnap_o_direct) : -1
    guard direct >= 0 else {  // no O_DIRECT here: the cache must do
      return try descriptor.readFully(bytes, into: buffer, range, name: name)
    }
    defer { close(direct) }
    let bounce = IOBuffer(byteCount: range.count)
    do throws(BlockIOError) {
      try FileDescriptor(rawValue: direct).readFully(
        bytes, into: bounce, 0..<range.count, name: name)
    } catch {
      // EINVAL: the device requires larger blocks; use the cache instead.
      guard error.reason == .system(.invalidArgument) else { throw error }
      return try descriptor.readFully(bytes, into: buffer, range, name: name)
    }
    buffer.copy(from: bounce, 0..<range.count, to: range.lowerBound)
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    guard byteOffset < byteCount, let start = off_t(exactly: byteOffset) else { return nil }
    guard asksForHoles else { return byteOffset..<byteCount }
    let data = lseek(descriptor.rawValue, start, dmsnap_seek_data)
    let errno = Errno(rawValue: Glibc.errno)
    if data < 0, errno == .invalidArgument { return byteOffset..<byteCount }  // not supported
    // If the length has changed, the answer means nothing.
    try checkLength()
    guard data >= 0 else {
      if errno == .noSuchAddressOrDevice { return nil }  // only a hole up to the end
      throw BlockIOError(name, .seek, .system(errno))
    }
    let hole = lseek(descriptor.rawValue, data, dmsnap_seek_hole)
    guard hole >= 0 || Glibc.errno == ENXIO else {
      throw BlockIOError(name, .seek, .system(Errno(rawValue: Glibc.errno)))
    }
    guard data >= start, hole > data, UInt64(data) < byteCount else {
      try checkLength()
      throw BlockIOError(
        name, .seek,
        .changed(
          "there was data at byte \(data), and now there is none; if nothing writes to it, its file"
            + " system reports holes wrongly: use --no-holes"))
    }
    return UInt64(data)..<min(UInt64(hole), byteCount)
  }

  // MARK: - Whether it has changed

  /// Throws if the length of the file or device has changed since it was opened, or if a file was
  /// written since.
  public func checkUnchanged() throws(BlockIOError) {
    let shape = try checkLength()
    guard let writeTime, shape.writeTime != writeTime else { return }
    throw BlockIOError(
      name, .read, .changed("it was written to; stop the writer, or read a copy"))
  }

  @discardableResult
  private func checkLength() throws(BlockIOError) -> FileShape {
    let shape = try FileShape(of: descriptor, name: name)
    guard shape.byteCount == byteCount else {
      throw BlockIOError(
        name, .read,
        .changed("it had \(byteCount) bytes when it was opened, and has \(shape.byteCount) now"))
    }
    return shape
  }

  public var files: [FileSource] { [self] }

  public func willRead(_ range: Range<UInt64>) {
    posix_fadvise(
      descriptor.rawValue, off_t(clamping: range.lowerBound), off_t(clamping: range.count),
      POSIX_FADV_WILLNEED)
  }

  public func hasCached(at byteOffset: UInt64) -> Bool {
    dmsnap_has_cached(descriptor.rawValue, byteOffset) == 1
  }
}

/// Opens a file so that reading does not change its access time, if the system allows that: for our
/// own files.
///
/// - Returns: The descriptor's number, or -1 with the reason in `errno`.
func openUntouched(_ path: FilePath, _ flags: Int32) -> Int32 {
  let number = unsafe path.withPlatformString { unsafe Glibc.open($0, flags | dmsnap_o_noatime) }
  if number >= 0 || Glibc.errno != EPERM { return number }
  return unsafe path.withPlatformString { unsafe Glibc.open($0, flags) }
}

extension FileDescriptor {
  /// Reads all of `bytes` into `range` of `buffer`, in as many calls as that takes.
  func readFully(
    _ bytes: Range<UInt64>, into buffer: IOBuffer, _ range: Range<Int>, name: String
  ) throws(BlockIOError) {
    let done = try wrapping(
      { BlockIOError(name, .read, .system($0), at: bytes) },
      try movingAll(range.count) { done in
        let target = unsafe buffer.memory(range.lowerBound + done..<range.upperBound)
        return unsafe Glibc.pread(
          rawValue, target.baseAddress, target.count, off_t(bytes.lowerBound + UInt64(done)))
      })
    // The file was this long when it was opened; it is being truncated while we read.
    guard done == range.count else {
      throw BlockIOError(
        name, .read, .changed("it now ends at byte \(bytes.lowerBound + UInt64(done))"), at: bytes)
    }
  }
}
