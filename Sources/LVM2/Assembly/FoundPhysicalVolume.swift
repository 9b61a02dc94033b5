public import BlockIO

/// A physical volume found in a file or device, or in a partition of one.
public struct FoundPhysicalVolume: Sendable {
  /// Its bytes, from its first sector on.
  public let source: any BlockSource
  /// The index of the searched file or device that it is in.
  package let input: Int
  /// Its bytes in that file or device, or in the array.
  package let range: Range<UInt64>
  /// Its label.
  public let label: PhysicalVolumeLabel
  /// The mirroring array that it is in, if any.
  package let array: MirrorArray?
  /// The metadata areas of the label that are within the volume.
  package let areas: [MetadataArea]
}

extension FoundPhysicalVolume {
  /// Its bytes on each member of its array; once if it is in none.
  package func copies() throws(BlockIOError) -> [any BlockSource] {
    guard let array else { return [source] }
    var copies: [any BlockSource] = []
    for member in array.members { copies.append(try SliceSource(member, range)) }
    return copies
  }
}

extension FoundPhysicalVolume {
  /// Whether the two share bytes of a file or device.
  package func sharesBytes(with other: FoundPhysicalVolume) -> Bool {
    guard let own = try? copies().compactMap(\.place), let others = try? other.copies() else {
      return true  // if unknown, assume that they do
    }
    return others.compactMap(\.place).contains { place in
      own.contains { $0.file == place.file && $0.range.overlaps(place.range) }
    }
  }
}

extension BlockSource {
  /// The file that has its bytes, and where.
  fileprivate var place: (file: FileIdentity, range: Range<UInt64>)? {
    guard let file = files.first?.identity else { return nil }
    let slice = self as? SliceSource
    return (file, slice?.range ?? 0..<byteCount)
  }
}
