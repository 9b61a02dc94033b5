package import BlockIO
internal import SnapshotFormat

/// A metadata area: bytes of a device where LVM2 keeps the text of the volume group.
///
/// Texts are written one after the other, and from the beginning again when the end is reached; a
/// text may be partly at the end and partly at the beginning. The header names the valid one. All
/// numbers are little-endian.
///
///     offset  size  field
///          0     4  checksum of the header's bytes from 4 on
///          4    16  " LVM2 x[5A%r0N*>"
///         20     4  version, 1
///         24     8  where the area begins, in bytes of the device
///         32     8  its size, with the header
///         40    24  the committed text: 8 offset in the area (0 for none), 8 length with the zero
///                   byte at its end, 4 checksum, 4 flags (1: the area is ignored)
///         64    24  the precommitted text, likewise
///        512        texts
///
/// - Source: lvm2 `lib/format_text/layout.h`.
package struct MetadataArea: Sendable {
  /// The place of a text, from the header.
  struct Location: Equatable, Sendable {
    /// From the beginning of the area, in bytes.
    package let byteOffset: UInt64
    /// Including the zero byte at its end.
    package let byteCount: UInt64
    /// The text's checksum (``LVMChecksum``).
    package let checksum: UInt32
  }

  /// The size of the header.
  static let headerByteCount = 512
  /// Larger areas are not searched for older texts; pvcreate makes areas of 1 MiB by default.
  static let searchedByteCountMax: UInt64 = 256 << 20

  let source: any BlockSource
  /// Its bytes on the device: by its header if that is sound, otherwise by the label.
  package let byteRange: Range<UInt64>
  /// Where the valid text is; nil if there is none.
  let committedLocation: Location?
  /// The precommitted text when the header was written.
  let precommittedLocation: Location?
  /// Whether lvm2 was configured not to keep this area up to date.
  package let isIgnored: Bool
  /// Problems with the header.
  package let problems: [MetadataAreaProblem]

  /// Reads the header of the area that a label lists.
  ///
  /// A header whose checksum is wrong is still used to find the text, which has a checksum of its
  /// own.
  ///
  /// - Throws: Errors other than a bad medium; everything else is one of the ``problems``.
  package init(
    _ source: any BlockSource, _ area: PhysicalVolumeLabel.Area
  ) throws(BlockIOError) {
    var problems: [MetadataAreaProblem] = []
    let (end, overflow) = area.byteOffset.addingReportingOverflow(area.byteCount)
    if overflow || end > source.byteCount {
      problems.append(.beyondEnd(byteCount: source.byteCount))
    }
    let listed = (area.byteOffset..<(overflow ? .max : end)).clamped(to: 0..<source.byteCount)
    let listedByteCount = listed.upperBound - listed.lowerBound

    var header: Header?
    if listedByteCount <= UInt64(Self.headerByteCount) {
      problems.append(.tooSmall(byteCount: listedByteCount))
    } else {
      let buffer = IOBuffer(byteCount: Self.headerByteCount)
      let unreadable = try source.readAround(
        at: listed.lowerBound, into: buffer, 0..<buffer.byteCount)
      if !unreadable.isEmpty { problems.append(.unreadable(unreadable)) }
      header = buffer.withBytes(0..<buffer.byteCount) { Header($0) }
      problems += header.map { $0.problems(of: area) } ?? [.noHeader]
    }

    self.source = source
    self.problems = problems
    if let header, let range = header.byteRange(within: source.byteCount),
      header.problems(of: area).allSatisfy(\.isOfSizeOnly), range.lowerBound == area.byteOffset
    {
      byteRange = range
    } else {
      byteRange = listed
    }
    committedLocation = header?.committed
    precommittedLocation = header?.precommitted
    isIgnored = header?.isIgnored ?? false
  }

  /// The fields of something that begins like a header.
  private struct Header {
    let checksum: UInt32
    let actualChecksum: UInt32
    let version: UInt32
    let byteOffset: UInt64
    let byteCount: UInt64
    let committed: Location?
    let precommitted: Location?
    let isIgnored: Bool

    init?(_ bytes: Span<UInt8>) {
      let magic: [UInt8] = Array(" LVM2 x[5A%r0N*>".utf8)
      guard magic.indices.allSatisfy({ bytes[4 + $0] == magic[$0] }) else { return nil }
      checksum = bytes.littleEndian(at: 0)
      actualChecksum = LVMChecksum(bytes, 4..<512).value
      version = bytes.littleEndian(at: 20)
      byteOffset = bytes.littleEndian(at: 24)
      byteCount = bytes.littleEndian(at: 32)
      committed = Self.location(bytes, at: 40)
      precommitted = Self.location(bytes, at: 64)
      // The flag counts even without a text.
      isIgnored = bytes[60] & 1 != 0
    }

    private static func location(_ bytes: Span<UInt8>, at position: Int) -> Location? {
      let location = Location(
        byteOffset: bytes.littleEndian(at: position),
        byteCount: bytes.littleEndian(at: position + 8),
        checksum: bytes.littleEndian(at: position + 16))
      return location.byteOffset == 0 || location.byteCount == 0 ? nil : location
    }

    func problems(of area: PhysicalVolumeLabel.Area) -> [MetadataAreaProblem] {
      var problems: [MetadataAreaProblem] = []
      if checksum != actualChecksum {
        problems.append(.headerChecksum(found: checksum, required: actualChecksum))
      }
      if version != 1 { problems.append(.headerVersion(version)) }
      if byteOffset != area.byteOffset || byteCount != area.byteCount {
        problems.append(.elsewhere(byteOffset: byteOffset, byteCount: byteCount))
      }
      return problems
    }

    /// The bytes of the area that the device has; nil if they are too few for a text.
    func byteRange(within deviceByteCount: UInt64) -> Range<UInt64>? {
      let (end, overflow) = byteOffset.addingReportingOverflow(byteCount)
      let range = (byteOffset..<(overflow ? .max : end)).clamped(to: 0..<deviceByteCount)
      return range.upperBound - range.lowerBound > UInt64(headerByteCount) ? range : nil
    }
  }
}

extension MetadataAreaProblem {
  /// Whether a header with this problem still gives the size of the area.
  fileprivate var isOfSizeOnly: Bool { if case .elsewhere = self { true } else { false } }
}
