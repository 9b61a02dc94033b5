internal import BlockIO
public import FileSystems
internal import SnapshotFormat

/// The files that own bytes of a snapshot and of its origin, and the use of bytes without a file.
public struct FileOwners: Sendable {
  /// A file that owns some of the bytes.
  public struct Owner: Sendable {
    /// The side of the file.
    public let side: SnapshotFiles.Side
    /// The file.
    public let id: FileID
    /// Its paths; none if no directory names it.
    public let paths: [String]
    /// The number of the bytes that are its content.
    public var contentByteCount: UInt64 = 0
    /// The number of the bytes that are content among its metadata, as in its inode.
    public var inlineByteCount: UInt64 = 0
    /// The number of the bytes that hold its map or its attributes.
    public var structureByteCount: UInt64 = 0
  }

  /// Bytes that no file owns.
  public struct Unowned: Sendable {
    /// The side concerned.
    public let side: SnapshotFiles.Side
    /// The bytes of the snapshot or origin.
    public let bytes: Range<UInt64>
    /// Their owner: `free`, the name of a structure, or nil if unknown.
    public let what: String?
  }

  /// The bytes that were asked for, ascending, as far as the file systems have them.
  public let ranges: [Range<UInt64>]
  /// The owners, by side and path.
  public private(set) var owners: [Owner] = []
  /// Ranges that no file owns, by side and place.
  public private(set) var unowned: [Unowned] = []
  /// Damage met, and on which side: if there is any, owners may be missing.
  public private(set) var damage: [(side: SnapshotFiles.Side, damage: FileSystemDamage)] = []

  /// Finds the owners of ranges of a snapshot, which may overlap.
  ///
  /// - Parameter sides: Where to look.
  public init(
    of ranges: [Range<UInt64>], in files: SnapshotFiles,
    sides: [SnapshotFiles.Side] = SnapshotFiles.Side.allCases
  ) throws(FileSystemError) {
    let inside = files.part.inside(ranges.union)
    self.ranges = files.part.outside(inside)
    for side in sides { try add(inside, side, files[side], files.part) }
  }

  private mutating func add(
    _ ranges: [Range<UInt64>], _ side: SnapshotFiles.Side, _ fileSystem: any FileSystem,
    _ part: SnapshotPart
  ) throws(FileSystemError) {
    let index = try OwnerIndex(fileSystem, within: ranges)
    let all = index.owners(of: ranges)
    let paths = try TreePaths(fileSystem, of: Set(all.map(\.id)))
    // A journal is a file without a name, and better reported by its purpose.
    let named = Set(all.map(\.id)).filter { !paths.paths(of: $0).isEmpty }
    let owned = all.filter {
      named.contains($0.id) || fileSystem.structure(at: $0.bytes.lowerBound) == nil
    }
    damage += (index.damage + paths.damage).map { (side, $0) }
    var found: [FileID: Owner] = [:]
    for piece in owned {
      let count = piece.bytes.upperBound - piece.bytes.lowerBound
      var owner =
        found[piece.id] ?? Owner(side: side, id: piece.id, paths: paths.paths(of: piece.id))
      switch piece.part {
      case .content: owner.contentByteCount &+= count
      case .structure: owner.structureByteCount &+= count
      case .inline: owner.inlineByteCount &+= count
      }
      found[piece.id] = owner
    }
    owners += found.values.sorted { ($0.paths.first ?? "", $0.id) < ($1.paths.first ?? "", $1.id) }
    let left = ranges.without(owned.map(\.bytes).union)
    var problems: [FileSystemDamage] = []
    unowned += try fileSystem.unowned(left, &problems).flatMap { bytes, what in
      part.outside(bytes).map { Unowned(side: side, bytes: $0.bytes, what: what) }
    }
    damage += problems.map { (side, $0) }
  }
}

extension Snapshot {
  /// The known places of the data of orphans, and the number of orphans without a known place.
  package var unnamedRanges: (known: [Range<UInt64>], unknownCount: UInt64) {
    var known: [Range<UInt64>] = []
    var unknownCount = loaded.placement.unplacedCount
    // Ranges with a likely place are listed as likely, whether or not the place is used.
    let likely = loaded.placement.placements(.likely)
    for placement in likely {
      if let range = bytes(ofOld: placement.old, count: placement.count) { known.append(range) }
    }
    for orphan in loaded.generation?.orphans ?? [] {
      guard let old = orphan.old, let range = bytes(ofOld: old, count: orphan.count) else {
        continue
      }
      known.append(range)
      let next = likely.partitioningIndex { $0.new + $0.count > orphan.new }
      if next < likely.count, likely[next].new < orphan.new + orphan.count { continue }
      unknownCount -= min(unknownCount, orphan.count)
    }
    return (known.union, unknownCount)
  }

  /// The bytes of chunks of the origin; nil if it has none of them.
  package func bytes(ofOld chunk: UInt64, count: UInt64 = 1) -> Range<UInt64>? {
    let geometry = loaded.geometry
    guard let start = geometry.byteOffset(of: Chunk(chunk)), start < view.byteCount else {
      return nil
    }
    let (last, overflow) = chunk.addingReportingOverflow(count)
    let end = overflow ? nil : geometry.byteOffset(of: Chunk(last))
    return start..<min(end ?? view.byteCount, view.byteCount)
  }

  /// The chunk of the origin whose data a chunk of the store has; nil if there is no exception for
  /// it.
  package func oldChunk(atNew chunk: UInt64) -> UInt64? {
    loaded.table.runs.first { $0.new <= chunk && chunk - $0.new < $0.count }
      .map { $0.old + (chunk - $0.new) }
  }
}

extension FileSystem {
  /// The structures in a range, sector by sector, and nil between them.
  func structures(in range: Range<UInt64>) -> [(Range<UInt64>, String?)] {
    // Structures are small; with so much left over, it is unknown which bytes are free.
    guard range.upperBound - range.lowerBound <= 1 << 30 else { return [(range, nil)] }
    var found: [(Range<UInt64>, String?)] = []
    var position = range.lowerBound
    while position < range.upperBound {
      let end = min((position / 512 + 1) * 512, range.upperBound)
      let what = structure(at: position)
      if let last = found.last, last.1 == what {
        found[found.count - 1].0 = last.0.lowerBound..<end
      } else {
        found.append((position..<end, what))
      }
      position = end
    }
    return found
  }

  /// The owners of ranges that no file has, ascending: `free`, the name of a structure, or nil.
  func unowned(
    _ ranges: [Range<UInt64>], _ damage: inout [FileSystemDamage]
  ) throws(FileSystemError) -> [(bytes: Range<UInt64>, what: String?)] {
    let free: [Range<UInt64>]
    do throws(FileSystemError) { free = try freeRanges() } catch {
      if error.isFatal { throw error }
      damage.append(error.damage)
      free = []
    }
    var found = ranges.flatMap { free.parts(in: $0) }.map { ($0, "free" as String?) }
    for range in ranges.without(free) { found += structures(in: range) }
    return found.sorted { $0.0.lowerBound < $1.0.lowerBound }
  }
}
