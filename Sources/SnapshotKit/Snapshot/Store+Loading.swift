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

extension Sibling {
  /// The snapshot of the same origin that `store` holds, healthy or broken.
  public init(_ store: Store) throws(StoreError) {
    let load = KernelLoad(store, reading: .kernel)
    if load.verdict == .loads {
      let loaded = try LoadedTable(store, reading: .kernel)
      self.init(store.source, loaded.geometry, loaded.table.runs, isComplete: true)
    } else {
      let plan = try SalvagePlan(store)
      let generation = try plan.generation(0)
      self.init(
        plan.store.source, plan.geometry, generation.runs, isComplete: generation.isComplete)
    }
  }
}

extension Store {
  /// The store, with what cannot be read taken from siblings.
  func reading(_ substitutes: [Substitute], _ geometry: StoreGeometry) -> Store {
    Store(SubstitutedSource(source, geometry, substitutes), in: surroundings)
  }
}
