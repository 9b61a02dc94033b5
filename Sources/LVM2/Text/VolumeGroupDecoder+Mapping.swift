extension VolumeGroupDecoder {
  /// lvm2's name of a segment type, without the flags after it: "striped" of "striped+FLAG".
  static func segmentType(_ text: String) -> String {
    String(text.prefix { $0 != "+" })
  }

  /// Reads the mapping of a segment of that many extents.
  func mapping(
    _ segment: MetadataSection, extentCount: UInt64
  ) throws(MetadataTextError) -> VolumeGroup.Mapping {
    let type = Self.segmentType(try text.string("type", in: segment))
    switch type {
    case "striped", "linear": return try striped(segment, extentCount: extentCount)
    case "mirror": return try mirror(segment, extentCount: extentCount)
    case "zero": return .zero
    case "error": return .error
    case let type where Self.raidLegCountsMin[type] != nil: return try raid(segment, type: type)
    default: return .unsupported(type: type)
    }
  }

  /// - Source: lvm2 `lib/striped/striped.c`.
  private func striped(
    _ segment: MetadataSection, extentCount: UInt64
  ) throws(MetadataTextError) -> VolumeGroup.Mapping {
    let count = try text.number("stripe_count", in: segment, 1...Self.wordMax)
    guard extentCount.isMultiple(of: count) else {
      throw text.error(
        at: "stripe_count", in: segment, "a number of which \(extentCount) extents are a multiple")
    }
    let places = try places(
      "stripes", in: segment, count: count, extentCount: extentCount / count)
    // A single stripe has no size; the value is ignored.
    if count == 1 { return .striped(places, stripeByteCount: 0) }
    let size = try text.number("stripe_size", in: segment, 1...Self.wordMax)
    return .striped(places, stripeByteCount: size * 512)
  }

  /// - Source: lvm2 `lib/mirror/mirrored.c`.
  private func mirror(
    _ segment: MetadataSection, extentCount: UInt64
  ) throws(MetadataTextError) -> VolumeGroup.Mapping {
    let count = try text.number("mirror_count", in: segment, 1...Self.wordMax)
    let log = segment.entry("mirror_log") == nil ? nil : try volumeName("mirror_log", in: segment)
    let moved = try text.optionalNumber("extents_moved", in: segment, 0...extentCount)
    return .mirror(
      try places("mirrors", in: segment, count: count, extentCount: extentCount),
      VolumeGroup.Mirror(log: log, extentsMoved: moved))
  }

  /// Reads a list of names, each with the extent where something begins.
  private func places(
    _ name: String, in segment: MetadataSection, count: UInt64, extentCount: UInt64
  ) throws(MetadataTextError) -> [VolumeGroup.Place] {
    let values = try text.list(name, in: segment)
    guard values.count.isMultiple(of: 2), UInt64(values.count / 2) == count else {
      throw text.error(at: name, in: segment, "a list of \(count) names, each with an extent,")
    }
    var places: [VolumeGroup.Place] = []
    for index in stride(from: 0, to: values.count, by: 2) {
      let (volume, value) = (try text.string(values[index]), values[index + 1])
      let start = startByteOffsets[volume]
      guard start != nil || volumeNames.contains(volume) else {
        throw text.error(at: values[index], "the name of a physical or logical volume")
      }
      guard case .integer(let integer) = value.kind, 0...Int64(Self.wordMax) ~= integer,
        Self.end(
          of: UInt64(integer) + extentCount, extentByteCount: extentByteCount, from: start ?? 0)
          != nil
      else {
        throw text.error(at: value, "the number of an extent, below 2^32 and below byte 2^63,")
      }
      places.append(
        start == nil
          ? .logical(volume, extent: UInt64(integer)) : .physical(volume, extent: UInt64(integer)))
    }
    return places
  }

  /// The types of md that lvm2 knows, with the minimum number of legs.
  ///
  /// - Source: lvm2 `lib/metadata/segtype.h`; Linux `drivers/md/dm-raid.c`.
  private static let raidLegCountsMin = [
    "raid0": 1, "raid0_meta": 1, "raid1": 1, "raid10": 2, "raid10_near": 2,
    "raid4": 2, "raid5": 2, "raid5_n": 2, "raid5_la": 2, "raid5_ls": 2, "raid5_ra": 2,
    "raid5_rs": 2,
    "raid6": 3, "raid6_nc": 3, "raid6_nr": 3, "raid6_zr": 3, "raid6_la_6": 3, "raid6_ls_6": 3,
    "raid6_ra_6": 3, "raid6_rs_6": 3, "raid6_n_6": 3,
  ]

  /// - Source: lvm2 `lib/raid/raid.c`.
  private func raid(
    _ segment: MetadataSection, type: String
  ) throws(MetadataTextError) -> VolumeGroup.Mapping {
    // A reshape moves the data, and only md's superblocks show how far.
    let reshaped = try text.optionalNumber("reshape_count", in: segment, 0...Self.wordMax) ?? 0
    let moved = try text.optionalNumber("data_offset", in: segment, 0...UInt64(Int64.max)) ?? 0
    if reshaped > 0 || moved > 0 { return .unsupported(type: type) }

    let countMin = UInt64(Self.raidLegCountsMin[type] ?? 1)
    let countName = segment.entry("device_count") == nil ? "stripe_count" : "device_count"
    let count = try text.number(countName, in: segment, countMin...Self.wordMax)
    let legs = try legs(type == "raid0" ? "raid0_lvs" : "raids", in: segment)
    guard legs.count == count else {
      throw text.error(at: countName, in: segment, "\(legs.count), the number of the data volumes,")
    }
    let isStriped = type != "raid1"
    let size =
      isStriped ? try text.number("stripe_size", in: segment, 1...Self.wordMax) * 512 : 0
    // lvm2 ignores a value below two.
    let copies = try text.optionalNumber("data_copies", in: segment, 0...Self.wordMax) ?? 0
    if type.hasPrefix("raid10"), copies > count {
      throw text.error(at: "data_copies", in: segment, "a number from 2 to \(count)")
    }
    return .raid(
      VolumeGroup.Raid(
        type: type, legs: legs, stripeByteCount: size, dataCopies: copies < 2 ? 2 : copies))
  }

  /// Reads a list of data volumes, each of which may be preceded by that of its superblock.
  private func legs(
    _ name: String, in segment: MetadataSection
  ) throws(MetadataTextError) -> [VolumeGroup.Raid.Leg] {
    var legs: [VolumeGroup.Raid.Leg] = []
    var metadata: String?
    for value in try text.list(name, in: segment) {
      let volume = try text.string(value)
      guard volumeNames.contains(volume) else {
        throw text.error(at: value, "the name of a logical volume")
      }
      // lvm2 goes by the names too.
      if metadata == nil, volume.contains("_rmeta_") {
        metadata = volume
      } else {
        legs.append(VolumeGroup.Raid.Leg(metadata: metadata, data: volume))
        metadata = nil
      }
    }
    if metadata != nil {
      throw text.error(
        at: name, in: segment, "a list in which a data volume follows each “_rmeta_”")
    }
    return legs
  }
}
