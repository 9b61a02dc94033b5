import BlockIO
import Testing

@testable import LVM2

/// The parts of a snapshot.
@Suite struct SnapshotVolumeTests {
  private func snapshot(extentCount: UInt64) throws -> SnapshotVolume {
    var group = try VolumeGroup(parsing: Array(SampleText.small.utf8))
    group.snapshots[0].extentCount = extentCount
    let found = FoundVolumeGroup(group: group, text: nil, problems: [], members: [:], areas: [])
    return try SnapshotVolume(group.snapshots[0], of: group, found)
  }

  @Test func `a snapshot does not grow with its origin`() throws {
    let group = try VolumeGroup(parsing: Array(SampleText.small.utf8))
    for extentCount: UInt64 in [1, 5, 6, 7, 10] {
      let snapshot = try snapshot(extentCount: extentCount)
      #expect(snapshot.origin?.byteCount == extentCount * group.extentByteCount)
      #expect(snapshot.store.byteCount == 3 * group.extentByteCount)
    }
    for wild: UInt64 in [0, 11, .max] {
      #expect(try snapshot(extentCount: wild).origin?.byteCount == 10 * group.extentByteCount)
    }
  }

  @Test func `an origin that is not read leaves the store alone`() throws {
    var group = try VolumeGroup(parsing: Array(SampleText.small.utf8))
    group.logicalVolumes[0].segments[0].mapping = .unsupported(type: "thin")
    let found = FoundVolumeGroup(group: group, text: nil, problems: [], members: [:], areas: [])
    let snapshot = try SnapshotVolume(group.snapshots[0], of: group, found)
    #expect(snapshot.origin == nil && snapshot.originError != nil)
    #expect(snapshot.volume?.name == "snap" && snapshot.siblings.isEmpty)
  }
}
