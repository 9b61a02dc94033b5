internal import BlockIO
internal import SnapshotFormat

/// Another snapshot of the same origin: what its store holds, in the order in which it was copied.
public struct Sibling: Sendable {
  /// Its store.
  let store: any BlockSource
  /// Where its chunks are.
  let geometry: StoreGeometry
  /// Its exceptions, ascending by new chunk.
  let runs: [ExceptionRun]
  /// Whether these are all that it ever had.
  let isComplete: Bool

  /// - Parameter runs: Its exceptions, each old and new chunk once.
  init(
    _ store: any BlockSource, _ geometry: StoreGeometry, _ runs: [ExceptionRun], isComplete: Bool
  ) {
    self.store = store
    self.geometry = geometry
    self.runs = runs.sorted { $0.new < $1.new }
    self.isComplete = isComplete
  }
}
