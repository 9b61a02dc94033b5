// merge STORE ORIGIN UNDO: makes the origin the snapshot, with a way back.
import BlockIO
import SnapshotKit
import SystemPackage

let paths = CommandLine.arguments.dropFirst().map { FilePath($0) }
let request = MergeRequest(
  of: Store(try FileSource(path: paths[0])), into: .bytes(try FileSource(path: paths[1])),
  wayBack: .undo(paths[2]))
do {
  let merge = try request.checked(for: .merge)
  for note in merge.notes { print(note) }
  let outcome = try merge.merge()
  print("\(outcome.byteCount) bytes \(merge.isUndo ? "restored" : "merged")")
} catch MergeError.refused(let refusal) {
  print("refused, \(refusal.code.rawValue): \(refusal)")
}
