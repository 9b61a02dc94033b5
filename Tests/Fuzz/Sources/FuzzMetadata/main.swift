import BlockIO
import Fuzzing
import LVM2

/// Takes the bytes for a text of metadata, and holds a group against what its readers rely on.
fuzz { bytes in
  let text = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  do throws(MetadataTextError) {
    let group = try VolumeGroup(parsing: text)
    check(group)
    read(group, from: nil)
    read(group, from: MemorySource([UInt8](repeating: 1, count: 65536)))
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

/// Maps the volumes of a group whose physical volumes are all missing, or all so short, and reads a
/// few places of each.
func read(_ group: VolumeGroup, from device: MemorySource?) {
  _ = group.allocations
  let mapper = VolumeMapper(group) { _ in device }
  let buffer = IOBuffer(byteCount: 65536)
  for volume in group.logicalVolumes {
    guard let source = try? mapper.source(of: volume.name) else { continue }
    precondition(source.byteCount == volume.extentCount * group.extentByteCount)
    for start in [0, source.byteCount / 2, source.byteCount - min(source.byteCount, 65536)] {
      let count = min(65536, source.byteCount - start)
      let lost = source.knownUnreadable(in: start..<start + count)
      guard let around = try? source.readAround(at: start, into: buffer, 0..<Int(count)) else {
        preconditionFailure("what is missing or short is no other failure")
      }
      precondition(lost.totalCount == around.totalCount)
      guard let data = try? source.nextData(from: start) else { continue }
      precondition(data.lowerBound >= start && !data.isEmpty)
    }
  }
}

extension [Range<UInt64>] {
  var totalCount: UInt64 { reduce(0) { $0 + ($1.upperBound - $1.lowerBound) } }
}
