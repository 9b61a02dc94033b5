/// One version of a volume group, as described by a text in a metadata area.
package struct MetadataVersion: Equatable, Sendable {
  /// The group.
  package let volumeGroup: VolumeGroup
  /// Where the text begins, in bytes from the beginning of the device.
  ///
  /// It may wrap around to the beginning of the area, after the header.
  package let byteOffset: UInt64
  /// Whether the area's header names it as valid.
  package let isCommitted: Bool
  /// The text, without the zero byte at its end.
  package let text: [UInt8]
}

/// The text that a metadata area's header names.
package struct CommittedMetadata: Equatable, Sendable {
  /// nil if the area has no text, which is no problem, or a damaged one.
  package let version: MetadataVersion?
  /// Problems with the area and the text.
  ///
  /// Use a version with problems only if no other area has one without, and report them.
  package let problems: [MetadataAreaProblem]
}

/// The texts that are left in a metadata area.
package struct MetadataHistory: Equatable, Sendable {
  /// All complete ones, newest first.
  ///
  /// The group of the committed text comes first; then other groups, to which the disk belonged
  /// before, by the time of their last change. Within a group, the highest sequence number comes
  /// first. Identical texts are listed once. Without a committed one, the first may be a change
  /// that was never made: lvm2 writes the text before it commits it.
  package let versions: [MetadataVersion]
  /// The number of pieces of other texts: beginnings, and ends whose beginning is overwritten.
  let fragmentCount: Int
  /// Problems with the area and the committed text.
  package let problems: [MetadataAreaProblem]
}
