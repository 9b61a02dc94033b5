import ArgumentParser
import BlockIO
import Inputs
import LVM2
import SnapshotKit

/// `dmsnap lvm list`: the volume groups, their volumes and snapshots.
struct LvmList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists volume groups, their volumes and snapshots, and earlier versions of them.",
    discussion: """
      Physical volumes are found in files and devices, and in their partitions. The metadata rings \
      keep earlier versions, which still have snapshots that were removed or merged since: \
      --history lists them, --seqno goes back to one with any command. The status is 1 if \
      something is in doubt, 2 if anything is missing or a snapshot is damaged, 3 if there is no \
      physical volume.
      """)

  @OptionGroup var volumes: VolumeOptions

  @Flag(help: "List the earlier versions of the metadata that are still readable.")
  var history = false

  @Option(help: "Output format.")
  var format = OutputFormat.text

  func validate() throws {
    if volumes.physicalVolumes.isEmpty {
      throw ValidationError("Missing expected argument '--pv <path>'")
    }
    if volumes.leg != nil { throw ValidationError("--leg is for commands that read a volume") }
  }

  func run() throws {
    let input = try VolumeInput(volumes)
    let report = try VolumeReport(input.catalog, seqno: volumes.seqno, withHistory: history)
    for source in input.sources { try source.checkUnchanged() }
    switch format {
    case .json: try Console.print(json: report)
    case .text: try Console.print(lines: VolumeScreen(report, volumes).lines)
    }
    for index in input.search.withoutVolume {
      Console.say("dmsnap: \(volumes.physicalVolumes[index].text): no LVM2 physical volume here")
    }
    let problems = input.catalog.groups.flatMap(\.problems)
    let worst = report.volumeGroups.flatMap(\.snapshots).compactMap(\.severity).max()
    if problems.contains(where: \.isLoss) || !input.catalog.orphanProblems.isEmpty
      || worst == .damage
    {
      throw Failure(.damage)
    }
    if !problems.isEmpty || !input.search.withoutVolume.isEmpty || worst != nil {
      throw Failure(.warnings)
    }
  }
}

/// The text of `dmsnap lvm list`.
private struct VolumeScreen {
  private(set) var lines: [String] = []
  private let volumes: VolumeOptions

  init(_ report: VolumeReport, _ volumes: VolumeOptions) {
    self.volumes = volumes
    for group in report.volumeGroups { add(group) }
    for orphan in report.orphans {
      line(
        "orphan   \(orphan.path): a physical volume "
          + (orphan.problems.isEmpty ? "in no group" : "whose group is not known")
          + " (\(orphan.uuid))")
      for problem in orphan.problems { line("  PROBLEM  \(problem)") }
      if !orphan.problems.isEmpty {
        line("  next     --vgcfg FILE, from vgcfgbackup or /etc/lvm/archive, may help")
      }
    }
  }

  private mutating func line(_ line: String) { lines.append(line) }

  private mutating func add(_ group: VolumeReport.Group) {
    line("group    \(group.name), version \(group.seqno) (\(group.uuid))")
    for volume in group.physicalVolumes {
      line("  \(volume.name.padding(to: 7))\(volume.path ?? "MISSING") (\(volume.uuid))")
    }
    for problem in group.problems { line("  PROBLEM  \(problem)") }
    if !group.logicalVolumes.isEmpty {
      line("  volume".padding(to: 26) + "type".padding(to: 13) + "size")
    }
    for volume in group.logicalVolumes {
      line(
        "  \(volume.name) ".padding(to: 26) + "\(volume.type) ".padding(to: 13)
          + byteSize(volume.byteCount)
          + (!volume.supported ? "   not supported" : volume.complete ? "" : "   INCOMPLETE"))
    }
    if !group.snapshots.isEmpty {
      line(
        "  snapshot".padding(to: 26) + "of".padding(to: 18) + "chunks".padding(to: 10)
          + "full".padding(to: 9) + "verdict")
    }
    for snapshot in group.snapshots { add(snapshot, of: group) }
    for gone in group.gone {
      line(
        "  removed, last in \(gone.seqno)".padding(to: 26) + "\(gone.name) of \(gone.origin)"
          + "   (dmsnap inspect \(quoted("\(group.name)/\(gone.name)")) --seqno \(gone.seqno) --pv"
          + " ...)"
      )
    }
    for version in group.history ?? [] { add(version) }
  }

  private mutating func add(_ snapshot: VolumeReport.Snapshot, of group: VolumeReport.Group) {
    let fill = snapshot.fill.map { "\(Int($0)) %" } ?? "-"
    line(
      "  \(snapshot.name) ".padding(to: 26) + "\(snapshot.origin) ".padding(to: 18)
        + byteSize(snapshot.chunkSectors.multipliedReportingOverflow(by: 512).partialValue)
        .padding(to: 10) + fill.padding(to: 9) + snapshot.verdict
        + (snapshot.fill ?? 0 >= 100 ? ", but full" : "")
        + (snapshot.merging ? ", being merged" : "")
        + (snapshot.complete ? "" : ", store or origin INCOMPLETE or not supported"))
    if snapshot.severity == .damage {
      line("    next   dmsnap inspect \(quoted("\(group.name)/\(snapshot.name)"))\(volumes.words)")
    }
  }

  private mutating func add(_ version: VolumeReport.Version) {
    line(
      "  version \(version.seqno)".padding(to: 26)
        + "\(version.time ?? "time unknown")  \(version.description)")
    for snapshot in version.snapshots {
      line("    snapshot".padding(to: 26) + "\(snapshot.name) of \(snapshot.origin)")
    }
  }
}
