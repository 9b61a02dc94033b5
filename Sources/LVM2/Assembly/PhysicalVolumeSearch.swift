public import Blkid
public import BlockIO
package import MD

/// Searches files and devices, and their partitions, for physical volumes.
///
/// Only labels, partition tables and the headers of metadata areas are read. A disk with a physical
/// volume in a partition is not one itself: its label may date from before it was partitioned.
public struct PhysicalVolumeSearch: Sendable {
  /// Partitions contain partitions, as in the image of a virtual machine's disk, but not deeper.
  private static let depthMax = 4

  /// The physical volumes found.
  public private(set) var found: [FoundPhysicalVolume] = []
  /// The indices of the inputs in which nothing was found.
  package private(set) var withoutVolume: [Int] = []
  /// Members of arrays that spread their bytes over all members, so that one alone is no volume.
  package private(set) var arrayMembers: [(path: String, superblock: ArraySuperblock)] = []
  /// Ranges of one input already searched: tables may list the same bytes repeatedly.
  private var searched: Set<Range<UInt64>> = []
  /// The members of mirroring arrays, in the order found.
  private var mirrors: [(uuid: [UInt8], members: [MirrorArray.Member])] = []

  /// Searches each of several files and devices.
  ///
  /// Members of a mirroring array are searched as one.
  public init(_ inputs: [any BlockSource]) throws(BlkidError) {
    var without: Set<Int> = []
    for (index, input) in inputs.enumerated() {
      let count = found.count
      searched = []
      try search(input, of: index, at: 0, depth: 0, nil)
      if found.count == count { without.insert(index) }
    }
    for (_, members) in mirrors {
      let array = try wrapping(BlkidError.source, try MirrorArray(members))
      let count = found.count
      searched = []
      try search(array.source, of: array.inputs[0], at: 0, depth: 0, array)
      if found.count > count { without.subtract(members.map(\.input)) }
    }
    withoutVolume = without.sorted()
  }

  /// Notes a member of an array.
  ///
  /// - Returns: Whether it is one.
  private mutating func addMember(
    _ source: any BlockSource, of input: Int
  ) throws(BlkidError) -> Bool {
    let superblock = try wrapping(BlkidError.source, try ArraySuperblock(of: source))
    guard let superblock, try !isOfPartition(superblock, source) else { return false }
    if !superblock.isMirror {
      arrayMembers.append((source.name, superblock))
      return true
    }
    let member = MirrorArray.Member(superblock: superblock, source: source, input: input)
    if let index = mirrors.firstIndex(where: { $0.uuid == superblock.uuid }) {
      mirrors[index].members.append(member)
    } else {
      mirrors.append((superblock.uuid, [member]))
    }
    return true
  }

  /// Whether a superblock of version 0.90, which does not state its place, belongs to the last
  /// partition of a disk: the two would be in the same place.
  private func isOfPartition(
    _ superblock: ArraySuperblock, _ source: any BlockSource
  ) throws(BlkidError) -> Bool {
    guard superblock.version == "0.90" else { return false }
    return try Probe.identify(source).partitionTable?.partitions.contains {
      $0.byteOffset <= superblock.byteOffset
        && superblock.byteOffset - $0.byteOffset < $0.byteCount
    } ?? false
  }

  private mutating func search(
    _ source: any BlockSource, of input: Int, at byteOffset: UInt64, depth: Int,
    _ array: MirrorArray?
  ) throws(BlkidError) {
    guard searched.insert(byteOffset..<byteOffset + source.byteCount).inserted else { return }
    if array == nil, try addMember(source, of: input) { return }
    let volume: FoundPhysicalVolume?
    do throws(BlockIOError) {
      volume = try PhysicalVolumeLabel.find(in: source).map { (label) throws(BlockIOError) in
        var areas: [MetadataArea] = []
        for area in label.metadataAreas { areas.append(try MetadataArea(source, area)) }
        return FoundPhysicalVolume(
          source: source, input: input, range: byteOffset..<byteOffset + source.byteCount,
          label: label, array: array, areas: areas)
      }
    } catch {
      throw .source(error)
    }
    let count = found.count
    try searchPartitions(source, of: input, at: byteOffset, depth: depth, array)
    if let volume, found.count == count { found.append(volume) }
  }

  private mutating func searchPartitions(
    _ source: any BlockSource, of input: Int, at byteOffset: UInt64, depth: Int,
    _ array: MirrorArray?
  ) throws(BlkidError) {
    guard depth < Self.depthMax else { return }
    for partition in try Probe.identify(source).partitionTable?.partitions ?? [] {
      guard let bytes = partition.bytes(inSourceOf: source.byteCount) else { continue }
      let slice = try wrapping(BlkidError.source, try SliceSource(source, bytes))
      try search(slice, of: input, at: byteOffset + bytes.lowerBound, depth: depth + 1, array)
    }
  }
}
