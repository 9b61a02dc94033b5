public import BlockIO
internal import SnapshotFormat

/// A metadata area: some bytes of a device where LVM2 keeps the text of the volume group.
///
/// Texts are written one behind the other, and from the beginning again when the end is reached; a
/// text may lie partly at the end and partly at the beginning. The header names the one that is
/// valid. All numbers are little-endian.
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
public struct MetadataArea: Sendable {
  /// Where the header says that a text is.
  public struct Location: Equatable, Sendable {
    /// From the beginning of the area, in bytes.
    public let byteOffset: UInt64
    /// With the zero byte at its end.
    public let byteCount: UInt64
    public let checksum: UInt32
  }

  /// How many bytes the header has.
  static let headerByteCount = 512
  /// In larger areas, older texts are not looked for; pvcreate makes areas of 1 MiB unless asked.
  static let searchedByteCountMax: UInt64 = 256 << 20

  let source: any BlockSource
  /// Which bytes of the device it is: by its header, if that is sound, or else by the label.
  public let byteRange: Range<UInt64>
  public let committedLocation: Location?
  /// What was about to be committed when the header was written.
  public let precommittedLocation: Location?
  /// Whether lvm2 was told not to keep this area up to date.
  public let isIgnored: Bool
  /// What is wrong with the header.
  public let problems: [MetadataAreaProblem]

  /// Reads the header of the area that a label lists.
  ///
  /// A header whose checksum is wrong is still asked where the text is, as the text has a checksum
  /// of its own.
  ///
  /// - Throws: What is not a bad medium; all other is one of the ``problems``.
  public init(
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

  /// The fields of a header that begins as one does.
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
      // It says so even where there is no text.
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

    /// The bytes of the area, as far as the device has them; nil where that is no room for a text.
    func byteRange(within deviceByteCount: UInt64) -> Range<UInt64>? {
      let (end, overflow) = byteOffset.addingReportingOverflow(byteCount)
      let range = (byteOffset..<(overflow ? .max : end)).clamped(to: 0..<deviceByteCount)
      return range.upperBound - range.lowerBound > UInt64(headerByteCount) ? range : nil
    }
  }
}

extension MetadataAreaProblem {
  /// Whether a header with this problem can still tell how large the area is.
  fileprivate var isOfSizeOnly: Bool { if case .elsewhere = self { true } else { false } }
}
