public import BlockIO

/// A physical volume that was found in a file or device, or in a partition of one.
public struct FoundPhysicalVolume: Sendable {
  /// Its bytes, from its first sector on.
  public let source: any BlockSource
  /// Which of the files and devices that were searched it lies in.
  public let input: Int
  /// Its bytes in that file or device, or in the array.
  public let range: Range<UInt64>
  public let label: PhysicalVolumeLabel
  /// The mirroring array that it lies in, if it does.
  public let array: MirrorArray?
  /// The metadata areas that the label names, as far as they lie in the volume.
  public let areas: [MetadataArea]
}

extension FoundPhysicalVolume {
  /// Its bytes on each member of the array that it lies in; once where it lies in none.
  public func copies() throws(BlockIOError) -> [any BlockSource] {
    guard let array else { return [source] }
    var copies: [any BlockSource] = []
    for member in array.members { copies.append(try SliceSource(member, range)) }
    return copies
  }
}

extension FoundPhysicalVolume {
  /// Whether two have bytes of a file or device in common.
  public func sharesBytes(with other: FoundPhysicalVolume) -> Bool {
    guard let own = try? copies().compactMap(\.place), let others = try? other.copies() else {
      return true  // what cannot be told is not taken for apart
    }
    return others.compactMap(\.place).contains { place in
      own.contains { $0.file == place.file && $0.range.overlaps(place.range) }
    }
  }
}

extension BlockSource {
  /// The file that its bytes lie in, and where in that.
  fileprivate var place: (file: FileIdentity, range: Range<UInt64>)? {
    guard let file = files.first?.identity else { return nil }
    let slice = self as? SliceSource
    return (file, slice?.range ?? 0..<byteCount)
  }
}
