internal import BlockIO
internal import Blkid
public import FileSystems

/// A partition of a snapshot that is a whole disk.
public struct SnapshotPartition: Equatable, Sendable {
  /// Its number, as in the name of its device.
  public let number: Int
  /// The bytes of the snapshot that it is, as far as the snapshot reaches.
  public let bytes: Range<UInt64>
}

extension Snapshot {
  /// The partitions of the snapshot, but for those that only hold others, and those that begin
  /// after its end; none if it is no disk.
  public func partitions() throws(FileSystemError) -> [SnapshotPartition] {
    let identity: Identity
    do throws(BlkidError) { identity = try Probe.identify(view) } catch {
      if case .source(let error) = error { throw .io(error) }
      return []  // libblkid refuses it: what it would have told is not known
    }
    return (identity.partitionTable?.partitions ?? []).compactMap { partition in
      guard !partition.isExtended, partition.byteOffset < view.byteCount else { return nil }
      let count = min(partition.byteCount, view.byteCount - partition.byteOffset)
      return SnapshotPartition(
        number: partition.number, bytes: partition.byteOffset..<partition.byteOffset + count)
    }
  }
}
