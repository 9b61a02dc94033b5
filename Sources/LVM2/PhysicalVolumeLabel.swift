package import BlockIO
internal import SnapshotFormat

/// The label that makes a disk, or a part of one, a physical volume.
///
/// It is in one of the first four sectors, usually the second. All numbers are little-endian.
///
///     offset  size  field
///          0     8  "LABELONE"
///          8     8  the sector where it is
///         16     4  checksum of the sector's bytes from 20 on
///         20     4  offset of what follows, 32
///         24     8  "LVM2 001"
///         32    32  UUID
///         64     8  size of the device, in bytes
///         72        data areas, metadata areas: offset and size of each, and two zeroes after
///                   the last of its kind
///                4  version of what follows, if the sector has room for it; 0 if it is missing
///                4  flags: 1 says that a volume group uses it
///                   areas for boot loaders, like the others
///
/// - Source: lvm2 `lib/label/label.h`, `lib/format_text/layout.h`.
public struct PhysicalVolumeLabel: Equatable, Sendable {
  /// A range of bytes of the device.
  package struct Area: Equatable, Sendable {
    /// Where it begins, in bytes.
    package let byteOffset: UInt64
    /// 0 if it extends to the end of the device.
    public let byteCount: UInt64

    /// An area of those bytes.
    package init(byteOffset: UInt64, byteCount: UInt64) {
      self.byteOffset = byteOffset
      self.byteCount = byteCount
    }
  }

  /// The sector where it was found.
  package let sector: UInt64
  /// The sector that it states as its own.
  package let statedSector: UInt64
  /// Whether its checksum is right.
  package let isChecksumRight: Bool
  /// The physical volume's UUID.
  public let uuid: LVMIdentifier
  /// The size of the device.
  public let byteCount: UInt64
  /// Where extents are.
  package let dataAreas: [Area]
  /// Where metadata is.
  package let metadataAreas: [Area]
  /// Space reserved for boot loaders.
  package let bootLoaderAreas: [Area]
  /// Whether a volume group uses it; nil if it was written by an lvm2 that did not record that.
  package let isUsed: Bool?

  /// Whether it is in the sector that it states.
  package var isAtItsSector: Bool { statedSector == sector }
  /// Whether lvm2 would accept it.
  public var isSound: Bool { isChecksumRight && isAtItsSector }

  /// The reason why lvm2 would not accept it, as text; nil if it would.
  public var defect: String? {
    if !isChecksumRight { return "the label's checksum is wrong" }
    if !isAtItsSector {
      return "the label is in sector \(sector), but says that it is in \(statedSector)"
    }
    return nil
  }

  /// In how many sectors a label may be.
  static let sectorCount = 4
  /// The first bytes of a physical volume, which are searched for its label.
  package static var searchedByteCount: UInt64 { UInt64(sectorCount * 512) }

  /// Finds the label in the first four sectors of a device.
  ///
  /// Sectors that cannot be read have none. The first sound one is used; if there is none, the
  /// first that still has a UUID and complete lists, whose defect the caller must report.
  package static func find(
    in source: any BlockSource
  ) throws(BlockIOError) -> PhysicalVolumeLabel? {
    let sectorCount = Int(min(source.byteCount / 512, UInt64(Self.sectorCount)))
    let buffer = IOBuffer(byteCount: sectorCount * 512)
    _ = try source.readAround(at: 0, into: buffer, 0..<buffer.byteCount)
    let labels = (0..<sectorCount).compactMap { sector in
      buffer.withBytes(sector * 512..<sector * 512 + 512) { bytes in
        PhysicalVolumeLabel(decoding: bytes, sector: UInt64(sector))
      }
    }
    return labels.first(where: \.isSound) ?? labels.first
  }

  /// Decodes the label in a sector of 512 bytes; nil if there is none.
  init?(decoding bytes: Span<UInt8>, sector: UInt64) {
    var fields = LabelFields(position: 0)
    guard bytes.count == 512, fields.text(in: bytes, count: 8) == "LABELONE",
      let statedSector: UInt64 = fields.number(in: bytes),
      let checksum: UInt32 = fields.number(in: bytes),
      let offset: UInt32 = fields.number(in: bytes),
      fields.text(in: bytes, count: 8) == "LVM2 001", offset >= 32, offset <= 512
    else { return nil }

    fields.position = Int(offset)
    guard let uuid = fields.bytes(in: bytes, count: 32).flatMap({ LVMIdentifier($0) }),
      let byteCount: UInt64 = fields.number(in: bytes),
      let dataAreas = fields.areas(in: bytes), let metadataAreas = fields.areas(in: bytes)
    else { return nil }

    let version: UInt32 = fields.number(in: bytes) ?? 0
    let flags: UInt32? = version > 0 ? fields.number(in: bytes) : nil
    self.sector = sector
    self.statedSector = statedSector
    isChecksumRight = checksum == LVMChecksum(bytes, 20..<512).value
    self.uuid = uuid
    self.byteCount = byteCount
    self.dataAreas = dataAreas
    self.metadataAreas = metadataAreas
    bootLoaderAreas = flags == nil ? [] : fields.areas(in: bytes) ?? []
    // Version 1 had the areas for boot loaders, and no meaningful flag.
    isUsed = version > 1 ? flags.map { $0 & 1 != 0 } : nil
  }
}

/// Goes through a sector, field by field; nil for fields that are not within it.
private struct LabelFields {
  var position: Int

  mutating func number<Value: FixedWidthInteger & UnsignedInteger>(
    in bytes: Span<UInt8>, as type: Value.Type = Value.self
  ) -> Value? {
    guard position + MemoryLayout<Value>.size <= bytes.count else { return nil }
    defer { position += MemoryLayout<Value>.size }
    return bytes.littleEndian(at: position)
  }

  mutating func bytes(in bytes: Span<UInt8>, count: Int) -> [UInt8]? {
    guard position + count <= bytes.count else { return nil }
    defer { position += count }
    return (position..<position + count).map { bytes[$0] }
  }

  mutating func text(in bytes: Span<UInt8>, count: Int) -> String? {
    self.bytes(in: bytes, count: count).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The areas of a list up to the zero offset that ends it.
  mutating func areas(in bytes: Span<UInt8>) -> [PhysicalVolumeLabel.Area]? {
    var areas: [PhysicalVolumeLabel.Area] = []
    while let byteOffset: UInt64 = number(in: bytes), let byteCount: UInt64 = number(in: bytes) {
      if byteOffset == 0 { return areas }
      areas.append(PhysicalVolumeLabel.Area(byteOffset: byteOffset, byteCount: byteCount))
    }
    return nil
  }
}
