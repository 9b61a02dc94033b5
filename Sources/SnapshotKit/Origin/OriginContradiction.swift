internal import Blkid
internal import BlockIO
internal import SnapshotFormat

/// A contradiction between a store, which does not name its origin, and an origin.
///
/// Only recognisable content can contradict: nothing is concluded from raw data, or an origin in
/// which nothing is recognised.
public enum OriginContradiction: Equatable, Sendable, CustomStringConvertible {
  /// The origin is a COW store: another one, or the store itself.
  case store(isSame: Bool)
  /// The origin is an image in another format than raw, whose bytes are not the disk's.
  case container(ContainerFormat)
  /// The origin is a disk, and the store belongs to one of its partitions.
  case disk(Partition)
  /// The snapshot's superblock is in the store, and is not the origin's.
  case otherContent(snapshot: ContentIdentity, origin: ContentIdentity)
  /// The origin has a file system, but shares no sector with the store's copies.
  case noRelation(comparedChunkCount: Int)

  /// A part of a disk.
  public struct Partition: Equatable, Sendable {
    /// The argument that names it.
    public let path: String
    /// Its number in the partition table.
    public let number: Int
    /// Its content; nil if nothing is recognised.
    public let content: ContentIdentity?
  }

  /// File systems that may leave no sector of a chunk: they write new data elsewhere, and old data
  /// is then overwritten as a whole; or they begin with a burst of data.
  private static let relocatingTypes: Set<String> = [
    "apfs", "bcachefs", "btrfs", "f2fs", "nilfs2", "xfs",
  ]
  /// With fewer chunks that hold anything on both sides, it may be chance.
  private static let comparedCountMin = 64

  /// The contradiction to the origin of `view`; nil if there is none.
  ///
  /// - Parameters:
  ///   - shown: What libblkid finds in the view.
  ///   - own: What it finds in the origin.
  init?(_ view: SnapshotView, shown: Identity, own: Identity) throws(BlockIOError) {
    let origin = view.origin
    let bytes = FileRanges(of: origin)
    let isSame = !bytes.isEmpty && bytes == FileRanges(of: view.store)
    if isSame || Store(origin).header?.hasMagic == true {
      self = .store(isSame: isSame)
      return
    }
    // If an origin begins with such bytes by chance, a copy of its first chunk does too.
    if let container = ContainerFormat(of: origin), !container.isRawWithFooter,
      !view.isMapped(0) || ContainerFormat(of: view) != container
    {
      self = .container(container)
      return
    }
    let (snapshot, content) = (ContentIdentity(shown), ContentIdentity(own))
    let isOther = snapshot.map { $0.isOther(than: content) } ?? false
    if let partition = try Self.partition(of: own, view, as: isOther ? snapshot : nil) {
      self = .disk(partition)
      return
    }
    guard let content else { return nil }
    if isOther, let snapshot {
      self = .otherContent(snapshot: snapshot, origin: content)
      return
    }
    // A snapshot in which nothing is recognised, over a file system, is held against the origin as
    // well: the merge would end that file system.
    guard own.holdsOnlyFileSystems, !view.confirms(shown) else { return nil }
    let relation = try OriginRelation(view, origin, uuid: content.uuid)
    if relation.isRelated { return nil }
    if let foreign = relation.foreign.first, relation.foreign.count > 1 {
      self = .otherContent(
        snapshot: ContentIdentity(type: "xfs", uuid: foreign), origin: content)
      return
    }
    guard !own.types.contains(where: Self.relocatingTypes.contains),
      relation.comparedCount >= Self.comparedCountMin
    else { return nil }
    self = .noRelation(comparedChunkCount: relation.comparedCount)
  }

  /// The partition of the origin that the store was made over, if it was not made over all of it.
  ///
  /// - Parameter content: What the snapshot holds by the store, unlike the origin.
  private static func partition(
    of own: Identity, _ view: SnapshotView, as content: ContentIdentity?
  ) throws(BlockIOError) -> Partition? {
    guard let table = own.partitionTable else { return nil }
    var parts: [(Partition, SliceSource)] = []
    var isConfirmed = false
    for partition in table.partitions {
      guard let bytes = partition.bytes(inSourceOf: view.origin.byteCount), bytes.lowerBound > 0
      else { continue }
      let slice = try SliceSource(view.origin, bytes)
      let identity = partition.content.flatMap { ContentIdentity($0) }
      if let uuid = identity?.uuid { isConfirmed = isConfirmed || view.confirms(uuid, in: bytes) }
      parts.append(
        (Partition(path: slice.name, number: partition.number, content: identity), slice))
    }
    if let content {
      let named = parts.filter { part, _ in part.content.map { !content.isOther(than: $0) } ?? false
      }
      // By type alone, it must be the only one.
      if named.count == 1 { return named[0].0 }
    }
    // Metadata that names its file system, and not its place, would do in any partition.
    if parts.isEmpty || isConfirmed { return nil }
    if try OriginRelation(view, view.origin, uuid: nil).isRelated { return nil }
    for (part, slice) in parts
    where try OriginRelation(view, slice, uuid: part.content?.uuid).isRelated {
      return part
    }
    return nil
  }

  /// The finding of an audit.
  var finding: Finding {
    let (code, required): (FindingCode, String) =
      switch self {
      case .store: (.originIsStore, "the device or image that the snapshot was taken of")
      case .container: (.unrelatedOrigin, "a raw image")
      case .disk: (.originIsDisk, "the partition that the store was made over")
      case .otherContent: (.unrelatedOrigin, "the file system that the snapshot is of")
      case .noRelation: (.unrelatedOrigin, "chunks that were copied from it")
      }
    return Finding(
      code: code, place: Finding.Place(), found: "an origin that \(description)",
      required: required)
  }

  public var description: String {
    switch self {
    case .store(isSame: true): "is the store itself"
    case .store(isSame: false): "is a COW store itself: is it the right origin?"
    case .container(let format): "is \(format.title) and not a raw image: \(format.advice)"
    case .disk(let partition):
      "is a whole disk: the store was made over partition \(partition.number)"
        + (partition.content.map { ", which holds \(Self.words($0))" } ?? "")
        + ": name \(partition.path)"
    case .otherContent(let snapshot, let origin):
      "holds \(Self.words(origin)), but the snapshot would be \(Self.words(snapshot)):"
        + " is it the right origin?"
    case .noRelation(let count):
      "has a file system, but shares no sector with \(count) chunks that the store has copies of:"
        + " is it the right origin?"
    }
  }

  private static func words(_ content: ContentIdentity) -> String {
    content.type + (content.uuid.map { " with UUID \($0)" } ?? "")
  }
}

extension ContentIdentity {
  /// Whether the two are known to be different.
  fileprivate func isOther(than other: ContentIdentity?) -> Bool {
    guard let other else { return false }
    // An ext3 that has become an ext4 keeps its UUID; without one, the type must do.
    return uuid != nil && other.uuid != nil ? uuid != other.uuid : type != other.type
  }
}

extension SnapshotView {
  /// Whether the snapshot's identity comes from the store, and not only from the origin.
  fileprivate func confirms(_ shown: Identity) -> Bool {
    guard let signature = ContentIdentity.signature(of: shown), signature.uuid != nil,
      let byteOffset = signature.byteOffset, byteOffset < byteCount
    else { return false }
    return isMapped(byteOffset)
  }

  /// Whether the snapshot's own superblock of that UUID is in its place in a partition.
  fileprivate func confirms(_ uuid: String, in partition: Range<UInt64>) -> Bool {
    guard partition.upperBound <= byteCount, let part = try? SliceSource(self, partition),
      let shown = try? Probe.identify(part),
      let signature = ContentIdentity.signature(of: shown), signature.uuid == uuid,
      let byteOffset = signature.byteOffset, byteOffset < part.byteCount
    else { return false }
    return isMapped(partition.lowerBound + byteOffset)
  }

  /// Whether the table maps the byte, which is in the snapshot.
  fileprivate func isMapped(_ byteOffset: UInt64) -> Bool {
    var isMapped = false
    forEachSegment(in: byteOffset..<min(byteOffset + 1, byteCount)) {
      isMapped = $0.place != .origin
    }
    return isMapped
  }
}

extension Identity {
  /// Its content, including that of its partitions.
  fileprivate var types: [String] {
    signatures.map(\.type)
      + (partitionTable?.partitions ?? []).flatMap { $0.content?.types ?? [] }
  }

  /// Whether a rewritten chunk of it would now and then keep a sector: file systems do, in their
  /// metadata; encrypted data, a member of a RAID or unknown content may not.
  fileprivate var holdsOnlyFileSystems: Bool {
    guard let table = partitionTable else {
      return !signatures.isEmpty && signatures.allSatisfy { $0.usage == .filesystem }
    }
    // Parts before or for a boot loader are small and hardly written.
    let parts = table.partitions.filter { !$0.isExtended && $0.byteCount > 32 << 20 }
      .compactMap(\.content)
    return !parts.isEmpty
      && parts.allSatisfy { $0.partitionTable == nil && $0.holdsOnlyFileSystems }
  }
}
