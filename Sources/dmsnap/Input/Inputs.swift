import ArgumentParser
import BlockIO
import Inputs
import LVM2
import SnapshotKit

// Opens inputs through the library, with the command's options; its notes go to stderr.

extension PathArgument: ExpressibleByArgument {
  /// Opens it for reading.
  func open(_ options: InputOptions) throws -> any BlockSource {
    try open(asksForHoles: !options.noHoles)
  }

  /// The command that copies it to a new file.
  ///
  /// - Parameter byteCount: Its length.
  func copyCommand(byteCount: UInt64, to copy: String) -> String {
    isWhole
      ? "cp --sparse=always \(quoted(path)) \(copy)"
      : "dd if=\(quoted(path)) of=\(copy) bs=1M iflag=skip_bytes,count_bytes skip=\(start)"
        + " count=\(byteCount)"
  }
}

extension StoreInput {
  /// Finds the store that the options name, and the origin.
  init(_ options: StoreOptions, origin: PathArgument?) throws {
    let names = (options.store.text, origin?.text, options.table.reading.rawValue)
    RunRecord.note { ($0.store, $0.origin, $0.reading) = names }
    try self.init(options.names, origin: origin) { Console.say("dmsnap: \($0)") }
  }
}

extension VolumeInput {
  /// Finds the groups in the sources that the options name.
  init(_ options: VolumeOptions) throws {
    try self.init(options.names) { Console.say("dmsnap: \($0)") }
  }
}

extension SnapshotVolume {
  /// Findings from the group's metadata about the snapshot.
  func check() throws -> [Finding] {
    try VolumeCheck(self).findings
  }

  /// Warns of problems with the snapshot's volume group.
  func warn(_ messages: MessageOptions) throws {
    if messages.quiet { return }
    for finding in try check() where finding.severity != .note {
      Console.say("dmsnap: \(store.name): " + finding.line + ": \(finding.found)")
    }
  }
}
