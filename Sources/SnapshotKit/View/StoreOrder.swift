internal import BlockIO
internal import SnapshotFormat

/// The order in which a merge goes through a table: that of the store.
///
/// Linux allocated the store's chunks in order, so it is read from beginning to end; the windows
/// are then written in the order of the origin.
struct StoreOrder: Sendable {
  private let view: SnapshotView
  /// The table's runs in the order of their new chunks; nil if that is the table's order.
  ///
  /// Eight bytes each: the new chunk, and in the low half the run's number.
  private let order: [UInt64]?

  init(_ view: SnapshotView) {
    self.view = view
    let runs = view.table.runs
    var isAscending = true
    for index in runs.indices.dropFirst() where runs[index].new < runs[index - 1].new {
      isAscending = false
      break
    }
    // More than 2^32 runs would be a hundred gigabytes; they keep their own order.
    guard !isAscending, runs.count < 1 << 32 else {
      order = nil
      return
    }
    var order: [UInt64] = []
    order.reserveCapacity(runs.count)
    for (number, run) in runs.enumerated() {
      order.append(min(run.new, 1 << 32 - 1) << 32 | UInt64(number))
    }
    var span = order.mutableSpan
    span.radixSort { $0 }
    self.order = order
  }

  /// Calls `body` with every segment of the view that comes from the store.
  func forEachSegment<Failure: Error>(
    _ body: (SnapshotView.Segment) throws(Failure) -> Void
  ) throws(Failure) {
    let runs = view.table.runs
    for position in runs.indices {
      let run = runs[order.map { Int($0[position] & 0xffff_ffff) } ?? position]
      guard let bytes = view.bytes(of: run) else { continue }
      try view.forEachSegment(in: bytes, body)
    }
  }
}
