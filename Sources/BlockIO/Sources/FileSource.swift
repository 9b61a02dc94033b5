internal import CLinux
internal import Glibc
public import SystemPackage

/// A file or block device, opened for reading and nothing else.
///
/// Opening leaves no trace where the system allows that: without changing the access time of a file
/// that we own (O_NOATIME).
///
/// Nobody can keep others from writing to it meanwhile. What shows at once that someone did, such
/// as another length, is an error at once; ``checkUnchanged()`` tells at the end of a job.
public final class FileSource: BlockSource {
  public let name: String
  public let byteCount: UInt64
  /// The device and inode of a file, the device number of a block device: see ``FileIdentity``.
  public let identity: FileIdentity
  /// What a block device reads and writes at the least, in bytes; 512 for a file.
  public let logicalBlockByteCount: Int
  let descriptor: FileDescriptor
  private let asksForHoles: Bool
  /// When it was last written before it was opened; nil where that does not matter or is not known.
  private let writeTime: Int64?

  /// Opens the file or block device at `path`.
  ///
  /// - Parameter asksForHoles: Whether the file system is asked where data is, and what it calls a
  ///   hole is taken for zeroes. Some are wrong about that.
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

  /// Takes over an open descriptor, which is closed with the source.
  ///
  /// - Parameter isInput: Whether nobody is supposed to write to the file; false where we do.
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
      try? descriptor.close()  // the error that matters is the one on the way up
      throw error
    }
  }

  deinit {
    try? descriptor.close()  // closing what was only read cannot lose anything
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
    guard direct >= 0 else {  // no O_DIRECT here: the cache's answer has to do
      return try descriptor.readFully(bytes, into: buffer, range, name: name)
    }
    defer { close(direct) }
    let bounce = IOBuffer(byteCount: range.count)
    do throws(BlockIOError) {
      try FileDescriptor(rawValue: direct).readFully(
        bytes, into: bounce, 0..<range.count, name: name)
    } catch {
      // EINVAL: the device wants larger blocks than these; ask the cache instead.
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
    if data < 0, errno == .invalidArgument { return byteOffset..<byteCount }  // it cannot tell
    // Of a file that is not as long as it was, no answer is one to what was asked.
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
          "there is no data at byte \(data), where there was a moment ago; if nobody writes to it, its"
            + " file system reports holes wrongly: --no-holes"))
    }
    return UInt64(data)..<min(UInt64(hole), byteCount)
  }

  // MARK: - Whether it is what was opened

  /// Throws where the file or device is not as long as it was when it was opened, or a file was
  /// written since.
  public func checkUnchanged() throws(BlockIOError) {
    let shape = try checkLength()
    guard let writeTime, shape.writeTime != writeTime else { return }
    throw BlockIOError(
      name, .read, .changed("someone wrote to it; stop the writer, or read a copy"))
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

/// Opens a file without changing its access time when it is read, where the system allows that: for
/// those that we own.
///
/// - Returns: The descriptor's number, or -1 with the reason in `errno`.
func openUntouched(_ path: FilePath, _ flags: Int32) -> Int32 {
  let number = unsafe path.withPlatformString { unsafe Glibc.open($0, flags | dmsnap_o_noatime) }
  if number >= 0 || Glibc.errno != EPERM { return number }
  return unsafe path.withPlatformString { unsafe Glibc.open($0, flags) }
}

extension FileDescriptor {
  /// Reads all of `bytes` into `range` of `buffer`, however many calls that takes.
  func readFully(
    _ bytes: Range<UInt64>, into buffer: IOBuffer, _ range: Range<Int>, name: String
  ) throws(BlockIOError) {
    var done = 0
    while done < range.count {
      let target = unsafe buffer.memory(range.lowerBound + done..<range.upperBound)
      let count = unsafe Glibc.pread(
        rawValue, target.baseAddress, target.count, off_t(bytes.lowerBound + UInt64(done)))
      if count < 0 {
        let errno = Errno(rawValue: Glibc.errno)
        if errno == .interrupted { continue }
        throw BlockIOError(name, .read, .system(errno), at: bytes)
      }
      // The file was as long as this when it was opened; it is being cut while we read.
      guard count > 0 else {
        throw BlockIOError(
          name, .read, .changed("it ends at byte \(bytes.lowerBound + UInt64(done)) now"), at: bytes
        )
      }
      done += count
    }
  }
}
