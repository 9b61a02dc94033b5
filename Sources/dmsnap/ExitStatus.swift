import Blkid
import BlockIO
import LVM2
import SnapshotKit

/// What the exit status says; docs/exit-statuses.md is the contract.
enum ExitStatus: Int32 {
  case allWell = 0
  case warnings = 1
  case damage = 2
  case noStore = 3
  case refused = 4
  case couldNotFinish = 5
}

/// Why a command ends without, or with less than, what it was asked for.
struct Failure: Error {
  let status: ExitStatus
  /// One line for a person; none where all has been said.
  let message: String?

  init(_ status: ExitStatus, _ message: String? = nil) {
    self.status = status
    self.message = message
  }

  init(_ error: BlockIOError) {
    if error.isClosedPipe {
      self.init(.couldNotFinish)
    } else if case .refused = error.reason {
      self.init(.refused, error.description)
    } else {
      self.init(.couldNotFinish, error.description)
    }
  }

  /// - Parameter input: What the merge was asked to do, by which it is said how to go on.
  init(_ error: MergeError, _ input: MergeInput? = nil) {
    switch error {
    case .refused(let refusal): self.init(.refused, refusal.description)
    case .store(let cause): self = input?.found.store.failure(cause) ?? Failure(cause)
    case .volume(let cause): self.init(cause)
    case .content(let cause): self.init(cause)
    case .io(let cause): self.init(cause)
    case .verificationFailed: self.init(.damage, error.description)
    case .cut(let cut):
      self.init(.couldNotFinish, "\(cut); \(cut.advice(undo: input?.undoCommand))")
    }
  }

  init(_ error: VolumeError) {
    switch error {
    case .noVolume, .noVersion: self.init(.noStore, error.description)
    case .unsupported, .noLeg: self.init(.couldNotFinish, error.description)
    case .io(let cause): self.init(cause)
    }
  }

  init(_ error: BlkidError) {
    switch error {
    case .source(let cause): self.init(cause)
    case .library: self.init(.couldNotFinish, error.description)
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
    case .notAStore, .noGeneration: self.init(.noStore, error.description)
    case .notLoadable: self.init(.refused, error.description)
    case .table(_, let cause): self.init(Self.status(of: cause), error.description)
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

/// The same for probes of what something holds.
func failingProbe<Result>(_ body: () throws(BlkidError) -> Result) throws(Failure) -> Result {
  do throws(BlkidError) { return try body() } catch { throw Failure(error) }
}

/// The same for looks at what a snapshot holds.
func failingContent<Result>(_ body: () throws(ContentError) -> Result) throws(Failure) -> Result {
  do throws(ContentError) { return try body() } catch { throw Failure(error) }
}

extension MergeCut {
  /// How to go on.
  ///
  /// - Parameter undo: The command that takes it back.
  fileprivate func advice(undo: String?) -> String {
    switch stage {
    case .saving: "the same command goes on"
    case .merging(undo: .some):
      "the same command goes on; to undo: \(undo ?? "merge the undo file")"
    case .merging(nil): "the same command does it again, and ends as if it had not been cut"
    }
  }
}
