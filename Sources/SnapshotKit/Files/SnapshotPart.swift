internal import Blkid
public import BlockIO
public import FileSystems
public import LVM2

/// The part of a snapshot, and of its origin, that a file system is in: all of it, a partition, or
/// a logical volume of a group whose physical volumes are in it.
///
/// The part has the bytes of both at the places in the snapshot's partition table and metadata.
public struct SnapshotPart: Sendable {
  /// The kind of a part.
  public enum Kind: Equatable, Sendable {
    /// All of it.
    case whole
    /// The partition of that number, as in the name of its device.
    case partition(Int)
    /// The logical volume of that name: `vg/lv`.
    case volume(String)
  }

  /// Consecutive bytes of the snapshot that are consecutive in the part.
  package struct Piece: Equatable, Sendable {
    /// The bytes of the snapshot.
    package let bytes: Range<UInt64>
    /// The first of them in the part.
    package let start: UInt64

    /// The bytes of the part.
    package var inside: Range<UInt64> { start..<start + (bytes.upperBound - bytes.lowerBound) }
  }

  /// Its kind.
  public let kind: Kind
  /// Its length.
  package let byteCount: UInt64
  /// In the order of the part; the gaps between them are on something that is missing.
  package let pieces: [Piece]
  /// In the order of the snapshot.
  private let piecesByPlace: [Piece]

  private init(_ kind: Kind, byteCount: UInt64, _ pieces: [Piece]) {
    (self.kind, self.byteCount, self.pieces) = (kind, byteCount, pieces)
    piecesByPlace = pieces.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
  }

  /// A range of the snapshot; it is not empty.
  package init(_ kind: Kind, _ bytes: Range<UInt64>) {
    self.init(
      kind, byteCount: bytes.upperBound - bytes.lowerBound, [Piece(bytes: bytes, start: 0)])
  }

  /// All of a snapshot.
  package init(wholeOf snapshot: Snapshot) { self.init(.whole, 0..<snapshot.view.byteCount) }

  /// A logical volume inside a snapshot.
  ///
  /// - Parameter snapshotByteCount: What lies after the snapshot's end is missing.
  fileprivate init(_ volume: FoundVolume, within snapshotByteCount: UInt64) throws(VolumeError) {
    let places = try volume.places()
    self.init(
      .volume(volume.text), byteCount: places.last?.range.upperBound ?? 0,
      places.compactMap { place in
        guard let start = place.byteOffset, start < snapshotByteCount else { return nil }
        let count = min(
          place.range.upperBound - place.range.lowerBound, snapshotByteCount - start)
        return Piece(bytes: start..<start + count, start: place.range.lowerBound)
      })
    for (piece, next) in zip(piecesByPlace, piecesByPlace.dropFirst())
    where piece.bytes.upperBound > next.bytes.lowerBound {
      throw .unsupported(volume.text, "parts that lie over each other")
    }
  }

  /// Ranges of the part that the snapshot does not have.
  package var missing: [Range<UInt64>] {
    [0..<byteCount].without(pieces.map(\.inside))
  }

  /// Its bytes in the snapshot or in the origin.
  package func source(
    in whole: any BlockSource
  ) throws(FileSystemError) -> any BlockSource {
    if kind == .whole { return whole }
    if pieces.count == 1, let piece = pieces.first, piece.inside == 0..<byteCount,
      case let bytes = piece.bytes, bytes.upperBound <= whole.byteCount
    {
      return try wrapping(FileSystemError.io, try SliceSource(whole, bytes))
    }
    var segments: [VolumeMap.Segment] = []
    var end: UInt64 = 0
    for piece in pieces {
      if end < piece.start { segments.append(Self.missing(end..<piece.start)) }
      segments.append(
        VolumeMap.Segment(
          piece.inside, .place(.device(0, byteOffset: piece.bytes.lowerBound))))
      end = piece.inside.upperBound
    }
    if end < byteCount { segments.append(Self.missing(end..<byteCount)) }
    return VolumeSource(whole.name, VolumeMap(segments), of: [whole])
  }

  private static func missing(_ range: Range<UInt64>) -> VolumeMap.Segment {
    VolumeMap.Segment(range, .place(.missing("a physical volume that the snapshot does not have")))
  }

  /// Ranges of the snapshot as ranges of the part, ascending, as far as they are in it.
  package func inside(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var found: [Range<UInt64>] = []
    for range in ranges where !range.isEmpty {
      var index = piecesByPlace.partitioningIndex { $0.bytes.upperBound > range.lowerBound }
      while index < piecesByPlace.count {
        let piece = piecesByPlace[index]
        guard piece.bytes.lowerBound < range.upperBound else { break }
        let part = range.clamped(to: piece.bytes)
        let start = piece.start + (part.lowerBound - piece.bytes.lowerBound)
        found.append(start..<start + (part.upperBound - part.lowerBound))
        index += 1
      }
    }
    return pieces.count == 1 ? found : found.sorted { $0.lowerBound < $1.lowerBound }
  }

  /// The places in the snapshot of a range of the part, in the part's order, as far as they exist.
  package func outside(_ range: Range<UInt64>) -> [Piece] {
    var found: [Piece] = []
    var index = pieces.partitioningIndex { $0.inside.upperBound > range.lowerBound }
    while index < pieces.count, pieces[index].start < range.upperBound {
      let piece = pieces[index]
      let part = range.clamped(to: piece.inside)
      let first = piece.bytes.lowerBound + (part.lowerBound - piece.start)
      if !part.isEmpty {
        found.append(
          Piece(
            bytes: first..<first + (part.upperBound - part.lowerBound), start: part.lowerBound))
      }
      index += 1
    }
    return found
  }

  /// The same for several ranges, as ascending ranges of the snapshot.
  package func outside(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    ranges.flatMap { outside($0).map(\.bytes) }.union
  }
}

extension Snapshot {
  /// The partitions of the snapshot, but for those that only hold others, and those that begin
  /// after its end; none if it is no disk.
  public func partitions() throws(FileSystemError) -> [SnapshotPart] {
    let identity: Identity
    do throws(BlkidError) { identity = try Probe.identify(view) } catch {
      if case .source(let error) = error { throw .io(error) }
      return []  // libblkid refuses it: what it would have told is not known
    }
    return (identity.partitionTable?.partitions ?? []).compactMap { partition in
      partition.bytes(inSourceOf: view.byteCount).map {
        SnapshotPart(.partition(partition.number), $0)
      }
    }
  }

  /// The volume groups in the snapshot: of a disk of a virtual machine, for example.
  private func volumeGroups() throws(FileSystemError) -> VolumeCatalog? {
    do throws(BlkidError) {
      let search = try PhysicalVolumeSearch([view])
      if search.found.isEmpty { return nil }
      return try wrapping(BlkidError.source, try VolumeCatalog(search.found))
    } catch {
      if case .source(let error) = error { throw .io(error) }
      return nil
    }
  }

  /// The logical volumes in the snapshot that can be read.
  public func volumes() throws(FileSystemError) -> [SnapshotPart] {
    guard let catalog = try volumeGroups() else { return [] }
    return catalog.groups.flatMap { group in
      group.group.wholeVolumes.compactMap { volume in
        try? SnapshotPart(
          FoundVolume(volume.name, of: group.group, group), within: view.byteCount)
      }
    }
  }

  /// The logical volume of that name in the snapshot: `vg/lv`; nil if there is none.
  public func volume(named name: String) throws(SnapshotPartError) -> SnapshotPart? {
    guard let catalog = try wrapping(SnapshotPartError.fileSystem, try volumeGroups()) else {
      return nil
    }
    return try wrapping(
      SnapshotPartError.volume,
      try catalog.volume(named: name).map { (found) throws(VolumeError) in
        try SnapshotPart(found, within: view.byteCount)
      })
  }
}

/// A reason why a part of a snapshot cannot be read.
public enum SnapshotPartError: CodedError {
  /// The snapshot cannot be read.
  case fileSystem(FileSystemError)
  /// There is no such volume, or it has a layout that is not supported.
  case volume(VolumeError)

  private var cause: any CodedError {
    switch self {
    case .fileSystem(let error): error
    case .volume(let error): error
    }
  }

  /// The status of the cause.
  public var status: ExitStatus { cause.status }
  /// The code of the cause.
  public var code: String { cause.code }
  /// The place of the cause.
  public var place: ErrorPlace? { cause.place }
  public var description: String { cause.description }
}
