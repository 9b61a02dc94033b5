public import BlockIO
public import LVM2

/// A reason why a merge was not begun, or not finished.
public enum MergeError: CodedError {
  /// A check refused it; nothing was written to the origin.
  case refused(MergeRefusal)
  /// There is no table to merge, or its content cannot be examined.
  case store(StoreError)
  /// The volume cannot be mapped.
  case volume(VolumeError)
  /// Data read back from the origin of that name differs from the data written.
  case verificationFailed(String, byteOffset: UInt64)
  /// Reading failed before anything was written.
  case io(BlockIOError)
  /// The merge had begun.
  case cut(MergeCut)

  /// A refusal of that kind if the error is one of the system's or ours, otherwise the error.
  init(_ error: BlockIOError, as code: MergeRefusalCode) {
    self =
      if case .refused = error.reason { .refused(MergeRefusal(code, error.description)) } else {
        .io(error)
      }
  }

  /// Refused, damaged, or not finished.
  public var status: ExitStatus {
    switch self {
    case .refused: .refused
    case .store(let error): error.status
    case .volume(let error): error.status
    case .verificationFailed: .damage
    case .io(let error): error.status
    case .cut: .couldNotFinish
    }
  }

  /// `merge.` and the kind, or that of the cause.
  public var code: String {
    switch self {
    case .refused(let refusal): refusal.code.rawValue
    case .store(let error): error.code
    case .volume(let error): error.code
    case .verificationFailed: "merge.verification-failed"
    case .io(let error): error.code
    case .cut(let cut): cut.cause == nil ? "merge.stopped" : "merge.cut"
    }
  }

  /// The place of a failure to read, or of other data than was written.
  public var place: ErrorPlace? {
    switch self {
    case .refused, .cut: nil
    case .store(let error): error.place
    case .volume(let error): error.place
    case .verificationFailed(let name, let byteOffset): ErrorPlace(name, byteOffset: byteOffset)
    case .io(let error): error.place
    }
  }

  /// Place, kind and cause, in one line.
  public var description: String {
    switch self {
    case .refused(let refusal): refusal.description
    case .store(let error): error.description
    case .volume(let error): error.description
    case .verificationFailed(let name, let byteOffset):
      "\(name): byte \(byteOffset): the data read back differs from the data written"
    case .io(let error): error.description
    case .cut(let cut): cut.description
    }
  }
}

/// An interrupted merge, and how to go on.
public struct MergeCut: Sendable, CustomStringConvertible {
  /// The stage of a merge.
  public enum Stage: Sendable {
    /// The undo store was being saved; the origin is unchanged.
    case saving
    /// The origin may be partly as before and partly as after. The undo store of that name has its
    /// old data, if there is one.
    case merging(undo: String?)
  }

  /// The failure; nil if the merge was asked to stop.
  public let cause: BlockIOError?
  /// The stage that it had reached.
  public let stage: Stage
  /// The origin's name.
  public let origin: String

  public var description: String {
    let why = cause.map { "\($0)" } ?? "stopped as asked"
    return switch stage {
    case .saving: "\(why); \(origin) was not touched"
    case .merging(let undo?):
      "\(why); \(origin) is partly merged, and \(undo) has all its old data"
    case .merging(nil): "\(why); \(origin) is partly merged"
    }
  }
}
