internal import BlockIO

extension LoadedTable {
  /// The first reason why Linux's own merge into an origin of that size would not end with the
  /// snapshot's content; nil if there is none.
  package func mergeObstacle(
    originByteCount: UInt64
  ) throws(StoreError) -> MergeObstacle? {
    guard let extent else { return nil }
    return try wrapping(
      store.explained(table:),
      try KernelMerge(table, originByteCount: originByteCount).obstacle(in: store, extent))
  }
}
