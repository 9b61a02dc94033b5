extension VolumeGroup {
  /// Reads a text of metadata, from a disk or from a file of /etc/lvm/archive or /etc/lvm/backup.
  ///
  /// It requires what lvm2 requires for mapping: names that exist, segments without gaps, the
  /// stated number of everything, and stripes of equal length. Every number can be counted in
  /// bytes, and volumes contain each other without cycles. Of a segment of an unsupported type,
  /// only the type is kept.
  ///
  /// - Parameter text: It ends at its first zero byte, or with its last.
  /// - Source: lvm2 `lib/format_text/import_vsn1.c`.
  public init(parsing text: [UInt8]) throws(MetadataTextError) {
    let text = try MetadataText(parsing: text)
    let (root, contents) = (text.root, "Text Format Volume Group")
    guard try text.string("contents", in: root) == contents else {
      throw text.error(at: "contents", in: root, Quotation.of(contents.utf8))
    }
    _ = try text.number("version", in: root, 1...1)
    // The first outer section is the group, whatever follows.
    let entry = root.entries.first { if case .section = $0.content { true } else { false } }
    guard let entry, case .section(let entries) = entry.content else {
      throw text.error(at: root.byteOffset, found: "no section", "the section of a volume group")
    }
    let decoder = try VolumeGroupDecoder(
      text, of: MetadataSection(byteOffset: entry.byteOffset, entries: entries))

    try decoder.checkName(of: entry)
    name = entry.name
    uuid = try decoder.identifier(in: decoder.group)
    seqno = try text.number("seqno", in: decoder.group, 0...UInt64(UInt32.max))
    status = try text.strings("status", in: decoder.group)
    extentByteCount = decoder.extentByteCount
    physicalVolumes = decoder.physicalVolumes
    (logicalVolumes, snapshots) = try decoder.volumes()
    description = try text.optionalString("description", in: root) ?? ""
    creationTime = try decoder.time(in: root)
    writer = text.writer
  }
}

/// State shared by the decoders of all parts of a volume group's text.
struct VolumeGroupDecoder {
  /// lvm2 has 32 bits for counts of extents and for sizes, except a device's.
  static let wordMax = UInt64(UInt32.max)

  let text: MetadataText
  let group: MetadataSection
  let extentByteCount: UInt64
  let physicalVolumes: [VolumeGroup.PhysicalVolume]
  /// Where the first extent of a physical volume is.
  let startByteOffsets: [String: UInt64]
  /// The sections of all volumes, including pseudo volumes.
  let volumeEntries: [MetadataEntry]
  /// The names of all volumes but pseudo volumes.
  let volumeNames: Set<String>

  /// Reads the parts that the volumes depend on.
  init(_ text: MetadataText, of group: MetadataSection) throws(MetadataTextError) {
    self.text = text
    self.group = group
    extentByteCount = try text.number("extent_size", in: group, 1...Self.wordMax) * 512
    volumeEntries = try text.optionalSection("logical_volumes", in: group)?.entries ?? []
    volumeNames = Set(volumeEntries.lazy.filter { !$0.isSnapshot }.map(\.name))

    var volumes: [VolumeGroup.PhysicalVolume] = []
    for entry in try text.section("physical_volumes", in: group).entries {
      volumes.append(try Self.physicalVolume(entry, of: text, extentByteCount: extentByteCount))
    }
    physicalVolumes = volumes
    startByteOffsets = Dictionary(
      volumes.lazy.map { ($0.name, $0.startByteOffset) }, uniquingKeysWith: { first, _ in first })
  }

  private static func physicalVolume(
    _ entry: MetadataEntry, of text: MetadataText, extentByteCount: UInt64
  ) throws(MetadataTextError) -> VolumeGroup.PhysicalVolume {
    try checkName(of: entry, in: text)
    let section = try section(of: entry, in: text)
    let sectorMax = UInt64(Int64.max) / 512
    let start = try text.number("pe_start", in: section, 0...sectorMax) * 512
    let count = try text.number("pe_count", in: section, 0...wordMax)
    guard end(of: count, extentByteCount: extentByteCount, from: start) != nil else {
      throw text.error(at: "pe_count", in: section, "a count of extents that end below byte 2^63")
    }
    return VolumeGroup.PhysicalVolume(
      name: entry.name, uuid: try identifier(in: section, of: text),
      device: try text.optionalString("device", in: section) ?? "",
      status: try text.strings("status", in: section),
      flags: try text.strings("flags", in: section),
      byteCount: try text.optionalNumber("dev_size", in: section, 0...sectorMax).map { $0 * 512 },
      startByteOffset: start, extentCount: count)
  }

  /// Where that many extents end, in bytes; nil if that is not below 2^63.
  static func end(
    of extentCount: UInt64, extentByteCount: UInt64, from start: UInt64
  ) -> UInt64? {
    let (length, overflow) = extentCount.multipliedReportingOverflow(by: extentByteCount)
    let (end, carry) = length.addingReportingOverflow(start)
    return overflow || carry || end > UInt64(Int64.max) ? nil : end
  }

  func identifier(in section: MetadataSection) throws(MetadataTextError) -> LVMIdentifier {
    try Self.identifier(in: section, of: text)
  }

  private static func identifier(
    in section: MetadataSection, of text: MetadataText
  ) throws(MetadataTextError) -> LVMIdentifier {
    guard let identifier = LVMIdentifier(try text.string("id", in: section)) else {
      throw text.error(at: "id", in: section, "a UUID of 32 characters")
    }
    return identifier
  }

  /// When a text or a volume was made.
  func time(in section: MetadataSection) throws(MetadataTextError) -> Int64? {
    try text.optionalNumber("creation_time", in: section, 0...UInt64(Int64.max)).map { Int64($0) }
  }

  func section(of entry: MetadataEntry) throws(MetadataTextError) -> MetadataSection {
    try Self.section(of: entry, in: text)
  }

  private static func section(
    of entry: MetadataEntry, in text: MetadataText
  ) throws(MetadataTextError) -> MetadataSection {
    guard case .section(let entries) = entry.content else {
      throw text.error(
        at: entry.byteOffset, found: "a value", "the section of a volume or a segment")
    }
    return MetadataSection(byteOffset: entry.byteOffset, entries: entries)
  }

  /// Throws unless a name has only the characters that lvm2 allows: others may be harmful in paths,
  /// and on terminals.
  func checkName(of entry: MetadataEntry) throws(MetadataTextError) {
    try Self.checkName(of: entry, in: text)
  }

  private static func checkName(
    of entry: MetadataEntry, in text: MetadataText
  ) throws(MetadataTextError) {
    if !VolumeGroup.isName(entry.name.utf8) {
      throw text.error(
        at: entry.byteOffset, found: Quotation.of(entry.name.utf8),
        "a name of at most \(VolumeGroup.nameByteCountMax) letters, digits and any of +_.-")
    }
  }
}

extension VolumeGroup {
  /// The maximum length of a name, without its zero byte.
  ///
  /// - Source: lvm2 `lib/uuid/uuid.h`, `NAME_LEN`.
  static let nameByteCountMax = 127

  /// Whether lvm2 allows that name for a group or a volume.
  static func isName(_ bytes: some Collection<UInt8>) -> Bool {
    1...nameByteCountMax ~= bytes.count && bytes.allSatisfy(isNameByte)
  }

  /// Whether lvm2 allows that character in a name.
  static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "_"),
      UInt8(ascii: "."), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
