extension Snapshot {
  /// Compares the content of the snapshot and of its origin: whether the two belong together.
  public func checkOrigin() throws(StoreError) -> OriginCheck {
    try OriginCheck(view, hasInFlightChunks: loaded.findings.hasInFlightChunks)
  }
}
