internal import CLinux
internal import Glibc
internal import SystemPackage

/// The kernel's reports in `/proc` and `/sys`.
///
/// A file that does not exist, or cannot be read, is empty: unknown users of a device are no error.
enum KernelText {
  /// The lines of a file that the kernel generates; empty if it does not exist.
  static func lines(of path: String) -> [Substring] {
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

  /// The place that a path leads to, without links, and the number of its mount; nil if it cannot
  /// be reached.
  ///
  /// No file system is asked for its content (O_PATH): its server may be gone.
  static func place(of path: String) -> (path: String, mount: Substring)? {
    let options = FileDescriptor.OpenOptions(rawValue: dmsnap_o_path)
    guard
      let descriptor = try? unsafe FileDescriptor.open(
        path, .readOnly, options: options.union(.closeOnExec))
    else { return nil }
    defer { try? descriptor.close() }
    let number = descriptor.rawValue
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe readlink("/proc/self/fd/\(number)", &target, target.count)
    let mount = lines(of: "/proc/self/fdinfo/\(number)").first { $0.hasPrefix("mnt_id:") }
    guard count > 0, let mount = mount?.split(whereSeparator: \.isWhitespace).last else {
      return nil
    }
    let bytes = target.prefix(count).map { UInt8(bitPattern: $0) }
    return (String(decoding: bytes, as: UTF8.self), mount)
  }

  /// The number in a file that holds nothing else.
  static func number(in path: String) -> UInt64? {
    lines(of: path).first.flatMap { UInt64($0) }
  }

  /// The names in a directory, sorted; empty if it does not exist.
  static func names(in directory: String) -> [String] {
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

  /// A path without escapes: mountinfo and swaps write a space, tab, newline or backslash as
  /// `\040`, in octal.
  static func unescaped(_ field: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = field
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
}

extension FileIdentity {
  /// The content of `path`, which may be a link; nil if it does not exist or cannot be seen.
  ///
  /// No server is asked: we must not hang with a network file system.
  init?(at path: String) {
    var (device, inode): (UInt64, UInt64) = (0, 0)
    guard unsafe dmsnap_identity_at_hand(path, &device, &inode) == 0 else { return nil }
    self.init(device: device, inode: inode)
  }

  /// The block device of a number in the kernel's form, "8:1".
  init?(deviceNumber: Substring) {
    let parts = deviceNumber.split(separator: ":").compactMap { UInt32($0) }
    guard parts.count == 2 else { return nil }
    self.init(device: dmsnap_device(parts[0], parts[1]), inode: 0)
  }
}
