public import BlockIO

/// A physical volume that was found in a file or device, or in a partition of one.
public struct FoundPhysicalVolume: Sendable {
  /// Its bytes, from its first sector on.
  public let source: any BlockSource
  /// Which of the files and devices that were searched it lies in.
  public let input: Int
  /// Its bytes in that file or device.
  public let range: Range<UInt64>
  public let label: PhysicalVolumeLabel
  /// The metadata areas that the label names, as far as they lie in the volume.
  public let areas: [MetadataArea]
}
