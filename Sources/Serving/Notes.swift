internal import BlockIO
internal import LVM2
internal import SnapshotKit
internal import Synchronization

/// Collects notes for the user about a served snapshot.
final class Notes: Sendable {
  private let state = Mutex((lines: [String](), isInDoubt: false))

  /// The notes, one line each.
  var lines: [String] { state.withLock { $0.lines } }
  /// Whether any of it puts all of the snapshot in doubt.
  var isInDoubt: Bool { state.withLock { $0.isInDoubt } }

  /// Notes a line.
  func add(_ line: String) { state.withLock { $0.lines.append(line) } }

  /// Notes problems of a snapshot and of the devices under it.
  func add(_ snapshot: Snapshot, _ check: OriginCheck, _ volume: SnapshotVolume?) throws {
    if let contradiction = check.contradiction {
      add("\(snapshot.view.originName): \(contradiction)")
    }
    if let writes = check.writes {
      add(
        "\(snapshot.loaded.store.source.name): the snapshot is invalid; whether its origin was"
          + " written since: \(writes)")
    }
    var findings = snapshot.loaded.findings
    if let volume {
      let own = try VolumeCheck(volume).findings
      findings += own
      if own.putVolumeInDoubt { state.withLock { $0.isInDoubt = true } }
    }
    for finding in findings where finding.severity != .note {
      add(
        "\(snapshot.loaded.store.source.name): \(finding.severity.rawValue)"
          + " \(finding.code.rawValue): \(finding.code.entry.title)")
    }
  }
}
