public import Blkid
public import BlockIO

/// Looks for physical volumes in files and devices, and in their partitions.
///
/// Only labels, partition tables and the headers of metadata areas are read. A disk with a physical volume
/// in a partition is not one itself: a label may be left from before it was partitioned.
public struct PhysicalVolumeSearch: Sendable {
  /// Partitions lie in partitions, as in the image of a virtual machine's disk, but not deeper.
  private static let depthMax = 4

  public private(set) var found: [FoundPhysicalVolume] = []
  /// In which of what was searched nothing was found.
  public private(set) var withoutVolume: [Int] = []
  /// What was searched of one input: tables may name the same bytes over and over.
  private var searched: Set<Range<UInt64>> = []

  /// Searches each of several files and devices.
  public init(_ inputs: [any BlockSource]) throws(BlkidError) {
    for (index, input) in inputs.enumerated() {
      let count = found.count
      searched = []
      try search(input, of: index, at: 0, depth: 0)
      if found.count == count { withoutVolume.append(index) }
    }
  }

  private mutating func search(
    _ source: any BlockSource, of input: Int, at byteOffset: UInt64, depth: Int
  ) throws(BlkidError) {
    guard searched.insert(byteOffset..<byteOffset + source.byteCount).inserted else { return }
    let volume: FoundPhysicalVolume?
    do throws(BlockIOError) {
      volume = try PhysicalVolumeLabel.find(in: source).map { (label) throws(BlockIOError) in
        var areas: [MetadataArea] = []
        for area in label.metadataAreas { areas.append(try MetadataArea(source, area)) }
        return FoundPhysicalVolume(
          source: source, input: input, range: byteOffset..<byteOffset + source.byteCount,
          label: label, areas: areas)
      }
    } catch {
      throw .source(error)
    }
    let count = found.count
    try searchPartitions(source, of: input, at: byteOffset, depth: depth)
    if let volume, found.count == count { found.append(volume) }
  }

  private mutating func searchPartitions(
    _ source: any BlockSource, of input: Int, at byteOffset: UInt64, depth: Int
  ) throws(BlkidError) {
    guard depth < Self.depthMax else { return }
    for partition in try Probe.identify(source).partitionTable?.partitions ?? []
    where !partition.isExtended && partition.byteOffset < source.byteCount {
      let room = source.byteCount - partition.byteOffset
      let end = partition.byteOffset + min(partition.byteCount, room)
      guard partition.byteOffset < end else { continue }
      let slice: SliceSource
      do throws(BlockIOError) {
        slice = try SliceSource(source, partition.byteOffset..<end)
      } catch {
        throw .source(error)
      }
      try search(slice, of: input, at: byteOffset + partition.byteOffset, depth: depth + 1)
    }
  }
}
