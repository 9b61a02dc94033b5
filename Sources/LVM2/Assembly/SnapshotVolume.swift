public import BlockIO

/// A snapshot of a volume group: its store, its origin, and what the metadata says of them.
public struct SnapshotVolume: Sendable {
  public let found: FoundVolumeGroup
  /// The version of the group that it is a snapshot of.
  public let version: VolumeGroup
  public let snapshot: VolumeGroup.Snapshot
  public let store: VolumeSource
  /// As long as the snapshot, which does not grow when the origin is extended; nil where the origin
  /// is laid out in a way that is not read.
  public let origin: (any BlockSource)?
  /// Why there is no origin.
  public let originError: VolumeError?

  /// Finds the snapshot's parts.
  ///
  /// - Parameter leg: Which copy of a mirror to read, whatever is known of it.
  public init(
    _ snapshot: VolumeGroup.Snapshot, of version: VolumeGroup, _ found: FoundVolumeGroup,
    leg: Int? = nil
  ) throws(VolumeError) {
    self.found = found
    self.version = version
    self.snapshot = snapshot
    let mapper = found.mapper(version, leg: leg)
    store = try mapper.source(of: snapshot.store)
    do throws(VolumeError) {
      let (byteCount, overflow) = snapshot.extentCount.multipliedReportingOverflow(
        by: version.extentByteCount)
      origin = try mapper.source(
        of: snapshot.origin, prefix: overflow || byteCount == 0 ? .max : byteCount)
      originError = nil
    } catch {
      origin = nil
      originError = error
    }
  }

  /// The volume of the store, which bears the snapshot's name.
  public var volume: VolumeGroup.LogicalVolume? {
    version.logicalVolumes.first { $0.name == snapshot.store }
  }

  /// The other snapshots of the same origin.
  public var siblings: [VolumeGroup.Snapshot] {
    version.snapshots.filter { $0.origin == snapshot.origin && $0.store != snapshot.store }
  }
}
