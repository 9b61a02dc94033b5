// table STORE: prints the exceptions of a store, as runs.
import BlockIO
import SnapshotKit
import SystemPackage

let store = Store(try FileSource(path: FilePath(CommandLine.arguments[1])))
let loaded = try LoadedTable(store, reading: .kernel)
for run in loaded.table.runs {
  print("\(run.old) \(run.new) \(run.count)")
}
