public import Blkid
public import BlockIO

/// A reason why there is no table to work with, or why its content cannot be examined.
public enum StoreError: CodedError {
  /// Nothing indicates a store, or the path is something else, if known.
  case notAStore(String, OtherContent?)
  /// Nothing indicates a store, but so many of its bytes cannot be read that there may be one.
  case nothingLeft(String, unreadByteCount: UInt64, byteCount: UInt64)
  /// There is a store, but Linux would not show its snapshot.
  case notLoadable(String, KernelLoad)
  /// Linux does not reach the end of the table.
  case table(String, TableError)
  /// There are fewer generations.
  case noGeneration(String, Int, count: Int)
  /// libblkid could not look into the snapshot, or into its origin.
  case probe(BlkidError)
  /// The medium cannot be read at all.
  case io(BlockIOError)

  /// Not found, refused, damaged or not finished.
  public var status: ExitStatus {
    switch self {
    case .notAStore, .noGeneration: .noStore
    case .nothingLeft: .damage
    case .notLoadable: .refused
    case .table(_, let error): error.status
    case .probe(let error): error.status
    case .io(let error): error.status
    }
  }

  /// `store.` and the kind, `damage` where nothing is left, or that of the cause.
  public var code: String {
    switch self {
    case .notAStore: "store.not-recognised"
    case .nothingLeft: "damage"
    case .notLoadable: "store.not-loadable"
    case .table(_, let error): error.code
    case .noGeneration: "store.no-generation"
    case .probe(let error): error.code
    case .io(let error): error.code
    }
  }

  /// The store, or where reading failed.
  public var place: ErrorPlace? {
    switch self {
    case .notAStore(let name, _), .nothingLeft(let name, _, _), .notLoadable(let name, _),
      .table(let name, _), .noGeneration(let name, _, _):
      ErrorPlace(name)
    case .probe(let error): error.place
    case .io(let error): error.place
    }
  }

  /// Place, kind and cause, in one line.
  public var description: String {
    switch self {
    case .notAStore(let name, let content?):
      "\(name): no COW store here, but \(content): \(content.advice)"
    case .notAStore(let name, nil):
      "\(name): no COW store here: neither a header nor areas of one"
    case .nothingLeft(let name, let unread, let byteCount):
      "\(name): nothing is left of its table: \(unread) of \(byteCount) bytes cannot be read"
    case .notLoadable(let name, let load):
      "\(name): Linux \(Self.words(load.verdict)): \(load.reason); `--reading salvage` reads the"
        + " rest, `dmsnap inspect` says what to do"
    case .table(let name, let error): "\(name): \(error)"
    case .noGeneration(let name, let index, let count):
      "\(name): there is no generation \(index): "
        + (count == 0 ? "nothing was copied to this store" : "the oldest is \(count - 1)")
    case .probe(let error): error.description
    case .io(let error): error.description
    }
  }

  private static func words(_ verdict: KernelLoad.Verdict) -> String {
    switch verdict {
    case .loads, .refuses: "refuses this store"
    case .invalid: "shows nothing of this snapshot"
    case .new: "would treat this store as new"
    }
  }
}

extension Store {
  /// The error to report when examining the store ends with `error`.
  ///
  /// If the file is changing, or sectors cannot be read, finding nothing proves nothing.
  package func explained(_ error: StoreError) -> StoreError {
    do throws(BlockIOError) { try source.checkUnchanged() } catch { return .io(error) }
    switch error {
    case .notAStore, .noGeneration(_, _, count: 0):
      let unread = source.knownUnreadable(in: 0..<source.byteCount).totalCount
      return unread == 0
        ? error
        : .nothingLeft(source.name, unreadByteCount: unread, byteCount: source.byteCount)
    default: return error
    }
  }

  /// The error to report when reading its table ends with `error`.
  package func explained(table error: TableError) -> StoreError {
    explained(.table(source.name, error))
  }
}
