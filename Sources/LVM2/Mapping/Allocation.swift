/// Extents of a physical volume, and the logical volume that has them.
public struct Allocation: Equatable, Sendable {
  public let physicalVolume: LVMIdentifier
  public let extents: Range<UInt64>
  /// The logical volume, which may be a hidden part of another.
  public let volume: String
  public let volumeUUID: LVMIdentifier
}

extension VolumeGroup {
  /// All extents that are given out.
  public var allocations: [Allocation] { logicalVolumes.flatMap { ownAllocations(of: $0) } }

  /// The extents of a logical volume, and of all that it lies on.
  public func allocations(below name: String) -> [Allocation] {
    var found: [Allocation] = []
    var open = [name]
    var seen: Set<String> = []
    while let name = open.popLast() {
      guard seen.insert(name).inserted,
        let volume = logicalVolumes.first(where: { $0.name == name })
      else { continue }
      found += ownAllocations(of: volume)
      for segment in volume.segments { open += segment.mapping.volumes }
    }
    return found
  }

  /// The volumes that somebody may ask for: the visible ones, the stores of snapshots and their
  /// origins, and not what is just a part of others.
  public var wholeVolumes: [LogicalVolume] {
    let ofSnapshots = Set(snapshots.flatMap { [$0.store, $0.origin] })
    return logicalVolumes.filter { $0.isVisible || ofSnapshots.contains($0.name) }
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

extension VolumeGroup.Mapping {
  /// The logical volumes that a segment lies on, data and metadata.
  var volumes: [String] {
    switch self {
    case .striped(let places, _): places.compactMap(\.volume)
    case .mirror(let places, let mirror):
      places.compactMap(\.volume) + [mirror.log].compactMap(\.self)
    case .raid(let raid): raid.legs.flatMap { [$0.metadata, $0.data].compactMap(\.self) }
    case .zero, .error, .unsupported: []
    }
  }
}

extension VolumeGroup.Place {
  fileprivate var volume: String? {
    if case .logical(let name, _) = self { name } else { nil }
  }
}
