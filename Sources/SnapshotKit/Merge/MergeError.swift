public import BlockIO

/// Why a merge was not begun, or not finished.
public enum MergeError: Error, Sendable, CustomStringConvertible {
  /// Linux's own merge would stop half-way, or end with other data than the snapshot shows.
  case kernelWouldFail(store: String, MergeObstacle)
  /// The undo store that was named is not this merge's.
  case wrongUndo(String)
  /// The store is the undo store of another origin, or of a merge that never began.
  case notThisOrigin(String)
  /// The store and the target are one.
  case sameFile(String)
  /// There is less room than the undo store or the output needs.
  case noSpace(path: String, needed: UInt64, available: UInt64)
  /// What was read back is not what was written.
  case verificationFailed(byteOffset: UInt64)
  /// Reading or writing failed.
  case io(BlockIOError)

  /// Whether nothing was written to the target.
  public var isRefusal: Bool {
    switch self {
    case .kernelWouldFail, .wrongUndo, .notThisOrigin, .sameFile, .noSpace: true
    case .verificationFailed: false
    case .io(let error): if case .refused = error.reason { true } else { false }
    }
  }

  public var description: String {
    switch self {
    case .kernelWouldFail(let store, let obstacle):
      "\(store): \(obstacle); `--reading salvage` leaves out what cannot be right"
    case .wrongUndo(let why), .notThisOrigin(let why): why
    case .sameFile(let name): "\(name): is the store itself; a store is never written"
    case .noSpace(let path, let needed, let available):
      "\(path): needs \(needed) bytes, the file system has \(available)"
    case .verificationFailed(let byteOffset):
      "byte \(byteOffset): read back other data than was written"
    case .io(let error): error.description
    }
  }
}
