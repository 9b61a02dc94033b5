internal import BlockIO
internal import Inputs
internal import SnapshotFormat
package import SnapshotKit

/// Commands with which the system's own tools show a snapshot, each safe for the evidence: store
/// and origin are read-only for the kernel too, and no journal is replayed.
package struct Recipe: Sendable {
  /// One way to use it.
  package struct Way: Encodable, Sendable {
    /// A word for it: `device-mapper`, `file`, `nbd`, `lvm`.
    package let name: String
    /// Its description, in a sentence.
    package let title: String
    /// The commands that set it up, in order.
    package private(set) var commands: [String]
    /// The commands that end it: if one of `commands` failed, they undo the earlier ones, and leave
    /// everything older alone.
    package private(set) var ends: [String]

    /// It, and its file system mounted with those options; only it if there are none.
    ///
    /// If the last command fails, nothing is mounted: the image may be that of something else.
    fileprivate func mounting(_ image: String, _ options: String?) -> Way {
      guard let options else { return self }
      var way = self
      let last = way.commands.removeLast()
      way.commands.append(
        "\(last) && mkdir -p mnt && mount -o \(options) \(image) mnt && mounted=mnt")
      way.commands[0] += " mounted"
      way.ends.insert(Way.end("mounted", "umount mnt"), at: 0)
      return way
    }
  }

  /// The ways.
  package private(set) var ways: [Way] = []
  /// The reason why the device mapper cannot show it; nil if it can.
  package private(set) var problem: String?

  /// The ways to use a snapshot.
  ///
  /// - Parameters:
  ///   - isVolume: Whether the store or the origin is a volume of a group.
  ///   - words: The command line that names the snapshot: STORE, origin, how it is read.
  ///   - quote: Makes one word of a path, for a shell.
  package init(
    _ request: ServeRequest, _ snapshot: Snapshot, isVolume: Bool, words: String,
    quote: (String) -> String
  ) throws {
    let parts = try ServedPart.all(of: snapshot.view)
    problem = Self.problem(request, snapshot, isVolume)
    if problem == nil, let origin = request.origin {
      ways.append(Self.deviceMapper(request.names.store, origin, snapshot, parts, quote))
    }
    ways += [Self.file(parts, words), Self.nbd(parts, words)]
    let groups = Set(try snapshot.volumes().compactMap(\.groupName)).sorted()
    if !groups.isEmpty { ways.append(Self.lvm(groups)) }
  }

  /// The reason why the device mapper cannot show it.
  private static func problem(
    _ request: ServeRequest, _ snapshot: Snapshot, _ isVolume: Bool
  ) -> String? {
    if snapshot.view.byteCount < 512 { return "the snapshot has no whole sector" }
    if isVolume { return "the store or the origin is a volume of a group that is not active" }
    if request.names.reading == .salvage { return "Linux does not support the salvage reading" }
    if request.names.map != nil { return "Linux does not support mapfiles" }
    if !request.names.store.gaps.isEmpty || request.origin?.gaps.isEmpty == false {
      return "Linux does not support gaps"
    }
    return nil
  }

  /// Linux's own view, through read-only loop devices.
  private static func deviceMapper(
    _ store: PathArgument, _ origin: PathArgument, _ snapshot: Snapshot, _ parts: [ServedPart],
    _ quote: (String) -> String
  ) -> Way {
    let device = "/dev/mapper/dmsnap-view"
    let table =
      "0 \(snapshot.view.byteCount / 512) snapshot $origin $store P"
      + " \(snapshot.loaded.geometry.chunkSize.sectorCount)"
    let commands = [
      "origin=$(\(loop(origin, snapshot.origin, quote)))",
      "store=$(\(loop(store, snapshot.loaded.store.source, quote)))",
      "dmsetup create dmsnap-view --readonly --table \"\(table)\" && view=\(device)",
    ]
    return Way(
      "device-mapper",
      "Linux's own view as \(device), over read-only loop devices; needs root",
      commands,
      ends: [
        "view": "dmsetup remove dmsnap-view", "store": "losetup --detach $store",
        "origin": "losetup --detach $origin",
      ]
    ).mounting(device, parts.first?.mountOptions)
  }

  private static func loop(
    _ path: PathArgument, _ source: any BlockSource, _ quote: (String) -> String
  ) -> String {
    "losetup --read-only --find --show"
      + (path.isWhole ? "" : " --offset \(path.start) --sizelimit \(source.byteCount)")
      + " \(quote(path.path))"
  }

  private static func file(_ parts: [ServedPart], _ words: String) -> Way {
    let part = parts.first { $0.mountOptions != nil }
    return Way(
      "file", "a file, for any program; mounting its file system needs root",
      [
        "mkdir -p view",
        // Statuses 1 and 2 mean that the snapshot is there, with doubts or losses.
        "{ dmsnap mount \(words) view || test $? -le 2; } && view=view",
      ],
      ends: ["view": "dmsnap mount --end view"]
    ).mounting("view/\(part?.fileName ?? "")", part?.mountOptions.map { "loop,\($0)" })
  }

  private static func nbd(_ parts: [ServedPart], _ words: String) -> Way {
    let commands = [
      // An existing socket belongs to another server.
      "test ! -e dmsnap.socket &&"
        + " { dmsnap serve \(words) --socket ./dmsnap.socket & server=$!; }",
      "until test -S dmsnap.socket || ! kill -0 $server; do sleep 0.1; done",
      "modprobe nbd max_part=16",
      "test -n \"$server\" && qemu-nbd --read-only --connect=/dev/nbd0 --format=raw"
        + " 'nbd+unix:///?socket=./dmsnap.socket' && device=/dev/nbd0 &&"
        + " until test $(cat /sys/block/nbd0/size) -gt 0; do sleep 0.1; done",
    ]
    let part = parts.first { $0.mountOptions != nil }
    return Way(
      "nbd", "a read-only block device; needs root and the module nbd", commands,
      ends: ["device": "qemu-nbd --disconnect /dev/nbd0", "server": "kill $server"]
    ).mounting("/dev/nbd0" + (part?.number.map { "p\($0)" } ?? ""), part?.mountOptions)
  }

  /// The volume groups in the snapshot have the names and UUIDs of those in use: lvm2 must see one
  /// of them.
  private static func lvm(_ groups: [String]) -> Way {
    let names = groups.map { "\"\($0)\"" }.joined(separator: ", ")
    let options =
      "--devicesfile '' --config 'devices { filter = [ \"a|^/dev/mapper/dmsnap-view$|\","
      + " \"a|^/dev/nbd0|\", \"r|.*|\" ] } activation { read_only_volume_list = [ \(names) ] }'"
    return Way(
      name: "lvm",
      title: "lvm2, on the device of device-mapper or nbd; it must not see the origin's copy as"
        + " well",
      commands: ["lvs \(options)", "vgchange --activate y \(options)"],
      ends: ["vgchange --activate n \(options)"])
  }
}

extension Recipe.Way {
  /// - Parameter ends: The command that undoes one that sets a variable, by the variable's name.
  fileprivate init(
    _ name: String, _ title: String, _ commands: [String], ends: KeyValuePairs<String, String>
  ) {
    self.init(
      name: name, title: title,
      commands: ["unset \(ends.map(\.key).joined(separator: " "))"] + commands,
      ends: ends.map { Self.end($0.key, $0.value) })
  }

  fileprivate static func end(_ variable: String, _ command: String) -> String {
    "test -z \"$\(variable)\" || \(command)"
  }
}

extension SnapshotPart {
  /// The name of the volume group that it is a volume of.
  fileprivate var groupName: String? {
    guard case .volume(let text) = kind else { return nil }
    return text.split(separator: "/").first.map(String.init)
  }
}

extension ServedPart {
  /// The options with which its file system is mounted as it is; nil if it is none that Linux
  /// mounts.
  ///
  /// A journal is not replayed, and nothing is refused because of its state, or because a file
  /// system with the same UUID is mounted.
  package var mountOptions: String? {
    switch type {
    case "ext3", "ext4": "ro,noload"
    case "xfs": "ro,norecovery,nouuid"
    case "btrfs": "ro,rescue=all"
    case "ext2", "vfat", "exfat", "ntfs", "ntfs3", "iso9660", "squashfs", "erofs", "f2fs": "ro"
    default: nil
    }
  }
}
