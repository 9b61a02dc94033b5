import BlockIO
import SnapshotFormat
import SnapshotKit

extension Snapshot {
  /// Prints warnings for the user before a result is relied on.
  ///
  /// - Parameter isDoubted: Whether to print contradictions to the origin.
  func warn(_ check: OriginCheck, _ messages: MessageOptions, isDoubted: Bool = true) {
    if messages.quiet { return }
    if isDoubted, let contradiction = check.contradiction {
      Console.say("dmsnap: \(view.originName): \(contradiction)")
    }
    let (name, isSalvage) = (loaded.store.source.name, loaded.table.reading == .salvage)
    if isSalvage {
      if !loaded.isCurrent {
        Console.say("dmsnap: \(name): this is an older table, not the one in use")
      }
      loaded.warnIfInvalid(check)
    }
    for finding in loaded.findings where finding.severity != .note {
      Console.say("dmsnap: \(name): " + finding.line)
    }
    if isSalvage { return }
    // A kernel reading shows what Linux would, and Linux does not check its mappings.
    let findings = Auditor(self).audit().findings
    for finding in findings where finding.code == .inUse {
      Console.say("dmsnap: \(finding.found): data may change while it is read")
    }
    let damage = findings.filter { $0.severity == .damage }.map(\.code.rawValue)
    if damage.isEmpty { return }
    Console.say(
      "dmsnap: \(name): there is damage (\(damage.joined(separator: ", "))); the result is what"
        + " Linux would show; --reading salvage leaves out invalid exceptions")
  }
}

extension LoadedTable {
  /// Prints, for an invalid snapshot, whether its origin was written since.
  func warnIfInvalid(_ check: OriginCheck?) {
    guard store.header?.hasMagic == true, store.header?.valid == 0 else { return }
    let words = check?.writes?.description ?? OriginWrites.unknownWords
    Console.say(
      "dmsnap: \(store.source.name): the snapshot is invalid; whether its origin was written since:"
        + " \(words)")
  }
}
