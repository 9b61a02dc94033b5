internal import BlockIO
public import SnapshotFormat

/// A store that Linux loads, and its table by one reading.
public struct LoadedTable: Sendable {
  public let store: Store
  public let geometry: StoreGeometry
  public let extent: TableExtent
  public let table: ExceptionTable

  /// Reads the table of `store`.
  ///
  /// - Throws: When there is no store, or none whose snapshot Linux would show.
  public init(_ store: Store, reading: Reading) throws(StoreError) {
    let (geometry, extent) = try store.requireLoadable(reading)
    self.store = store
    self.geometry = geometry
    self.extent = extent
    do throws(TableError) {
      table = try ExceptionTable(store, geometry, extent, reading: reading)
    } catch {
      throw .table(store.source.name, error)
    }
  }

  /// The first reason for which Linux's own merge into an origin of that size would not end with
  /// what the snapshot shows, or nil.
  public func mergeObstacle(
    originByteCount: UInt64
  ) throws(StoreError) -> MergeObstacle? {
    do throws(TableError) {
      return try KernelMerge(table, originByteCount: originByteCount).obstacle(in: store, extent)
    } catch {
      throw .table(store.source.name, error)
    }
  }
}

extension Store {
  /// Where a table lies and how far it reaches, if Linux loads it.
  public func requireLoadable(
    _ reading: Reading
  ) throws(StoreError) -> (StoreGeometry, TableExtent) {
    let load = KernelLoad(self, reading: reading)
    guard load.verdict == .loads, let geometry, let extent = load.extent else {
      throw Auditor(self).audit().isStore
        ? .notLoadable(source.name, load) : .notAStore(source.name)
    }
    return (geometry, extent)
  }
}

/// Why there is no table to work with.
public enum StoreError: Error, Sendable, CustomStringConvertible {
  /// Nothing in the bytes speaks for a store.
  case notAStore(String)
  /// There is a store, but Linux would not show its snapshot.
  case notLoadable(String, KernelLoad)
  /// Linux does not get to the end of the table.
  case table(String, TableError)

  public var description: String {
    switch self {
    case .notAStore(let name): "\(name): no COW store here: neither a header nor areas of one"
    case .notLoadable(let name, let load):
      "\(name): Linux \(Self.words(load.verdict)): \(load.reason); `dmsnap audit` says what to do"
    case .table(let name, let error): "\(name): \(error)"
    }
  }

  private static func words(_ verdict: KernelLoad.Verdict) -> String {
    switch verdict {
    case .loads, .refuses: "refuses this store"
    case .invalid: "shows nothing of this snapshot"
    case .new: "would take this store for new"
    }
  }
}
