package import Blkid
internal import BlockIO
internal import SnapshotFormat

/// The content of a path that is not a store: a disk, a file system, a file in another format.
public struct OtherContent: Equatable, Sendable {
  /// Its possible kinds.
  package enum Kind: Equatable, Sendable {
    case container(ContainerFormat)
    /// A partition table.
    case disk(PartitionTable)
    case content(Signature)
  }

  /// Its kind.
  package let kind: Kind

  /// The content that a source is recognised as; a COW store does not count.
  init?(of source: any BlockSource) {
    if let format = ContainerFormat(of: source) {
      kind = .container(format)
      return
    }
    // A source that cannot be probed is not recognised, which is no failure here.
    guard let identity = try? Probe.identify(source) else { return nil }
    if let table = identity.partitionTable, table.partitions.contains(where: { $0.byteCount > 0 }) {
      kind = .disk(table)
    } else if let signature = identity.signatures.first(where: { $0.isOwner }) {
      kind = .content(signature)
    } else {
      return nil
    }
  }

  /// Content that contradicts taking areas without a header for a store; nil if nothing does.
  ///
  /// An area 0 in its place outweighs anything: a file system made later would have overwritten it.
  /// Other areas outweigh a signature that may be in the data of a chunk.
  static func contradicting(
    _ store: Store, _ geometry: StoreGeometry?
  ) -> OtherContent? {
    if store.isRecognised { return nil }
    guard let content = OtherContent(of: store.source) else { return nil }
    guard let geometry else { return content }
    let dataStart = geometry.chunkSize.byteCount * StoreGeometry.firstDataChunk
    let mayBeData: Bool =
      if case .content(let signature) = content.kind { signature.byteOffset ?? 0 >= dataStart } else
      {
        false
      }
    let reader = AreaReader(store.source)
    for area in 0..<(mayBeData ? min(geometry.wholeAreaCount, 64) : 1) {
      guard let start = geometry.byteOffset(of: AreaIndex(area)),
        let placed = try? reader.place(AreaIndex(area), at: start, leak: 0, geometry.chunkSize)
      else { continue }
      if placed.isRight, placed.look.shift == 0, placed.look.liveCount >= AreaLaw.strongCount {
        return nil
      }
    }
    return content
  }
}

extension OtherContent: CustomStringConvertible {
  public var description: String {
    switch kind {
    case .container(let format): "\(format.title)"
    case .disk(let table): "a disk with a partition table (\(table.type))"
    case .content(let signature):
      switch signature.usage {
      case .filesystem: "a file system (\(signature.type))"
      default: "\(signature.type)"
      }
    }
  }

  /// Advice for the user, for messages.
  public var advice: String {
    switch kind {
    case .container(let format): format.advice
    case .disk:
      "name one of its partitions, PATH,offset=BYTES,length=BYTES; `dmsnap carve` finds stores in"
        + " it"
    case .content(let signature) where signature.type == "LVM2_member":
      "`dmsnap lvm list --pv PATH` lists its volumes"
    case .content(let signature) where signature.type == "linux_raid_member":
      "it is a member of an array: assemble that (mdadm --assemble --readonly) and name its device"
    case .content(let signature) where signature.usage == .filesystem:
      "the store is a file in it: mount it read-only and name the file; `dmsnap carve` finds stores"
        + " in it"
    case .content: "open its contents first; `dmsnap carve` finds stores in it"
    }
  }
}

extension Signature {
  /// Whether it describes all of the source, rather than the content of a part.
  fileprivate var isOwner: Bool {
    type != "DM_snapshot_cow" && !hasBadChecksum && usage != .unknown
  }
}
