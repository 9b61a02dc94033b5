internal import Blkid
internal import BlockIO
internal import MD
internal import SnapshotFormat

/// `identify --format json`: the content of each path, by libblkid and by the store's own header.
///
///     {"schema": "dmsnap.identify.v1", "paths": [
///       {"path", "byteCount",
///        "signatures": [{"type", "usage", "label", "uuid", "version", "byteOffset",
///                        "badChecksum"}],
///        "store": {"magic", "valid", "version", "chunkSectors"} | null,
///        "partitionTable": {"type", "id", "sectorBytes", "partitions": [
///          {"number", "byteOffset", "byteCount", "type", "name", "uuid",
///           "signatures": […], "store": … }]} | null,
///        "array": {"uuid", "name", "level", "version", "role" | null, "memberCount", "events"} |
///        null,
///        "container": {"type", "advice"} | null,
///        "unreadable": [{"byteOffset", "byteCount"}]}]}
///
/// `store` is present if the first four bytes are "SnAp"; its numbers are as on the medium. Every
/// `byteOffset` is counted from the beginning of the path or of the partition that it is in; that
/// of a partition from the beginning of the path.
package struct IdentifyReport: Encodable, Sendable {
  let schema = "dmsnap.identify.v1"
  let paths: [Entry]

  struct Entry: Encodable {
    let path: String
    let byteCount: UInt64
    let signatures: [SignatureEntry]
    @Nullable var store: HeaderReport?
    @Nullable var partitionTable: Table?
    @Nullable var array: ArrayMember?
    @Nullable var container: ContainerReport?
    let unreadable: [ByteRangeReport]
  }

  /// A member of an md array.
  struct ArrayMember: Encodable {
    let uuid: String
    let name: String
    let level: Int32
    let version: String
    @Nullable var role: UInt32?
    let memberCount: UInt32
    let events: UInt64

    init(_ superblock: ArraySuperblock) {
      uuid = superblock.uuidText
      name = superblock.name
      level = superblock.level
      version = superblock.version
      role = superblock.role
      memberCount = superblock.memberCount
      events = superblock.events
    }
  }

  struct SignatureEntry: Encodable {
    let type: String
    let usage: String
    @Nullable var label: String?
    @Nullable var uuid: String?
    @Nullable var version: String?
    @Nullable var byteOffset: UInt64?
    let badChecksum: Bool

    init(_ signature: Signature) {
      type = signature.type
      usage = signature.usage.rawValue
      label = signature.label
      uuid = signature.uuid
      version = signature.version
      byteOffset = signature.byteOffset
      badChecksum = signature.hasBadChecksum
    }
  }

  struct Table: Encodable {
    let type: String
    @Nullable var id: String?
    let sectorBytes: Int
    let partitions: [PartitionEntry]
  }

  struct PartitionEntry: Encodable {
    let number: Int
    let byteOffset: UInt64
    let byteCount: UInt64
    let type: String
    @Nullable var name: String?
    @Nullable var uuid: String?
    let signatures: [SignatureEntry]
    @Nullable var store: HeaderReport?
  }

  /// The report of the contents found at each path.
  package init(_ contents: [IdentifiedContent]) {
    paths = contents.map { content in
      Entry(
        path: content.source.name, byteCount: content.source.byteCount,
        signatures: content.identity.signatures.map { SignatureEntry($0) },
        store: content.header.map { HeaderReport($0) },
        partitionTable: content.identity.partitionTable.map { table in
          Table(
            type: table.type, id: table.identifier, sectorBytes: table.sectorByteCount,
            partitions: zip(table.partitions, content.partitionHeaders).map {
              Self.entry($0, $1)
            })
        },
        array: content.arrayMember.map { ArrayMember($0) },
        container: content.container.map { ContainerReport($0) },
        unreadable: content.unreadable.map { ByteRangeReport($0) })
    }
  }

  private static func entry(_ partition: Partition, _ header: SnapshotHeader?) -> PartitionEntry {
    PartitionEntry(
      number: partition.number, byteOffset: partition.byteOffset, byteCount: partition.byteCount,
      type: partition.type, name: partition.name, uuid: partition.uuid,
      signatures: partition.content?.signatures.map { SignatureEntry($0) } ?? [],
      store: header.map { HeaderReport($0) })
  }
}
