internal import BlockIO

/// The files that own bytes of the source.
///
/// 24 bytes for each extent. Bytes that several files share have several owners.
public struct OwnerIndex: Sendable {
  /// An extent of a file; its number is an index.
  private struct Extent: Sendable {
    let start: UInt64
    let byteCount: UInt64
    let file: UInt32
    let part: Part
  }

  /// The use of bytes by their owner.
  public enum Part: UInt8, Sendable {
    /// Content, or space that is reserved for it.
    case content
    /// Its map, or its attributes.
    case structure
    /// Content among its metadata, as in its inode.
    case inline
  }

  /// Bytes, and a file that owns them.
  public struct Owned: Equatable, Sendable {
    /// The bytes of the source.
    public let bytes: Range<UInt64>
    /// The file.
    public let id: FileID
    /// Their use.
    public let part: Part

    /// Bytes of a file.
    package init(bytes: Range<UInt64>, id: FileID, part: Part) {
      (self.bytes, self.id, self.part) = (bytes, id, part)
    }
  }

  private var files: [FileID] = []
  /// By start.
  private var extents: [Extent] = []
  /// Files whose map could not be read completely, so that their bytes are not all known.
  public private(set) var unmapped: [FileID] = []
  /// Damage met: if there is any, owners may be missing.
  public private(set) var damage: [FileSystemDamage] = []

  /// Reads the maps of all files.
  ///
  /// - Parameters:
  ///   - ranges: The only bytes whose owners will be asked for, ascending; nil for all.
  ///   - isWanted: Whether a file's map is read.
  public init(
    _ fileSystem: any FileSystem, within ranges: [Range<UInt64>]? = nil,
    of isWanted: (Inode) -> Bool = { _ in true }
  ) throws(FileSystemError) {
    let unread = try fileSystem.forEachInode(isDeletedIncluded: false) {
      (inode) throws(FileSystemError) in
      if isWanted(inode) { try add(inode, of: fileSystem, within: ranges) }
      return true
    }
    // Maps have damage of their own, which `add` notes.
    damage += unread
    extents.sort { $0.start < $1.start }
  }

  private mutating func add(
    _ inode: Inode, of fileSystem: any FileSystem, within ranges: [Range<UInt64>]?
  ) throws(FileSystemError) {
    let map: FileMap
    do throws(FileSystemError) { map = try fileSystem.map(of: inode) } catch {
      if error.isFatal { throw error }
      damage.append(error.damage)
      unmapped.append(inode.id)
      return
    }
    if !map.damage.isEmpty { unmapped.append(inode.id) }
    damage += map.damage
    guard let file = UInt32(exactly: files.count) else { return }
    let known = extents.count
    func note(_ bytes: Range<UInt64>, _ part: Part) {
      guard !bytes.isEmpty, ranges?.touches(bytes) ?? true else { return }
      extents.append(
        Extent(
          start: bytes.lowerBound, byteCount: bytes.upperBound - bytes.lowerBound, file: file,
          part: part))
    }
    for extent in map.extents {
      guard let bytes = extent.sourceRange else { continue }
      if case .inline = extent.place { note(bytes, .inline) } else { note(bytes, .content) }
    }
    for bytes in map.structures { note(bytes, .structure) }
    if extents.count > known { files.append(inode.id) }
  }

  /// The owners of ranges, which are ascending, in one pass.
  ///
  /// - Returns: The owned parts of the ranges, by their first byte; a part of several owners once
  ///   for each.
  public func owners(of ranges: [Range<UInt64>]) -> [Owned] {
    var owned: [Owned] = []
    var next = 0
    var open: [Extent] = []
    for range in ranges {
      open.removeAll { $0.start + $0.byteCount <= range.lowerBound }
      while next < extents.count, extents[next].start < range.upperBound {
        let extent = extents[next]
        if extent.start + extent.byteCount > range.lowerBound { open.append(extent) }
        next += 1
      }
      let first = owned.count
      for extent in open {
        let bytes = (extent.start..<extent.start + extent.byteCount).clamped(to: range)
        if !bytes.isEmpty {
          owned.append(Owned(bytes: bytes, id: files[Int(extent.file)], part: extent.part))
        }
      }
      owned[first...].sort { $0.bytes.lowerBound < $1.bytes.lowerBound }
    }
    return owned
  }
}

extension [Range<UInt64>] {
  /// Whether any of them, which are ascending and do not overlap, has bytes of a range.
  package func touches(_ bytes: Range<UInt64>) -> Bool {
    let index = indexOfFirst(endingAfter: bytes.lowerBound)
    return index < count && self[index].lowerBound < bytes.upperBound
  }

  /// The parts of a range that they, which are ascending and do not overlap, have.
  package func parts(in bytes: Range<UInt64>) -> [Range<UInt64>] {
    var parts: [Range<UInt64>] = []
    var index = indexOfFirst(endingAfter: bytes.lowerBound)
    while index < count, self[index].lowerBound < bytes.upperBound {
      parts.append(self[index].clamped(to: bytes))
      index += 1
    }
    return parts
  }

  /// The parts of them that others do not cover; both are ascending and do not overlap.
  package func without(_ others: [Range<UInt64>]) -> [Range<UInt64>] {
    var left: [Range<UInt64>] = []
    var index = 0
    for range in self {
      var position = range.lowerBound
      while index < others.count, others[index].upperBound <= position { index += 1 }
      var other = index
      while other < others.count, others[other].lowerBound < range.upperBound {
        if others[other].lowerBound > position { left.append(position..<others[other].lowerBound) }
        position = Swift.max(position, others[other].upperBound)
        other += 1
      }
      if position < range.upperBound { left.append(position..<range.upperBound) }
    }
    return left
  }
}
