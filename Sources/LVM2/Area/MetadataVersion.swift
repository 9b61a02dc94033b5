/// One version of a volume group, as a text in a metadata area describes it.
public struct MetadataVersion: Equatable, Sendable {
  public let volumeGroup: VolumeGroup
  /// Where the text begins, in bytes from the beginning of the device.
  ///
  /// It may go on at the beginning of the area, behind the header.
  public let byteOffset: UInt64
  /// Whether the area's header names it as the one that is valid.
  public let isCommitted: Bool
  /// The text, without the zero byte at its end.
  public let text: [UInt8]
}

/// What a metadata area says is valid.
public struct CommittedMetadata: Equatable, Sendable {
  /// nil where the area has no text, which is no problem, or one that is damaged.
  public let version: MetadataVersion?
  /// What is wrong with the area and the text.
  ///
  /// A version with problems is for use only if they are said, and no other area has one without.
  public let problems: [MetadataAreaProblem]
}

/// The texts that are left in a metadata area.
public struct MetadataHistory: Equatable, Sendable {
  /// All that are whole, newest first.
  ///
  /// The group of the committed text comes first, others, to which the disk belonged before, by the
  /// time of their last change; each with the highest sequence number first. The same text is
  /// there once. Without a committed one, the first may be a change that was never made: lvm2
  /// writes the text before it commits it.
  public let versions: [MetadataVersion]
  /// How many pieces of other texts there are: beginnings, and ends whose beginning is overwritten.
  public let fragmentCount: Int
  /// What is wrong with the area and the committed text.
  public let problems: [MetadataAreaProblem]
}
