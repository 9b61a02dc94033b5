import Fuzzing
import LVM2

/// Takes the bytes for a text of metadata, and holds a group against what its readers rely on.
fuzz { bytes in
  let text = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  do throws(MetadataTextError) {
    check(try VolumeGroup(parsing: text))
  } catch {
    precondition(error.line >= 1 && error.column >= 1 && error.column <= text.count + 1)
    precondition(error.description.utf8.count < 600)
  }
}

/// Checks that all of a group can be counted in bytes, and that its names name something.
func check(_ group: VolumeGroup) {
  let volumes = Set(group.logicalVolumes.map(\.name))
  let starts = Dictionary(
    uniqueKeysWithValues: group.physicalVolumes.map { ($0.name, $0.startByteOffset) })
  for volume in group.physicalVolumes {
    precondition(volume.startByteOffset + volume.extentCount * group.extentByteCount < 1 << 63)
  }
  for volume in group.logicalVolumes {
    var end: UInt64 = 0
    for segment in volume.segments {
      precondition(segment.extents.lowerBound == end && !segment.extents.isEmpty)
      end = segment.extents.upperBound
      let count = UInt64(segment.extents.count)
      switch segment.mapping {
      case .striped(let places, let stripeByteCount):
        precondition(count.isMultiple(of: UInt64(places.count)))
        precondition(places.count == 1 || stripeByteCount >= 512)
        for place in places { check(place, count / UInt64(places.count)) }
      case .mirror(let places, let mirror):
        precondition(!places.isEmpty && mirror.extentsMoved ?? 0 <= count)
        precondition(mirror.log.map(volumes.contains) ?? true)
        for place in places { check(place, count) }
      case .raid(let raid):
        precondition(raid.legs.allSatisfy { volumes.contains($0.data) } && !raid.legs.isEmpty)
        precondition(raid.legs.allSatisfy { $0.metadata.map(volumes.contains) ?? true })
        precondition(raid.type == "raid1" || raid.stripeByteCount >= 512)
        precondition(raid.dataCopies >= 2)
      case .zero, .error, .unsupported: break
      }
    }
    precondition(end * group.extentByteCount < 1 << 63 && end == volume.extentCount)
  }
  for snapshot in group.snapshots {
    precondition(volumes.contains(snapshot.store) && volumes.contains(snapshot.origin))
  }

  func check(_ place: VolumeGroup.Place, _ extentCount: UInt64) {
    switch place {
    case .physical(let name, let extent):
      guard let start = starts[name] else { preconditionFailure("no physical volume \(name)") }
      precondition(start + (extent + extentCount) * group.extentByteCount < 1 << 63)
    case .logical(let name, let extent):
      precondition(volumes.contains(name))
      precondition((extent + extentCount) * group.extentByteCount < 1 << 63)
    }
  }
}
