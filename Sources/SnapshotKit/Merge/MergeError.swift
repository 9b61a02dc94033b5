public import BlockIO

/// Why a merge was not begun, or not finished.
public enum MergeError: Error, Sendable, CustomStringConvertible {
  /// Linux's own merge would stop half-way, or end with other data than the snapshot shows.
  case kernelWouldFail(store: String, MergeObstacle)
  /// The undo store that was named is not this merge's.
  case wrongUndo(String)
  /// The store is the undo store of another origin, or of a merge that never began.
  case notThisOrigin(String)
  /// What the origin holds speaks against its being the store's.
  case contradiction(OriginContradiction, origin: String)
  /// The plan that was named is another one's, or the origin is not as it was planned for.
  case wrongPlan(String)
  /// The store and the target share bytes.
  case sameFile(String)
  /// There is less room than the undo store or the output needs.
  case noSpace(path: String, needed: UInt64, available: UInt64)
  /// What was read back is not what was written.
  case verificationFailed(byteOffset: UInt64)
  /// Reading failed before anything was written.
  case io(BlockIOError)
  /// The merge had begun.
  case cut(MergeCut)

  /// Whether nothing was written to the target.
  public var isRefusal: Bool {
    switch self {
    case .kernelWouldFail, .wrongUndo, .notThisOrigin, .contradiction, .wrongPlan, .sameFile,
      .noSpace:
      true
    case .verificationFailed, .cut: false
    case .io(let error): if case .refused = error.reason { true } else { false }
    }
  }

  public var description: String {
    switch self {
    case .kernelWouldFail(let store, let obstacle):
      "\(store): \(obstacle); `--reading salvage` leaves out what cannot be right"
    case .wrongUndo(let why), .notThisOrigin(let why), .wrongPlan(let why): why
    case .contradiction(let contradiction, let origin):
      "\(origin): \(contradiction); `--accept unrelated-origin` merges nevertheless"
    case .sameFile(let name): "\(name): is the store itself; a store is never written"
    case .noSpace(let path, let needed, let available):
      "\(path): needs \(needed) bytes, the file system has \(available)"
    case .verificationFailed(let byteOffset):
      "byte \(byteOffset): read back other data than was written"
    case .io(let error): error.description
    case .cut(let cut): cut.description
    }
  }
}

/// A merge that ended before its end, and how to go on.
public struct MergeCut: Sendable, CustomStringConvertible {
  /// How far it had come.
  public enum Stage: Sendable {
    /// It was saving what it would overwrite; the origin is as it was.
    case saving
    /// The origin may be in part as before and in part as after. What it was before is in the undo
    /// store of that name, if there is one.
    case merging(undo: String?)
  }

  /// What failed, or nil when someone asked it to stop.
  public let cause: BlockIOError?
  public let stage: Stage
  /// The origin's name.
  public let origin: String

  public var description: String {
    let why = cause.map { "\($0)" } ?? "stopped as asked"
    return switch stage {
    case .saving: "\(why); \(origin) was not touched"
    case .merging(let undo?):
      "\(why); \(origin) is merged in part, and \(undo) has all that it was before"
    case .merging(nil): "\(why); \(origin) is merged in part"
    }
  }
}
