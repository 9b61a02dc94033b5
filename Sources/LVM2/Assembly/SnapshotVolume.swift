public import BlockIO

/// A snapshot of a volume group: its store, its origin, and their metadata.
public struct SnapshotVolume: Sendable {
  /// The group, and its physical volumes.
  public let found: FoundVolumeGroup
  /// The version of the group that it is a snapshot of.
  public let version: VolumeGroup
  /// The snapshot in that version.
  public let snapshot: VolumeGroup.Snapshot
  /// The COW store.
  public let store: VolumeSource
  /// As long as the snapshot, which does not grow when the origin is extended; nil if the origin's
  /// layout is not supported.
  public let origin: (any BlockSource)?
  /// The reason why there is no origin.
  public let originError: VolumeError?

  /// Finds the snapshot's parts.
  ///
  /// - Parameter leg: Which copy of a mirror to read, even if it may be out of date.
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

  /// The store's volume, which has the snapshot's name.
  public var volume: VolumeGroup.LogicalVolume? {
    version.logicalVolumes.first { $0.name == snapshot.store }
  }

  /// The other snapshots of the same origin.
  public var siblings: [VolumeGroup.Snapshot] {
    version.snapshots.filter { $0.origin == snapshot.origin && $0.store != snapshot.store }
  }
}
