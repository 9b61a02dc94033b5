package import BlockIO
internal import FileSystems
package import SnapshotKit
internal import Synchronization

/// A snapshot as it is served: its view, with lost bytes as the user chose.
///
/// Several threads may read it at a time. It writes nothing.
package final class ServedView: ForwardingSource {
  let view: SnapshotView
  /// The lost bytes, ascending.
  package let lost: [Range<UInt64>]
  private let policy: LossPolicy
  private let inputs: [FileSource]
  /// Reports a failure that puts everything served in doubt, once for each kind.
  private let tell: @Sendable (BlockIOError) -> Void
  private let met = Mutex<Met>(Met())

  /// The first failure of each kind.
  private struct Met {
    /// Lost bytes that were not known to be lost.
    var loss: BlockIOError?
    /// An input that was written.
    var change: BlockIOError?
  }

  /// The view of a snapshot.
  ///
  /// If exceptions are lost without a trace, its file systems are read to find the lost bytes.
  ///
  /// - Parameter tell: Called with the first newly found loss, and with the first change of an
  ///   input.
  package init(
    _ snapshot: Snapshot, _ policy: LossPolicy,
    tell: @escaping @Sendable (BlockIOError) -> Void = { _ in }
  ) throws {
    (self.policy, self.tell) = (policy, tell)
    view = snapshot.view
    inputs = view.files
    lost = try snapshot.lostBytes()
  }

  package var base: any BlockSource { view }

  /// Whether reading has found new losses.
  package var hasFoundLoss: Bool { met.withLock { $0.loss != nil } }

  /// The number of bytes of it that the store has.
  package var mappedByteCount: UInt64 { view.mappedByteCount }

  /// Reads bytes; fails if an input was detectably written since it was opened.
  package func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    // A request fails as a whole.
    if policy == .error, let first = losses(in: bytes).first { throw unreadable(first, bytes) }
    do throws(BlockIOError) {
      try forEachPiece(of: bytes) { (piece, isLost) throws(BlockIOError) in
        let place = range.lowerBound + Int(piece.lowerBound - byteOffset)
        if isLost {
          try fill(piece, into: buffer, at: place)
        } else {
          try read(piece, into: buffer, at: place)
        }
      }
      for input in inputs { try input.checkUnchanged() }
    } catch {
      // A truncated file fails before it is checked.
      if case .changed = error.reason { note(error, as: \.change) }
      throw error
    }
  }

  /// Whether an input was detectably written since it was opened.
  package func findsChange() -> Bool {
    do throws(BlockIOError) {
      for input in inputs { try input.checkUnchanged() }
    } catch {
      note(error, as: \.change)
    }
    return met.withLock { $0.change != nil }
  }

  /// Notes a failure of that kind, and reports the first.
  private func note(_ error: BlockIOError, as kind: WritableKeyPath<Met, BlockIOError?>) {
    let isNews = met.withLock { met in
      defer { met[keyPath: kind] = met[keyPath: kind] ?? error }
      return met[keyPath: kind] == nil
    }
    if isNews { tell(error) }
  }

  package func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range)
  }

  package func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    let index = lost.indexOfFirst(endingAfter: byteOffset)
    guard index < lost.count else { return try view.nextData(from: byteOffset) }
    let loss = max(lost[index].lowerBound, byteOffset)..<lost[index].upperBound
    guard loss.lowerBound > byteOffset, let data = try view.nextData(from: byteOffset),
      data.lowerBound < loss.lowerBound
    else { return loss }
    return data
  }

  package func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    policy == .error ? losses(in: range) : []
  }

  // MARK: - What is lost

  /// The lost bytes of a range, ascending.
  private func losses(in range: Range<UInt64>) -> [Range<UInt64>] {
    lost[lost.indexOfFirst(endingAfter: range.lowerBound)...]
      .prefix { $0.lowerBound < range.upperBound }
      .map { $0.clamped(to: range) }.filter { !$0.isEmpty }
  }

  /// Calls `body` with the pieces of a range that are lost, and those that are not, ascending.
  func forEachPiece<Failure: Error>(
    of range: Range<UInt64>, _ body: (Range<UInt64>, _ isLost: Bool) throws(Failure) -> Void
  ) throws(Failure) {
    var position = range.lowerBound
    for loss in losses(in: range) {
      if position < loss.lowerBound { try body(position..<loss.lowerBound, false) }
      try body(loss, true)
      position = loss.upperBound
    }
    if position < range.upperBound { try body(position..<range.upperBound, false) }
  }

  /// Reads bytes not known to be lost; the medium may still fail.
  private func read(
    _ bytes: Range<UInt64>, into buffer: IOBuffer, at place: Int
  ) throws(BlockIOError) {
    let error: BlockIOError
    do throws(BlockIOError) {
      return try view.read(at: bytes.lowerBound, into: buffer, place..<place + bytes.count)
    } catch let failure {
      guard failure.isUnreadableMedium else { throw failure }
      note(failure, as: \.loss)
      guard policy != .error else { throw failure }
      error = failure
    }
    var unread: [LostRange] = []
    try view.read(bytes, into: buffer, at: place, lost: &unread)
    for loss in unread {
      // The origin cannot take the place of itself.
      if policy == .origin, loss.reason == .originUnreadable { throw error }
      try fill(loss.range, into: buffer, at: place + Int(loss.range.lowerBound - bytes.lowerBound))
    }
  }

  /// Replaces lost bytes by the policy.
  private func fill(
    _ bytes: Range<UInt64>, into buffer: IOBuffer, at place: Int
  ) throws(BlockIOError) {
    let target = place..<place + bytes.count
    switch policy {
    case .error: throw unreadable(bytes, bytes)
    case .zero: buffer.zero(target)
    case .origin: try view.origin.read(at: bytes.lowerBound, into: buffer, target)
    case .pattern:
      let pattern = LossPolicy.patternBytes
      let phase = Int(bytes.lowerBound % UInt64(pattern.count))
      buffer.withMutableBytes(target) { span in
        for index in span.indices { span[index] = pattern[(phase + index) % pattern.count] }
      }
    }
  }

  private func unreadable(_ loss: Range<UInt64>, _ bytes: Range<UInt64>) -> BlockIOError {
    BlockIOError(name, .read, .missing("a lost part of the snapshot", loss), at: bytes)
  }
}

extension Snapshot {
  /// Its lost bytes, ascending: by its reading, by maps of bad sectors, and, if exceptions are lost
  /// without a trace, by its files and those of the origin.
  package func lostBytes() throws -> [Range<UInt64>] {
    let known = FileLosses(self, .snapshot, in: SnapshotPart(wholeOf: self))
    guard known.isAnyUnknown else { return known.ranges }
    // Without a readable file system there is no evidence.
    let lost = known.ranges + (try FileLosses.toldRanges(of: self))
    return lost.union
  }
}
