/// The users of a file or block device, which then must not be written, and may change while read.
package enum DeviceUse {
  /// The users of a file or device, each as text; empty if there are none.
  ///
  /// A user of a partition uses the bytes of its disk, and vice versa; likewise for loop devices
  /// and their files.
  ///
  /// - Source: Linux `/proc/self/mountinfo`, `/proc/swaps`, `/sys/dev/block/*/holders`, and the
  ///   sources of `DeviceStack`.
  package static func holders(of identity: FileIdentity) -> [String] {
    let extent = DeviceStack(of: identity)
    return uses(of: identity)
      + devices(over: extent).flatMap { device in
        attachments(of: device, over: extent)
          + uses(of: device.identity).map { "\($0) (\(device.words))" }
      }
  }

  /// Whether two files or devices share bytes: the same one, a partition and its disk, a loop
  /// device (or a partition of it) and its file.
  package static func overlap(_ one: FileIdentity, _ other: FileIdentity) -> Bool {
    DeviceStack(of: one).overlaps(DeviceStack(of: other))
  }

  /// The block devices that share bytes with a file or device, without itself.
  static func devices(sharing identity: FileIdentity) -> [FileIdentity] {
    devices(over: DeviceStack(of: identity)).map(\.identity)
  }

  // MARK: - Other names of the same bytes

  /// A block device as /sys/class/block has it.
  private struct Device {
    let name: String
    let extent: DeviceStack
    var identity: FileIdentity { extent.layers[0] }

    private func has(_ file: String) -> Bool {
      !KernelText.lines(of: "/sys/class/block/\(name)/\(file)").isEmpty
    }

    var isLoop: Bool { has("loop/backing_file") }
    var words: String {
      "\(has("partition") ? "partition" : isLoop ? "loop device" : "disk") \(name)"
    }
  }

  private static func devices(over extent: DeviceStack) -> [Device] {
    KernelText.names(in: "/sys/class/block").compactMap { name in
      guard let number = KernelText.lines(of: "/sys/class/block/\(name)/dev").first,
        let identity = FileIdentity(deviceNumber: number), identity != extent.layers[0]
      else { return nil }
      let device = Device(name: name, extent: DeviceStack(of: identity))
      return device.extent.overlaps(extent) ? device : nil
    }
  }

  /// A loop device over the bytes, which caches them separately; one below them is only the way to
  /// them.
  private static func attachments(of device: Device, over extent: DeviceStack) -> [String] {
    guard device.isLoop, !extent.layers.contains(device.identity) else { return [] }
    return [
      device.extent.layers.contains(extent.layers[0])
        ? "attached to /dev/\(device.name)" : "sharing its bytes with /dev/\(device.name)"
    ]
  }

  // MARK: - Who uses this one

  private static func uses(of identity: FileIdentity) -> [String] {
    mounts(of: identity, in: "/proc/self/mountinfo") + devicesAbove(identity)
      + swaps(of: identity)
  }

  /// The places where a device is mounted, from a process's mountinfo.
  static func mounts(of identity: FileIdentity, in mountinfo: String) -> [String] {
    guard identity.isBlockDevice else { return [] }
    return KernelText.lines(of: mountinfo).compactMap { line in
      let fields = line.split(separator: " ")
      guard fields.count > 4 else { return nil }
      return fields[2] == identity.deviceNumber || source(ofMount: fields) == identity
        ? "mounted at \(KernelText.unescaped(fields[4]))" : nil
    }
  }

  /// The device under a file system that has a device number of its own, such as btrfs; the source
  /// follows the type, which follows a hyphen.
  private static func source(ofMount fields: [Substring]) -> FileIdentity? {
    guard fields[2].hasPrefix("0:"), let hyphen = fields.lastIndex(of: "-"),
      hyphen + 2 < fields.count, fields[hyphen + 2].hasPrefix("/")
    else { return nil }
    return FileIdentity(at: KernelText.unescaped(fields[hyphen + 2]))
  }

  private static func devicesAbove(_ identity: FileIdentity) -> [String] {
    KernelText.names(in: "/sys/dev/block/\(identity.deviceNumber)/holders").map { holder in
      let name = KernelText.lines(of: "/sys/class/block/\(holder)/dm/name").first.map(String.init)
      return "held by \(holder)" + ((name ?? nameOfArray(holder)).map { " (\($0))" } ?? "")
    }
  }

  /// The name of an md array, which only its link in /dev shows.
  private static func nameOfArray(_ holder: String) -> String? {
    guard holder.hasPrefix("md"), let array = FileIdentity(at: "/dev/\(holder)") else { return nil }
    return KernelText.names(in: "/dev/md").first { FileIdentity(at: "/dev/md/\($0)") == array }
  }

  private static func swaps(of identity: FileIdentity) -> [String] {
    KernelText.lines(of: "/proc/swaps").dropFirst().compactMap { line in
      let path = line.prefix { $0 != " " && $0 != "\t" }
      return FileIdentity(at: KernelText.unescaped(path)) == identity ? "used as swap space" : nil
    }
  }
}
