/// Extents of a physical volume, and the logical volume that has them.
package struct Allocation: Equatable, Sendable {
  /// The physical volume's UUID.
  package let physicalVolume: LVMIdentifier
  /// The extents' numbers on it.
  package let extents: Range<UInt64>
  /// The name of the logical volume, which may be a hidden part of another.
  package let volume: String
  /// The UUID of the logical volume.
  package let volumeUUID: LVMIdentifier
}

/// Something that maps a volume's bytes: a segment, an allocation, where extents begin.
package struct MappedPart: Equatable, Sendable {
  let uuid: LVMIdentifier
  let extents: Range<UInt64>
  let kind: String
  let unit: UInt64
}

extension VolumeGroup {
  /// All allocated extents.
  package var allocations: [Allocation] { logicalVolumes.flatMap { ownAllocations(of: $0) } }

  /// The extents of a logical volume, and of all volumes below it.
  package func allocations(below name: String) -> [Allocation] {
    var found: [Allocation] = []
    var open = [name]
    var seen: Set<String> = []
    while let name = open.popLast() {
      guard seen.insert(name).inserted,
        let volume = logicalVolumes.first(where: { $0.name == name })
      else { continue }
      found += ownAllocations(of: volume)
      for segment in volume.segments { open += segment.mapping.volumeNames }
    }
    return found
  }

  /// Whether a leg was split off with `lvconvert --splitmirrors --trackchanges`: it is visible to
  /// users, and not writable.
  ///
  /// - Source: lvm2 `lib/metadata/raid_manip.c`, `lv_raid_split_and_track`.
  func isSplitOff(_ leg: String) -> Bool {
    volume(named: leg).map { $0.isVisible && !$0.isWritable } ?? false
  }

  /// The tracked legs that were split off a volume, or off a volume below it.
  package func splitOffLegs(below name: String) -> [String] {
    let names = Set(allocations(below: name).map(\.volume))
    return names.filter(isSplitOff).sorted()
  }

  /// The volumes that a user may want: the visible ones, and the stores of snapshots and their
  /// origins, but no mere parts of others.
  public var wholeVolumes: [LogicalVolume] {
    let ofSnapshots = Set(snapshots.flatMap { [$0.store, $0.origin] })
    return logicalVolumes.filter { $0.isVisible || ofSnapshots.contains($0.name) }
  }

  /// The bytes of an allocation on its physical volume; nil if they overflow.
  package func bytes(of allocation: Allocation) -> Range<UInt64>? {
    guard
      let volume = physicalVolumes.first(where: { $0.uuid == allocation.physicalVolume })
    else { return nil }
    let start = allocation.extents.lowerBound.multipliedReportingOverflow(by: extentByteCount)
    let end = allocation.extents.upperBound.multipliedReportingOverflow(by: extentByteCount)
    let last = volume.startByteOffset.addingReportingOverflow(end.partialValue)
    guard !start.overflow, !end.overflow, !last.overflow else { return nil }
    return volume.startByteOffset + start.partialValue..<last.partialValue
  }

  /// Everything that maps a volume's bytes: if it is the same in two versions of a group, so are
  /// the bytes.
  package func mapping(below name: String) -> [MappedPart] {
    let used = allocations(below: name)
    let segments = logicalVolumes.filter { volume in
      volume.name == name || used.contains { $0.volumeUUID == volume.uuid }
    }.flatMap { volume in
      volume.segments.map {
        MappedPart(
          uuid: volume.uuid, extents: $0.extents, kind: $0.mapping.type,
          unit: $0.mapping.stripeByteCount)
      }
    }
    let starts = physicalVolumes.filter { volume in
      used.contains { $0.physicalVolume == volume.uuid }
    }.map {
      MappedPart(
        uuid: $0.uuid, extents: $0.startByteOffset..<$0.startByteOffset, kind: "start",
        unit: extentByteCount)
    }
    let places = used.map {
      MappedPart(uuid: $0.physicalVolume, extents: $0.extents, kind: $0.volume, unit: 0)
    }
    return segments + starts + places
  }

  private func ownAllocations(of volume: LogicalVolume) -> [Allocation] {
    volume.segments.flatMap { segment -> [Allocation] in
      let count = segment.extents.upperBound - segment.extents.lowerBound
      let (places, own): ([Place], UInt64)
      switch segment.mapping {
      case .striped(let stripes, _):
        (places, own) = (stripes, count / UInt64(max(stripes.count, 1)))
      case .mirror(let legs, _): (places, own) = (legs, count)
      case .raid, .zero, .error, .unsupported: return []
      }
      return places.compactMap { place in
        guard case .physical(let name, let extent) = place,
          let device = physicalVolumes.first(where: { $0.name == name }),
          !extent.addingReportingOverflow(own).overflow
        else { return nil }
        return Allocation(
          physicalVolume: device.uuid, extents: extent..<extent + own, volume: volume.name,
          volumeUUID: volume.uuid)
      }
    }
  }
}
