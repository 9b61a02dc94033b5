internal import Blkid
internal import BlockIO
internal import SnapshotFormat

/// What speaks against an origin's being that of a store, whose bytes do not name it.
///
/// Only content that names itself can contradict: of raw data, or of an origin in which nothing is
/// recognised, nothing is said.
public enum OriginContradiction: Equatable, Sendable, CustomStringConvertible {
  /// The origin is a COW store: another one, or the store itself.
  case store(isSame: Bool)
  /// The origin is an image in another format than a raw one, whose bytes are not the disk's.
  case container(ContainerFormat)
  /// The origin is a disk, and one of its partitions is what the store was made over.
  case disk(Partition)
  /// The snapshot's superblock is in the store, and it is not the origin's.
  case otherContent(snapshot: ContentIdentity, origin: ContentIdentity)
  /// The origin has a file system, of whose chunks the store's copies have not a single sector.
  case noRelation(comparedChunkCount: Int)

  /// A part of a disk.
  public struct Partition: Equatable, Sendable {
    /// How to name it to this program.
    public let path: String
    public let number: Int
    /// What it holds; nil where nothing is recognised.
    public let content: ContentIdentity?
  }

  /// File systems of whose chunks none may keep a sector: they write what is new elsewhere, and
  /// what is old is then overwritten as a whole; or begin with a burst of data.
  private static let relocatingTypes: Set<String> = [
    "apfs", "bcachefs", "btrfs", "f2fs", "nilfs2", "xfs",
  ]
  /// With fewer chunks that hold anything on both sides, chance could be at work.
  private static let comparedCountMin = 64

  /// What speaks against the origin of `view`, or nil.
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
    // What an origin begins with by chance, a copy of its first chunk begins with as well.
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
    guard !Self.relocatingTypes.contains(content.type),
      relation.comparedCount >= Self.comparedCountMin
    else { return nil }
    self = .noRelation(comparedChunkCount: relation.comparedCount)
  }

  /// The partition of the origin that the store was made over, if it is one rather than all of it.
  ///
  /// - Parameter content: What the store says that the snapshot holds, where the origin does not.
  private static func partition(
    of own: Identity, _ view: SnapshotView, as content: ContentIdentity?
  ) throws(BlockIOError) -> Partition? {
    guard let table = own.partitionTable else { return nil }
    var parts: [(Partition, any BlockSource)] = []
    for partition in table.partitions where !partition.isExtended {
      guard partition.byteOffset > 0, partition.byteOffset < view.origin.byteCount else { continue }
      let room = view.origin.byteCount - partition.byteOffset
      let slice = try SliceSource(
        view.origin, partition.byteOffset..<partition.byteOffset + min(room, partition.byteCount))
      let identity = partition.content.flatMap { ContentIdentity($0) }
      parts.append(
        (Partition(path: slice.name, number: partition.number, content: identity), slice))
    }
    if let content {
      let named = parts.filter { part, _ in part.content.map { !content.isOther(than: $0) } ?? false
      }
      // By type alone it must not be one of several.
      if named.count == 1 { return named[0].0 }
    }
    if parts.isEmpty { return nil }
    if try OriginRelation(view, view.origin, uuid: nil).isRelated { return nil }
    for (part, slice) in parts
    where try OriginRelation(view, slice, uuid: part.content?.uuid).isRelated {
      return part
    }
    return nil
  }

  /// What `audit` calls it.
  var finding: Finding {
    let (code, required): (FindingCode, String) =
      switch self {
      case .store: (.originIsStore, "what the snapshot was taken of")
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
      "has a file system, but of \(count) chunks that the store has copies of, no sector is in both:"
        + " is it the right origin?"
    }
  }

  private static func words(_ content: ContentIdentity) -> String {
    content.type + (content.uuid.map { " with UUID \($0)" } ?? "")
  }
}

extension ContentIdentity {
  /// Whether two things are known to be different ones.
  fileprivate func isOther(than other: ContentIdentity?) -> Bool {
    guard let other else { return false }
    // An ext3 that became an ext4 since keeps its UUID; without one, the type has to do.
    return uuid != nil && other.uuid != nil ? uuid != other.uuid : type != other.type
  }
}

extension SnapshotView {
  /// Whether the name that the snapshot has stands in the store, and not in the origin only.
  fileprivate func confirms(_ shown: Identity) -> Bool {
    guard let signature = ContentIdentity.signature(of: shown), signature.uuid != nil,
      let byteOffset = signature.byteOffset, byteOffset < byteCount
    else { return false }
    return isMapped(byteOffset)
  }

  /// Whether the table maps the byte, which lies in the snapshot.
  fileprivate func isMapped(_ byteOffset: UInt64) -> Bool {
    var isMapped = false
    forEachSegment(in: byteOffset..<min(byteOffset + 1, byteCount)) {
      isMapped = $0.place != .origin
    }
    return isMapped
  }
}

extension Identity {
  /// Whether a chunk of it that was rewritten would now and then keep a sector: file systems do in
  /// their metadata; what is encrypted, a member of a RAID or unknown need not.
  fileprivate var holdsOnlyFileSystems: Bool {
    guard let table = partitionTable else {
      return !signatures.isEmpty && signatures.allSatisfy { $0.usage == .filesystem }
    }
    // What lies before a boot loader, or takes one, is small and hardly written.
    let parts = table.partitions.filter { !$0.isExtended && $0.byteCount > 32 << 20 }
      .compactMap(\.content)
    return !parts.isEmpty
      && parts.allSatisfy { $0.partitionTable == nil && $0.holdsOnlyFileSystems }
  }
}
