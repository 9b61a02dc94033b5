internal import CLinux
internal import Glibc
internal import SystemPackage

/// The identity of a file or device, whatever its path.
package struct FileIdentity: Hashable, Sendable {
  /// For a file, the device that it is on; for a block device, its own number.
  package let device: UInt64
  /// 0 for a block device.
  package let inode: UInt64

  /// Whether it identifies a block device.
  package var isBlockDevice: Bool { inode == 0 }

  /// The device's number as the kernel writes it: "8:1".
  package var deviceNumber: String { "\(dmsnap_major(device)):\(dmsnap_minor(device))" }
}

/// The properties of an open descriptor: only files and block devices are accepted.
struct FileShape {
  let byteCount: UInt64
  let identity: FileIdentity
  let logicalBlockByteCount: Int
  /// When a file was last written, in nanoseconds since 1970; nil for a device.
  let writeTime: Int64?

  init(of descriptor: FileDescriptor, name: String) throws(BlockIOError) {
    let status: Stat
    do { status = try descriptor.stat() } catch {
      throw BlockIOError(name, .open, .system(error))
    }
    switch status.type {
    case .regular:
      // off_t is signed, but no file system reports a negative size.
      byteCount = UInt64(max(status.size, 0))
      identity = FileIdentity(
        device: UInt64(status.deviceID.rawValue), inode: UInt64(status.inode.rawValue))
      logicalBlockByteCount = 512
      writeTime = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    case .blockSpecial:
      var size: UInt64 = 0
      var block: CInt = 0
      guard unsafe dmsnap_block_device_size(descriptor.rawValue, &size) == 0,
        unsafe dmsnap_logical_block_size(descriptor.rawValue, &block) == 0
      else { throw BlockIOError(name, .size, .system(Errno(rawValue: Glibc.errno))) }
      byteCount = size
      identity = FileIdentity(device: UInt64(status.specialDeviceID.rawValue), inode: 0)
      logicalBlockByteCount = Int(block)
      writeTime = nil
    case .directory: throw BlockIOError(name, .open, .notAFileOrBlockDevice("a directory"))
    case .fifo: throw BlockIOError(name, .open, .notAFileOrBlockDevice("a pipe"))
    case .socket: throw BlockIOError(name, .open, .notAFileOrBlockDevice("a socket"))
    default: throw BlockIOError(name, .open, .notAFileOrBlockDevice("a character device"))
    }
  }
}
