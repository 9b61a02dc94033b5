import ArgumentParser
import Inputs

extension PhysicalVolumeArgument: ExpressibleByArgument {}

/// The physical volumes that make up volume groups.
///
/// With them, STORE and ORIGIN are volumes: `vg/lv`.
struct VolumeOptions: ParsableArguments {
  @Option(
    name: .customLong("pv"),
    help: ArgumentHelp(
      "A disk, partition or image that is, or has in a partition, an LVM2 physical volume; once for"
        + " each. STORE and ORIGIN are then vg/lv; a snapshot's origin is found automatically."
        + " PATH,map=MAPFILE takes ddrescue's mapfile of the image.", valueName: "path"))
  var physicalVolumes: [PhysicalVolumeArgument] = []

  @Option(
    help: ArgumentHelp(
      "A file from vgcfgbackup or /etc/lvm/archive, if the metadata on the disks is lost.",
      valueName: "file"))
  var vgcfg: PathArgument?

  @Option(
    help: ArgumentHelp(
      "The version of the group's metadata to use; `dmsnap lvm list --history` lists them.",
      valueName: "number"))
  var seqno: UInt64?

  @Option(
    help: ArgumentHelp(
      "Which leg of a mirror to read, from 0, even if it may be out of date.", valueName: "number"))
  var leg: Int?

  @OptionGroup var input: InputOptions

  func validate() throws {
    if physicalVolumes.isEmpty, vgcfg != nil || seqno != nil || leg != nil {
      throw ValidationError("--vgcfg, --seqno and --leg need --pv PATH")
    }
  }

  /// The volumes that they name.
  var names: VolumeNames {
    VolumeNames(
      physicalVolumes: physicalVolumes, vgcfg: vgcfg, seqno: seqno, leg: leg,
      asksForHoles: !input.noHoles)
  }

  /// The options as the user gave them, for commands to repeat; each after a space.
  var words: String {
    physicalVolumes.map { " --pv \(quoted($0.text))" }.joined()
      + (vgcfg.map { " --vgcfg \(quoted($0.text))" } ?? "")
      + (seqno.map { " --seqno \($0)" } ?? "") + (leg.map { " --leg \($0)" } ?? "")
      + (input.noHoles ? " --no-holes" : "")
  }
}
