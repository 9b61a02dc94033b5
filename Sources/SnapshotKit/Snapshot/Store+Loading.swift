internal import BlockIO
public import SnapshotFormat

extension Store {
  /// Where a table is and how far it reaches, if Linux loads it.
  public func requireLoadable(
    _ reading: Reading
  ) throws(StoreError) -> (StoreGeometry, TableSummary) {
    let load = KernelLoad(self, reading: reading)
    guard load.verdict == .loads, let geometry, let extent = load.extent else {
      let geometry = InferredGeometry(self).geometry
      let content = OtherContent.contradicting(self, geometry)
      throw (geometry == nil || content != nil) && !isRecognised
        ? .notAStore(source.name, content) : .notLoadable(source.name, load)
    }
    return (geometry, extent)
  }
}
