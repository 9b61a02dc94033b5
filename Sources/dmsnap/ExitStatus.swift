import Blkid
import BlockIO
import LVM2
import SnapshotKit

/// The exit status; docs/exit-statuses.md is the contract.
enum ExitStatus: Int32 {
  case allWell = 0
  case warnings = 1
  case damage = 2
  case noStore = 3
  case refused = 4
  case couldNotFinish = 5
}

/// Why a command ends without a complete result.
struct Failure: Error {
  let status: ExitStatus
  /// The kind of failure, for programs: a refusal's code, or one of those in docs/json.md.
  let code: String
  /// One line for the user; nil if everything has been said.
  let message: String?
  /// What it is about, if known.
  let place: Place?

  /// A file, and some of its bytes.
  struct Place: Encodable {
    let path: String
    @Nullable var byteOffset: UInt64?
    @Nullable var byteCount: UInt64?
  }

  init(
    _ status: ExitStatus, _ message: String? = nil, code: String? = nil, at place: Place? = nil
  ) {
    self.status = status
    self.message = message
    self.code = code ?? status.code
    self.place = place
  }

  init(_ error: BlockIOError) {
    let place = Place(
      path: error.name, byteOffset: error.byteRange?.lowerBound,
      byteCount: error.byteRange.map { UInt64($0.count) })
    if error.isClosedPipe {
      self.init(.couldNotFinish, code: "output.closed")
      return
    }
    switch error.reason {
    case .refused: self.init(.refused, error.description, at: place)
    case .changed:
      self.init(.couldNotFinish, error.description, code: "input.changed", at: place)
    default:
      let code =
        error.operation == .size || error.operation == .seek ? "read" : "\(error.operation)"
      self.init(.couldNotFinish, error.description, code: "io.\(code)", at: place)
    }
  }

  /// - Parameter input: The arguments of the merge, for the advice on how to go on.
  init(_ error: MergeError, _ input: MergeInput? = nil) {
    switch error {
    case .refused(let refusal):
      self.init(.refused, refusal.description, code: refusal.code.rawValue)
    case .store(let cause): self = input?.found.store.failure(cause) ?? Failure(cause)
    case .volume(let cause): self.init(cause)
    case .content(let cause): self.init(cause)
    case .io(let cause): self.init(cause)
    case .verificationFailed(let byteOffset):
      self.init(
        .damage, error.description, code: "merge.verification-failed",
        at: Place(path: input?.origin?.text ?? "", byteOffset: byteOffset))
    case .cut(let cut):
      self.init(
        .couldNotFinish, "\(cut); \(cut.advice(undo: input?.undoCommand))",
        code: cut.cause == nil ? "merge.stopped" : "merge.cut")
    }
  }

  init(_ error: VolumeError) {
    switch error {
    case .noVolume: self.init(.noStore, error.description, code: "lvm.no-volume")
    case .noVersion: self.init(.noStore, error.description, code: "lvm.no-version")
    case .unsupported: self.init(.couldNotFinish, error.description, code: "lvm.not-supported")
    case .noLeg: self.init(.couldNotFinish, error.description, code: "lvm.no-leg")
    case .io(let cause): self.init(cause)
    }
  }

  init(_ error: BlkidError) {
    switch error {
    case .source(let cause): self.init(cause)
    case .library: self.init(.couldNotFinish, error.description, code: "io.probe")
    }
  }

  init(_ error: ContentError) {
    switch error {
    case .table(let cause): self.init(Self.status(of: cause), cause.description)
    case .probe(let cause): self.init(cause)
    case .io(let cause): self.init(cause)
    }
  }

  init(_ error: StoreError) {
    switch error {
    case .notAStore(let name, _):
      self.init(.noStore, error.description, code: "store.not-recognised", at: Place(path: name))
    case .noGeneration(let name, _, _):
      self.init(.noStore, error.description, code: "store.no-generation", at: Place(path: name))
    case .notLoadable(let name, _):
      self.init(.refused, error.description, code: "store.not-loadable", at: Place(path: name))
    case .table(let name, let cause):
      self.init(
        Self.status(of: cause), error.description, code: "store.table", at: Place(path: name))
    case .io(let cause): self.init(cause)
    }
  }

  private static func status(of error: TableError) -> ExitStatus {
    switch error {
    case .kernelCrash, .tooManyDuplicates: .refused
    case .unreadable, .changed: .couldNotFinish
    }
  }
}

extension ExitStatus {
  /// The code of a failure that has no code of its own.
  fileprivate var code: String {
    switch self {
    case .allWell: "ok"
    case .warnings: "in-doubt"
    case .damage: "damage"
    case .noStore: "not-found"
    case .refused: "refused"
    case .couldNotFinish: "could-not-finish"
    }
  }
}

/// Runs a library call and makes what it throws a failure of the command.
func failing<Result>(_ body: () throws(BlockIOError) -> Result) throws(Failure) -> Result {
  do throws(BlockIOError) { return try body() } catch { throw Failure(error) }
}

/// The same for merges.
func failingMerge<Result>(
  _ input: MergeInput? = nil, _ body: () throws(MergeError) -> Result
) throws(Failure) -> Result {
  do throws(MergeError) { return try body() } catch { throw Failure(error, input) }
}

/// The same for what must be a store.
func failingStore<Result>(_ body: () throws(StoreError) -> Result) throws(Failure) -> Result {
  do throws(StoreError) { return try body() } catch { throw Failure(error) }
}

/// The same for volumes of a group.
func failingVolume<Result>(_ body: () throws(VolumeError) -> Result) throws(Failure) -> Result {
  do throws(VolumeError) { return try body() } catch { throw Failure(error) }
}

/// The same for probes.
func failingProbe<Result>(_ body: () throws(BlkidError) -> Result) throws(Failure) -> Result {
  do throws(BlkidError) { return try body() } catch { throw Failure(error) }
}

/// The same for the content of snapshots.
func failingContent<Result>(_ body: () throws(ContentError) -> Result) throws(Failure) -> Result {
  do throws(ContentError) { return try body() } catch { throw Failure(error) }
}

extension MergeCut {
  /// How to go on.
  ///
  /// - Parameter undo: The command that undoes it.
  fileprivate func advice(undo: String?) -> String {
    switch stage {
    case .saving: "run the same command again"
    case .merging(undo: .some):
      "run the same command again to finish it; to undo: \(undo ?? "merge the undo file")"
    case .merging(nil): "run the same command again: it starts over, to the same result"
    }
  }
}
