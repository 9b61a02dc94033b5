public import BlockIO
internal import Synchronization
internal import SystemPackage

/// What befalls a run, once.
public enum Interruption: Sendable {
  /// The power goes out during the write or flush that follows so many of them.
  case powerCut(afterOperations: Int)
  /// The process is killed during that write or flush; what it wrote stays in the cache.
  case kill(afterOperations: Int)
  /// That write or flush fails, and the process goes on.
  case failure(afterOperations: Int, BlockIOError.Reason)
  /// The read that follows so many reads fails, and the process goes on.
  case failedRead(afterReads: Int, BlockIOError.Reason)

  /// Whether the process ends with it.
  public var isCrash: Bool {
    switch self {
    case .powerCut, .kill: true
    case .failure, .failedRead: false
    }
  }
}

/// The power of a machine and the life of a process on it, which all its disks share.
///
/// The disks may be used by several threads.
public final class PowerSupply: Sendable {
  private struct Progress {
    var operationCount = 0
    var readCount = 0
    var isOut = false
  }

  /// What becomes of a write or flush.
  enum Course {
    /// It is done.
    case done
    /// The power goes out while it is under way: as much of it as the cut's fate says is done.
    case cut
    /// The process is killed while it is under way: it is done up to a point, and nobody hears of it.
    case killed
    /// It fails, done up to a point.
    case failed(BlockIOError.Reason)
    /// It is not even begun.
    case never
  }

  private let interruption: Interruption?
  private let seed: UInt64
  /// Whether the disks say that they have flushed, and have not.
  let ignoringFlushes: Bool
  private let progress = Mutex(Progress())

  /// Power that lasts until that interruption.
  ///
  /// - Parameter seed: Decides how far a write gets that is not done, and what a failed flush does.
  public init(
    _ interruption: Interruption? = nil, seed: UInt64 = 0, ignoringFlushes: Bool = false
  ) {
    self.interruption = interruption
    self.seed = seed
    self.ignoringFlushes = ignoringFlushes
  }

  /// How many writes and flushes were begun.
  public var operationCount: Int { progress.withLock { $0.operationCount } }

  /// How many reads were begun.
  public var readCount: Int { progress.withLock { $0.readCount } }

  /// Whether the interruption has come.
  public var wasInterrupted: Bool {
    progress.withLock { progress in
      switch interruption {
      case nil: false
      case .powerCut(let count), .kill(let count), .failure(let count, _):
        progress.operationCount > count
      case .failedRead(let count, _): progress.readCount > count
      }
    }
  }

  /// Whether the power, or the process, is gone.
  public var isOut: Bool { progress.withLock { $0.isOut } }

  /// Begins a write or a flush.
  func beginOperation() -> Course {
    progress.withLock { progress in
      if progress.isOut { return .never }
      progress.operationCount += 1
      switch interruption {
      case .powerCut(progress.operationCount - 1):
        progress.isOut = true
        return .cut
      case .kill(progress.operationCount - 1):
        progress.isOut = true
        return .killed
      case .failure(progress.operationCount - 1, let reason): return .failed(reason)
      default: return .done
      }
    }
  }

  /// Begins a read: why it fails, if it does.
  func beginRead() -> BlockIOError.Reason? {
    progress.withLock { progress in
      if progress.isOut { return .system(.ioError) }
      progress.readCount += 1
      if case .failedRead(progress.readCount - 1, let reason) = interruption { return reason }
      return nil
    }
  }

  /// What an operation that is not done does nevertheless.
  var chance: SplitMix64 { SplitMix64(seed: seed) }
}
