public import BlockIO

/// A reason why Linux does not reach the end of a table that it can read.
public enum TableError: CodedError, Equatable {
  /// Linux would crash: BUG_ON in `dm_consecutive_chunk_count_inc`.
  case kernelCrash(oldChunk: UInt64)
  /// So many exceptions share one bucket that Linux would walk its list for hours.
  case tooManyDuplicates(oldChunk: UInt64)
  /// An area that was readable before no longer is.
  case unreadable(BlockIOError)
  /// The table differs from that of the first walk.
  case changed

  /// Refused where Linux would do worse; otherwise, not finished.
  public var status: ExitStatus {
    switch self {
    case .kernelCrash, .tooManyDuplicates: .refused
    case .unreadable, .changed: .couldNotFinish
    }
  }

  /// All are problems of the table.
  public var code: String { "store.table" }

  public var description: String {
    switch self {
    case .kernelCrash(let oldChunk):
      "Linux would crash on the exception for old chunk \(oldChunk): its run has more than 256"
        + " chunks"
    case .tooManyDuplicates(let oldChunk):
      "so many exceptions contend for the bucket of old chunk \(oldChunk) that Linux would walk"
        + " them for hours"
    case .unreadable(let error): "\(error); the area could be read a moment ago"
    case .changed: "the table changed while it was read: something is writing to the store"
    }
  }
}
