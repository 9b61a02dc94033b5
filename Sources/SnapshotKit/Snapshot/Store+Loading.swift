internal import BlockIO
package import SnapshotFormat

extension Store {
  /// Where a table is and how far it reaches, if Linux loads it.
  package func requireLoadable(
    _ reading: Reading
  ) throws(StoreError) -> (StoreGeometry, TableSummary) {
    let load = KernelLoad(self, reading: reading)
    guard load.verdict == .loads, let geometry, let extent = load.extent else {
      let geometry = InferredGeometry(self).geometry
      throw loadError(load, geometry, OtherContent.contradicting(self, geometry))
    }
    return (geometry, extent)
  }

  /// Why there is no table that Linux shows.
  func loadError(
    _ load: KernelLoad, _ geometry: StoreGeometry?, _ content: OtherContent?
  ) -> StoreError {
    explained(
      (geometry == nil || content != nil) && !isRecognised
        ? .notAStore(source.name, content) : .notLoadable(source.name, load))
  }
}
