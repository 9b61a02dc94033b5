package import BlockIO
internal import SnapshotFormat

// A merge that writes only chunks that differ: fewer writes, and a smaller undo store.

extension SnapshotView {
  /// The view without those chunks of its table that the origin already holds.
  ///
  /// Chunks that cannot be compared stay in it. The comparison reads a target's medium: the cache
  /// may hold the data of a merge whose flush failed, and that will not be written again.
  func skippingIdentical(
    progress: ProgressHandler = { _, _ in }
  ) throws(BlockIOError) -> SnapshotView {
    var chunks: [Range<UInt64>] = []
    let medium = (origin as? any BlockTarget)?.readingBack().first ?? origin
    let diff = try SnapshotDiff(self, medium, progress: progress) { range in
      chunks.append(joining: table.geometry.chunks(of: range))
    }
    if diff.lost.isEmpty { return restricted(to: chunks) }
    chunks += diff.lost.map { table.geometry.chunks(of: $0.range) }
    return restricted(to: chunks.union)
  }

  /// The view with only those chunks of its table that an undo store has saved: those that an
  /// interrupted merge that skipped identical chunks had set out to write.
  ///
  /// - Returns: nil if `file` is no completely saved undo store.
  func restricted(toUndo file: any BlockSource) throws(StoreError) -> SnapshotView? {
    guard let saved = try ExceptionTable(savedIn: file) else { return nil }
    return restricted(to: saved.runs.map { $0.old..<$0.oldEnd })
  }

  /// The first byte of the view that differs from the origin, or cannot be compared, in chunks that
  /// an undo store did not save; nil if a merge was right to skip them.
  package func firstDifference(
    besidesUndo file: any BlockSource
  ) throws(StoreError) -> UInt64? {
    let saved = try ExceptionTable(savedIn: file)?.runs ?? []
    var gaps: [Range<UInt64>] = []
    var position: UInt64 = 0
    for run in saved {
      if position < run.old { gaps.append(position..<run.old) }
      position = max(position, run.oldEnd)
    }
    if position < .max { gaps.append(position..<(.max)) }
    let rest = restricted(to: gaps)
    var first: UInt64?
    let diff = try wrapping(
      StoreError.io, try SnapshotDiff(rest, origin) { range in first = first ?? range.lowerBound })
    return first ?? diff.lost.first?.range.lowerBound
  }

  /// The origin as it was before a merge that saved it in an undo store.
  ///
  /// - Returns: nil if `file` is no completely saved undo store.
  package convenience init?(
    undoing file: any BlockSource, over origin: any BlockSource
  ) throws(StoreError) {
    guard let saved = try ExceptionTable(savedIn: file) else { return nil }
    self.init(of: origin, through: saved, of: file)
  }

  /// The view with only those chunks of its table that are in ascending ranges.
  private func restricted(to chunks: [Range<UInt64>]) -> SnapshotView {
    SnapshotView(of: origin, through: table.restricted(to: chunks), of: store)
  }
}

extension [Range<UInt64>] {
  /// Appends a range that begins in the last or after it, joined with it if they touch.
  fileprivate mutating func append(joining range: Range<UInt64>) {
    if let last, range.lowerBound <= last.upperBound {
      self[count - 1] = last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
    } else {
      append(range)
    }
  }
}

extension StoreGeometry {
  /// The chunks of the origin that contain bytes of it.
  fileprivate func chunks(of bytes: Range<UInt64>) -> Range<UInt64> {
    bytes.lowerBound / chunkSize.byteCount..<(bytes.upperBound - 1) / chunkSize.byteCount + 1
  }
}

extension [ExceptionRun] {
  /// Appends a run, merged with the last if it continues it: however a table is restricted, its
  /// digest is that of its chunks.
  fileprivate mutating func append(joining run: ExceptionRun) {
    if let last, last.oldEnd == run.old, last.new &+ last.count == run.new {
      self[count - 1].count += run.count
    } else {
      append(run)
    }
  }
}

extension ExceptionTable {
  /// The table of a saved undo store; nil if `file` is none.
  fileprivate init?(savedIn file: any BlockSource) throws(StoreError) {
    guard let state = UndoManifest(file)?.state, state != .saving else { return nil }
    self = try LoadedTable(Store(file), reading: .kernel).table
  }

  /// The table with only those of its chunks that are in ranges, which ascend and may overlap.
  func restricted(to chunks: [Range<UInt64>]) -> ExceptionTable {
    var kept: [ExceptionRun] = []
    var index = 0
    var position: UInt64 = 0  // everything below it is decided
    for range in chunks {
      position = max(position, range.lowerBound)
      while index < runs.count, runs[index].old < range.upperBound {
        let run = runs[index]
        let part = max(position, run.old)..<max(position, min(range.upperBound, run.oldEnd))
        if part.lowerBound < part.upperBound {
          kept.append(
            joining: ExceptionRun(
              old: part.lowerBound, new: run.new &+ (part.lowerBound - run.old),
              count: part.upperBound - part.lowerBound))
        }
        if run.oldEnd > range.upperBound { break }
        index += 1
      }
      position = max(position, range.upperBound)
    }
    return ExceptionTable(self, runs: kept)
  }
}
