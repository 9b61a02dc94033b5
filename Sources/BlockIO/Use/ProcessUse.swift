internal import CLinux
internal import Glibc

/// The processes that use a file or device; only root sees everyone's.
///
/// - Source: Linux `/proc/*/{comm,fd,fdinfo,mountinfo}`, `/proc/locks`.
enum ProcessUse {
  /// The processes that hold a lock of any kind on a file or device: "process 123 (qemu)".
  ///
  /// `number` is an open descriptor of it that holds no lock itself.
  static func lockers(of number: CInt, _ identity: FileIdentity) -> [String] {
    // The system's own list has no process for a lock that belongs to an open file (OFD); fdinfo
    // has them all.
    let seen = descriptors(of: [identity]).filter { process, descriptor in
      KernelText.lines(of: "/proc/\(process)/fdinfo/\(descriptor)").contains {
        $0.hasPrefix("lock:")
      }
    }
    return words(for: seen.isEmpty ? listedLockers(of: number) : seen.map(\.process))
  }

  /// The other processes that have a file or device open, or one that shares bytes with it.
  static func openers(of identity: FileIdentity) -> [String] {
    let all = Set([identity] + DeviceUse.devices(sharing: identity))
    return words(for: descriptors(of: all).map(\.process).filter { $0 != "\(getpid())" })
  }

  /// The places where other processes have a device mounted that we do not see mounted: each mount
  /// namespace, such as a container's, has its own mounts.
  static func foreignMounts(of identity: FileIdentity) -> [String] {
    let devices = [identity] + DeviceUse.devices(sharing: identity)
    var told: Set<[String]> = []
    return processes().flatMap { process -> [String] in
      let mounts = devices.flatMap {
        DeviceUse.mounts(of: $0, in: "/proc/\(process)/mountinfo")
      }
      guard !mounts.isEmpty, told.insert(mounts).inserted else { return [] }
      return mounts.map { "\($0) in the namespace of \(words(for: process))" }
    }
  }

  // MARK: -

  private static func processes() -> [String] {
    KernelText.names(in: "/proc").filter { UInt32($0) != nil }
  }

  private static func descriptors(
    of identities: Set<FileIdentity>
  ) -> [(process: String, descriptor: String)] {
    processes().flatMap { process in
      KernelText.names(in: "/proc/\(process)/fd").compactMap { descriptor in
        let identity = FileIdentity(at: "/proc/\(process)/fd/\(descriptor)")
        return identity.map(identities.contains) == true ? (process, descriptor) : nil
      }
    }
  }

  /// The processes whose locks the system lists for the file of an open descriptor (for a device,
  /// its node): "1: POSIX  ADVISORY  WRITE 123 fe:00:456 0 EOF".
  private static func listedLockers(of number: CInt) -> [String] {
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else { return [] }
    let device = UInt64(status.st_dev)
    return KernelText.lines(of: "/proc/locks").compactMap { line in
      let fields = line.split(separator: " ")
      guard fields.count > 5, fields[1] != "->", UInt32(fields[4]) != nil else { return nil }
      let file = fields[5].split(separator: ":")
      guard file.count == 3, UInt32(file[0], radix: 16) == dmsnap_major(device),
        UInt32(file[1], radix: 16) == dmsnap_minor(device), UInt64(file[2]) == UInt64(status.st_ino)
      else { return nil }
      return String(fields[4])
    }
  }

  private static func words(for processes: [String]) -> [String] {
    Set(processes.compactMap { UInt32($0) }).sorted().map { words(for: String($0)) }
  }

  private static func words(for process: String) -> String {
    let name = KernelText.lines(of: "/proc/\(process)/comm").first
    return "process \(process)" + (name.map { " (\($0))" } ?? "")
  }
}
