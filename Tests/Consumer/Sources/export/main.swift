// export STORE ORIGIN IMAGE: writes the snapshot as a raw image.
import BlockIO
import SnapshotKit
import SystemPackage

let paths = CommandLine.arguments.dropFirst().map { FilePath($0) }
let store = Store(try FileSource(path: paths[0]))
let snapshot = try Snapshot(store, of: FileSource(path: paths[1]))
if let contradiction = try snapshot.checkOrigin().contradiction {
  print("the origin \(contradiction)")
}
let image = try OutputFile(path: paths[2], byteCount: snapshot.view.byteCount)
for lost in try snapshot.lost + snapshot.export(to: image) {
  print(lost)
}
try image.publish()
