// volume VG/SNAPSHOT IMAGE PV...: writes what an LVM snapshot shows, read from its physical volumes.
import BlockIO
import LVM2
import SnapshotKit
import SystemPackage

let arguments = CommandLine.arguments
let disks = try arguments.dropFirst(3).map { try FileSource(path: FilePath($0)) }
let catalog = try VolumeCatalog(PhysicalVolumeSearch(disks).found)
guard let named = try catalog.volume(named: arguments[1]), let snapshot = named.snapshot else {
  fatalError("\(arguments[1]) is no snapshot")
}
let volume = try SnapshotVolume(snapshot, of: named.version, named.group)
guard let origin = volume.origin else { fatalError("\(named.text) has no origin") }
let shown = try Snapshot(Store(volume.store), of: origin)
let image = try OutputFile(path: FilePath(arguments[2]), byteCount: shown.view.byteCount)
for lost in try shown.export(to: image) { print(lost) }
try image.publish()
print("\(named.text): \(shown.view.byteCount) bytes")
