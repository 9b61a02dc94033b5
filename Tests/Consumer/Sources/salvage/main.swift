// salvage STORE NEW: makes a valid store of what a broken one still has.
import BlockIO
import SnapshotKit
import SystemPackage

let paths = CommandLine.arguments.dropFirst().map { FilePath($0) }
let plan = try SalvagePlan(Store(try FileSource(path: paths[0])))
let loaded = try LoadedTable(plan, generation: 0)
let writer = StoreWriter(loaded)
let output = try OutputFile(path: paths[1], byteCount: writer.byteCount)
let unread = try writer.write(to: output) { _, _ in }
try output.publish()
for finding in loaded.findings {
  print("\(finding.severity) \(finding.code.rawValue): \(finding.found)")
}
for lost in loaded.lostRanges(originByteCount: .max).merged(with: unread) {
  print(lost)
}
print("\(loaded.exceptionCount) exceptions, \(loaded.isComplete ? "all" : "not all") of them")
