import ArgumentParser

/// `dmsnap lvm`: volume groups without a kernel.
struct Lvm: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads LVM2 volume groups from disks or their images: lvm list, lvm extract.",
    subcommands: [LvmList.self, LvmExtract.self])
}
