// volume SNAPSHOT IMAGE PV...: writes what an LVM snapshot shows, read from its physical volumes.
import BlockIO
import LVM2
import SnapshotKit
import SystemPackage

let arguments = CommandLine.arguments
let disks = try arguments.dropFirst(3).map { try FileSource(path: FilePath($0)) }
let catalog = try VolumeCatalog(PhysicalVolumeSearch(disks).found)
for found in catalog.groups {
  for snapshot in found.group.snapshots where snapshot.store == arguments[1] {
    let volume = try SnapshotVolume(snapshot, of: found.group, found)
    guard let origin = volume.origin else { continue }
    let shown = try Snapshot(Store(volume.store), of: origin)
    let image = try OutputFile(path: FilePath(arguments[2]), byteCount: shown.view.byteCount)
    for lost in try shown.export(to: image) { print(lost) }
    try image.publish()
    print("\(found.group.name)/\(snapshot.store): \(shown.view.byteCount) bytes")
  }
}
