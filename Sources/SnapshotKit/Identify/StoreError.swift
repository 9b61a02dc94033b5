public import BlockIO

/// Why there is no table to work with.
public enum StoreError: Error, Sendable, CustomStringConvertible {
  /// Nothing indicates a store, or the path is something else, if known.
  case notAStore(String, OtherContent?)
  /// There is a store, but Linux would not show its snapshot.
  case notLoadable(String, KernelLoad)
  /// Linux does not reach the end of the table.
  case table(String, TableError)
  /// There are fewer generations.
  case noGeneration(String, Int, count: Int)
  /// The medium cannot be read at all.
  case io(BlockIOError)

  public var description: String {
    switch self {
    case .notAStore(let name, let content?):
      "\(name): no COW store here, but \(content): \(content.advice)"
    case .notAStore(let name, nil):
      "\(name): no COW store here: neither a header nor areas of one"
    case .notLoadable(let name, let load):
      "\(name): Linux \(Self.words(load.verdict)): \(load.reason);"
        + " `--reading salvage` reads what is there, `dmsnap inspect` says what to do"
    case .table(let name, let error): "\(name): \(error)"
    case .noGeneration(let name, let index, let count):
      "\(name): there is no generation \(index): "
        + (count == 0 ? "nothing was copied to this store" : "the oldest is \(count - 1)")
    case .io(let error): error.description
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
