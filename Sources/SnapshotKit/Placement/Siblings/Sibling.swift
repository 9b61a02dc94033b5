internal import BlockIO
internal import SnapshotFormat

/// Another snapshot of the same origin: the content of its store, in the order of copying.
public struct Sibling: Sendable {
  /// Its store.
  let store: any BlockSource
  /// Where its chunks are.
  let geometry: StoreGeometry
  /// Its exceptions, ascending by new chunk.
  let runs: [ExceptionRun]
  /// Whether these are all that it ever had.
  let isComplete: Bool

  /// A sibling of those exceptions; those that cannot be are left out.
  ///
  /// - Parameter runs: Its exceptions, each old chunk once.
  init(
    _ store: any BlockSource, _ geometry: StoreGeometry, _ runs: [ExceptionRun], isComplete: Bool
  ) {
    self.store = store
    self.geometry = geometry
    var (kept, end, isWhole): ([ExceptionRun], UInt64, Bool) = ([], 0, true)
    for run in runs.sorted(by: { ($0.new, $0.old) < ($1.new, $1.old) }) {
      let (last, overflow) = run.new.addingReportingOverflow(run.count - 1)
      // A kernel's reading validates nothing.
      guard run.new >= end, !overflow, last < geometry.wholeChunkCount,
        AreaLaw.canExist(run.lastOld, last)
      else {
        isWhole = false
        continue
      }
      kept.append(run)
      end = last + 1
    }
    self.runs = kept
    self.isComplete = isComplete && isWhole
  }
}
