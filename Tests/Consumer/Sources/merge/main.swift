// merge STORE ORIGIN UNDO: makes the origin the snapshot, with a way back.
import BlockIO
import SnapshotKit
import SystemPackage

func merge(_ store: FilePath, into origin: FilePath, undo: FilePath) throws {
  let request = MergeRequest(
    of: Store(try FileSource(path: store)), into: .bytes(try FileSource(path: origin)),
    wayBack: .undo(undo))
  let merge = try request.checked(for: .merge)
  for note in merge.notes { print(note) }
  let outcome = try merge.merge()
  print("\(outcome.byteCount) bytes \(merge.isUndo ? "restored" : "merged")")
}

let paths = CommandLine.arguments.dropFirst().map { FilePath($0) }
do {
  try merge(paths[0], into: paths[1], undo: paths[2])
} catch MergeError.refused(let refusal) {
  print("refused, \(refusal.code.rawValue): \(refusal)")
}
