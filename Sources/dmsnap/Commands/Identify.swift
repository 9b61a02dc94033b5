import ArgumentParser
import Blkid
import BlockIO
import Inputs
import MD
import SnapshotFormat
import SnapshotKit

/// `dmsnap identify`: the content of files and devices.
struct Identify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Identifies the contents of files and devices: stores, file systems, partitions.",
    discussion: """
      All signatures are listed, not only the first: data in a COW store may look like a file \
      system too. libblkid recognises a store by four bytes of magic; so the store's own header is \
      shown as well. The status is 0 even if nothing is recognised, and 2 if bytes could not be \
      read.
      """)

  @Argument(help: "Files, block devices, or parts of them: PATH,offset=BYTES,length=BYTES.")
  var paths: [PathArgument]

  @OptionGroup var input: InputOptions

  @Option(help: "Output format.")
  var format = OutputFormat.text

  func run() throws {
    var contents: [IdentifiedContent] = []
    var failure: Failure?
    for path in paths {
      do {
        let source = try path.open(input)
        let content = try IdentifiedContent(source)
        try source.checkUnchanged()
        contents.append(content)
      } catch let error as any CodedError {
        // A path that fails does not stop the others; JSON is complete or absent.
        if format == .json { throw error }
        Console.report(error)
        failure = Failure(error.status)
      }
    }
    switch format {
    case .json: try Console.print(json: IdentifyReport(contents))
    case .text:
      let screens = contents.map { IdentifyScreen($0).lines }
      try Console.print(lines: Array(screens.joined(separator: [""])))
    }
    if let failure { throw failure }
    if contents.contains(where: { !$0.unreadable.isEmpty }) { throw Failure(.damage) }
  }
}

/// The text of `dmsnap identify` on one path.
private struct IdentifyScreen {
  private(set) var lines: [String]
  private let path: String

  init(_ content: IdentifiedContent) {
    path = content.source.name
    let byteCount = content.source.byteCount
    lines = ["\(content.source.name): \(byteSize(byteCount)) (\(byteCount) bytes)"]
    if content.isEmpty { add("nothing recognised") }
    if let container = content.container {
      add(container.type, "\(container.title): \(container.advice)")
    }
    for signature in content.identity.signatures { add(line(signature)) }
    if let member = content.arrayMember { add("md", member.memberDescription) }
    if let header = content.header { add(line(header)) }
    for range in content.unreadable.prefix(8) {
      add("unreadable", "\(range.count) bytes at byte \(range.lowerBound)")
    }
    defer { addNext(content) }
    guard let table = content.identity.partitionTable else { return }
    add(
      table.type,
      "\(counted(UInt64(table.partitions.count), "partition"))"
        + (table.identifier.map { ", id \($0)" } ?? "")
        + (table.sectorByteCount == 512 ? "" : ", sectors of \(table.sectorByteCount) bytes"))
    for (partition, header) in zip(table.partitions, content.partitionHeaders) {
      add(partition, header)
    }
  }

  /// The command to run on a group's volumes, if there is a group.
  private mutating func addNext(_ content: IdentifiedContent) {
    if content.hasPhysicalVolume { add("next", "dmsnap lvm list --pv \(quoted(path))") }
  }

  private mutating func add(_ partition: Partition, _ header: SnapshotHeader?) {
    let name = partition.name.map { " \"\($0)\"" } ?? ""
    add(
      "\(partition.number)".padding(to: 5) + byteSize(partition.byteCount).padding(to: 10)
        + " at byte \(partition.byteOffset)\(name)")
    for signature in partition.content?.signatures ?? [] { add("     " + line(signature)) }
    if let header {
      add("     " + line(header))
      add(
        "     as STORE:"
          + " \(quoted("\(path),offset=\(partition.byteOffset),length=\(partition.byteCount)"))"
      )
    }
    if let table = partition.content?.partitionTable {
      add("     \(table.type) table with \(counted(UInt64(table.partitions.count), "partition"))")
    }
    if partition.isExtended { add("     extended: holds the logical partitions") }
  }

  private func line(_ signature: Signature) -> String {
    var words = [signature.usage.rawValue]
    if let label = signature.label { words.append("label \"\(label)\"") }
    if let uuid = signature.uuid { words.append("UUID \(uuid)") }
    if let version = signature.version { words.append("version \(version)") }
    if let byteOffset = signature.byteOffset { words.append("magic at byte \(byteOffset)") }
    if signature.hasBadChecksum { words.append("WRONG CHECKSUM") }
    return "\(signature.type)  ".padding(to: 17) + words.joined(separator: ", ")
  }

  private func line(_ header: SnapshotHeader) -> String {
    let valid = header.valid == 0 ? "invalid" : "valid"
    return "COW store".padding(to: 17)
      + "header: \(valid), version \(header.version), chunks of \(header.chunkSectors) sectors"
  }

  private mutating func add(_ line: String) { lines.append("  \(line)") }

  private mutating func add(_ label: String, _ value: String) {
    add(label.padding(to: 17) + value)
  }
}
