internal import BlockIO
package import SnapshotFormat

extension Store {
  /// The geometry and the extent of a table, if Linux loads it.
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

  /// The reason why Linux shows no table.
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
  /// The store, with its unreadable bytes taken from siblings.
  func reading(_ substitutes: [Substitute], _ geometry: StoreGeometry) -> Store {
    Store(SubstitutedSource(source, geometry, substitutes), in: surroundings)
  }
}
