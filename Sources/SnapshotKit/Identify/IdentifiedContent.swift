package import Blkid
package import BlockIO
package import MD
package import SnapshotFormat

/// The content of a source, by libblkid and by the headers of COW stores.
package struct IdentifiedContent: Sendable {
  /// The source that was examined.
  package let source: any BlockSource
  /// libblkid's result.
  package let identity: Identity
  /// The header of the store at the beginning of the source; nil without "SnAp".
  package let header: SnapshotHeader?
  /// The same for each partition, in the order of the table.
  package let partitionHeaders: [SnapshotHeader?]
  /// The md array that it is a member of, if any.
  package let arrayMember: ArraySuperblock?
  /// The format of the source, if it must be unpacked first.
  package let container: ContainerFormat?

  /// Examines a source.
  package init(_ source: any BlockSource) throws(BlkidError) {
    self.source = source
    identity = try Probe.identify(source)
    header = Self.header(in: source)
    arrayMember = try wrapping(BlkidError.source, try ArraySuperblock(of: source))
    container = ContainerFormat(of: source)
    partitionHeaders = (identity.partitionTable?.partitions ?? []).map { partition in
      partition.bytes(inSourceOf: source.byteCount)
        .flatMap { try? SliceSource(source, $0) }.flatMap(Self.header)
    }
  }

  private static func header(in source: any BlockSource) -> SnapshotHeader? {
    Store(source).header.flatMap { $0.hasMagic ? $0 : nil }
  }

  /// The bytes that could not be read, partitions included, counted in the source.
  package var unreadable: [Range<UInt64>] {
    let inPartitions = (identity.partitionTable?.partitions ?? []).flatMap { partition in
      (partition.content?.unreadable ?? []).map {
        partition.byteOffset + $0.lowerBound..<partition.byteOffset + $0.upperBound
      }
    }
    return (identity.unreadable + inPartitions).sorted { $0.lowerBound < $1.lowerBound }
  }

  /// Whether it is a physical volume of LVM2, or has one in a partition.
  package var hasPhysicalVolume: Bool {
    ([identity] + (identity.partitionTable?.partitions ?? []).compactMap(\.content)).contains {
      $0.signatures.contains { $0.type == "LVM2_member" }
    }
  }

  /// Whether neither libblkid nor a header recognises anything.
  package var isEmpty: Bool { identity.isEmpty && header == nil && container == nil }
}
