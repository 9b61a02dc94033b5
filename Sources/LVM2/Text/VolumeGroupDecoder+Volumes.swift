extension VolumeGroupDecoder {
  /// Reads all volumes, and the links from snapshots to their origins.
  func volumes() throws(MetadataTextError) -> (
    [VolumeGroup.LogicalVolume], [VolumeGroup.Snapshot]
  ) {
    var volumes: [VolumeGroup.LogicalVolume] = []
    var snapshots: [VolumeGroup.Snapshot] = []
    for entry in volumeEntries {
      try checkName(of: entry)
      if entry.isSnapshot {
        snapshots.append(try snapshot(entry))
      } else {
        volumes.append(try volume(entry))
      }
    }
    try checkStacking(of: volumes)
    return (volumes, snapshots)
  }

  private func volume(
    _ entry: MetadataEntry
  ) throws(MetadataTextError) -> VolumeGroup.LogicalVolume {
    let section = try section(of: entry)
    var segments: [VolumeGroup.Segment] = []
    for (entry, extents) in try orderedSegments(of: section) {
      segments.append(
        VolumeGroup.Segment(
          extents: extents, mapping: try mapping(entry.section, extentCount: UInt64(extents.count)))
      )
    }
    return VolumeGroup.LogicalVolume(
      name: entry.name, uuid: try identifier(in: section),
      status: try text.strings("status", in: section), creationTime: try time(in: section),
      segments: segments)
  }

  /// The segments of a volume in the order of its extents, which they cover without gaps.
  private func orderedSegments(
    of section: MetadataSection
  ) throws(MetadataTextError) -> [(entry: MetadataEntry, extents: Range<UInt64>)] {
    var segments: [(entry: MetadataEntry, extents: Range<UInt64>)] = []
    for entry in section.entries.lazy.filter(\.isSection) {
      let section = entry.section
      let start = try text.number("start_extent", in: section, 0...Self.wordMax)
      let count = try text.number("extent_count", in: section, 1...Self.wordMax)
      guard Self.end(of: start + count, extentByteCount: extentByteCount, from: 0) != nil else {
        throw text.error(
          at: "extent_count", in: section, "a count of extents that end below byte 2^63")
      }
      segments.append((entry, start..<start + count))
    }
    guard try text.number("segment_count", in: section, 0...Self.wordMax) == segments.count else {
      throw text.error(
        at: "segment_count", in: section, "\(segments.count), the number of the segments,")
    }
    // lvm2 sorts them too.
    segments.sort { $0.extents.lowerBound < $1.extents.lowerBound }
    var end: UInt64 = 0
    for (entry, extents) in segments {
      guard extents.lowerBound == end else {
        throw text.error(
          at: "start_extent", in: entry.section,
          "\(end), where the segment before it ends,")
      }
      end = extents.upperBound
    }
    return segments
  }

  private func snapshot(_ entry: MetadataEntry) throws(MetadataTextError) -> VolumeGroup.Snapshot {
    let segments = try orderedSegments(of: try section(of: entry))
    guard segments.count == 1, let segment = segments.first?.entry.section else {
      throw text.error(
        at: entry.byteOffset, found: "\(segments.count) segments of a snapshot", "one")
    }
    let isMerging = segment.entry("merging_store") != nil
    if isMerging, segment.entry("cow_store") != nil {
      throw text.error(
        at: segment.byteOffset, found: "both cow_store and merging_store", "one of the two")
    }
    return VolumeGroup.Snapshot(
      store: try volumeName(isMerging ? "merging_store" : "cow_store", in: segment),
      origin: try volumeName("origin", in: segment),
      chunkSectors: try text.number("chunk_size", in: segment, 0...Self.wordMax),
      isMerging: isMerging,
      extentCount: try text.number("extent_count", in: segment, 1...Self.wordMax))
  }

  /// The name of an existing volume.
  func volumeName(
    _ name: String, in section: MetadataSection
  ) throws(MetadataTextError) -> String {
    let volume = try text.string(name, in: section)
    guard volumeNames.contains(volume) else {
      throw text.error(at: name, in: section, "the name of a logical volume")
    }
    return volume
  }

  /// Throws if a volume contains itself, or is nested too deeply to be lvm2's work.
  ///
  /// Volumes are removed from the bottom, layer by layer: the rest is on a cycle, or on volumes
  /// that are. A snapshot's origin and store do not count, as they are not inside it.
  private func checkStacking(
    of volumes: [VolumeGroup.LogicalVolume]
  ) throws(MetadataTextError) {
    var users: [String: [Int]] = [:]
    // The number of uses of volumes that are still there.
    var needs = Array(repeating: 0, count: volumes.count)
    for (index, volume) in volumes.enumerated() {
      for name in volume.segments.lazy.flatMap(\.mapping.volumeNames) {
        users[name, default: []].append(index)
        needs[index] += 1
      }
    }
    var layer = volumes.indices.filter { needs[$0] == 0 }
    var (layerCount, leftCount) = (0, volumes.count)
    while !layer.isEmpty, layerCount < Self.layerCountMax {
      leftCount -= layer.count
      layerCount += 1
      var next: [Int] = []
      for index in layer {
        for user in users[volumes[index].name] ?? [] {
          needs[user] -= 1
          if needs[user] == 0 { next.append(user) }
        }
      }
      layer = next
    }
    guard leftCount > 0, let index = needs.firstIndex(where: { $0 > 0 }) ?? layer.first else {
      return
    }
    throw text.error(
      at: volumeEntries.first { $0.name == volumes[index].name }?.byteOffset ?? 0,
      found: "volume \(Quotation.of(volumes[index].name.utf8)), which contains itself",
      "at most \(Self.layerCountMax) layers of volumes without cycles")
  }

  /// The maximum number of volumes on top of each other.
  ///
  /// lvm2 has some five: a cache on RAID with integrity, one leg of it being moved.
  private static let layerCountMax = 32
}

extension VolumeGroup.Mapping {
  /// The volumes that a segment is on, once for each time that they are named.
  var volumeNames: [String] {
    switch self {
    case .striped(let places, _): places.compactMap(\.volumeName)
    case .mirror(let places, let mirror):
      places.compactMap(\.volumeName) + (mirror.log.map { [$0] } ?? [])
    case .raid(let raid):
      raid.legs.map(\.data) + raid.legs.compactMap(\.metadata)
    case .zero, .error, .unsupported: []
    }
  }
}

extension VolumeGroup.Place {
  fileprivate var volumeName: String? {
    switch self {
    case .physical: nil
    case .logical(let name, _): name
    }
  }
}

extension MetadataEntry {
  var isSection: Bool { if case .section = content { true } else { false } }

  /// The content of its braces, which it is known to have.
  var section: MetadataSection {
    guard case .section(let entries) = content else {
      return MetadataSection(byteOffset: byteOffset, entries: [])
    }
    return MetadataSection(byteOffset: byteOffset, entries: entries)
  }

  /// Whether it is a pseudo volume that ties a snapshot to its origin.
  var isSnapshot: Bool {
    section.entries.contains { segment in
      guard case .value(let type)? = segment.section.entry("type")?.content,
        case .string(let name) = type.kind
      else { return false }
      return VolumeGroupDecoder.segmentType(name) == "snapshot"
    }
  }
}
