internal import CLinux
internal import Glibc
internal import SystemPackage

/// Who uses a file or block device: what must not be written, and what may change while it is read.
public enum DeviceUse {
  /// The users of a file or device, each as words for a person; empty when there are none.
  ///
  /// - Source: Linux `/proc/self/mountinfo`, `/proc/swaps`, `/sys/dev/block/*/holders`,
  ///   `/sys/block/loop*/loop/backing_file`.
  public static func holders(of identity: FileIdentity) -> [String] {
    identity.isBlockDevice
      ? mounts(of: identity) + devicesAbove(identity) + swaps(of: identity)
      : loopDevices(over: identity) + swaps(of: identity)
  }

  private static func mounts(of identity: FileIdentity) -> [String] {
    lines(of: "/proc/self/mountinfo").compactMap { line in
      let fields = line.split(separator: " ")
      return fields.count > 4 && fields[2] == identity.deviceNumber
        ? "mounted at \(unescaped(fields[4]))" : nil
    }
  }

  /// A path as it is: mountinfo writes a space, tab, newline or backslash as `\040`, in octal.
  private static func unescaped(_ field: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Substring(field)
    while let character = rest.first {
      if character == "\\", let byte = UInt8(rest.dropFirst().prefix(3), radix: 8) {
        bytes.append(byte)
        rest = rest.dropFirst(4)
      } else {
        bytes += character.utf8
        rest = rest.dropFirst()
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func devicesAbove(_ identity: FileIdentity) -> [String] {
    names(in: "/sys/dev/block/\(identity.deviceNumber)/holders").map { holder in
      let name = lines(of: "/sys/class/block/\(holder)/dm/name").first
      return "held by \(holder)" + (name.map { " (\($0))" } ?? "")
    }
  }

  private static func swaps(of identity: FileIdentity) -> [String] {
    lines(of: "/proc/swaps").dropFirst().compactMap { line in
      let path = line.prefix { $0 != " " && $0 != "\t" }
      return Self.identity(of: String(path)) == identity ? "used as swap space" : nil
    }
  }

  private static func loopDevices(over identity: FileIdentity) -> [String] {
    names(in: "/sys/block").filter { $0.hasPrefix("loop") }.compactMap { loop in
      guard let path = lines(of: "/sys/block/\(loop)/loop/backing_file").first,
        Self.identity(of: String(path)) == identity
      else { return nil }
      return "attached to /dev/\(loop)"
    }
  }

  private static func identity(of path: String) -> FileIdentity? {
    guard let status = try? FilePath(path).stat() else { return nil }  // gone: not the one
    return status.type == .blockSpecial
      ? FileIdentity(device: UInt64(status.specialDeviceID.rawValue), inode: 0)
      : FileIdentity(
        device: UInt64(status.deviceID.rawValue), inode: UInt64(status.inode.rawValue))
  }

  /// The lines of a file that the kernel makes up; none where it does not exist.
  private static func lines(of path: String) -> [Substring] {
    guard let descriptor = try? unsafe FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    else {
      return []
    }
    defer { try? descriptor.close() }
    var text: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = unsafe piece.withUnsafeMutableBytes { bytes in
        unsafe Glibc.read(descriptor.rawValue, bytes.baseAddress, bytes.count)
      }
      guard count > 0 else { break }
      text += piece[..<count]
    }
    return String(decoding: text, as: UTF8.self).split(separator: "\n")
  }

  /// The names in a directory, sorted; none where it does not exist.
  private static func names(in directory: String) -> [String] {
    guard let stream = unsafe opendir(directory) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }
}
