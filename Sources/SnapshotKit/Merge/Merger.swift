public import BlockIO

/// Copies what a table maps into the origin: afterwards the origin is what the snapshot showed.
///
/// The store is only read. Exceptions are applied in the order of the origin, neighbours as one
/// write, the origin's partial last chunk clipped, and the whole flushed at the end. Doing it twice
/// is the same as doing it once.
public struct Merger {
  private static let windowByteCount = 1 << 20

  private let view: SnapshotView
  private let store: any BlockSource
  private let target: any BlockTarget

  /// A merge of `view`, whose chunks lie in `store`, into `target`.
  public init(_ view: SnapshotView, of store: any BlockSource, into target: any BlockTarget) {
    self.view = view
    self.store = store
    self.target = target
  }

  /// What a merge did.
  public struct Outcome: Sendable {
    /// How many bytes of the origin were written.
    public let byteCount: UInt64
    /// Whether an undo store said that there was nothing left to do.
    public let wasFinished: Bool
    /// The ranges of the origin that were left as they are, the store being unreadable there.
    public let lost: [LostRange]
  }

  /// Merges, after saving what is overwritten to `undo` if there is one.
  public func merge(
    undo: consuming UndoStore?, verify: Bool, progress: ProgressHandler
  ) throws(MergeError) -> Outcome {
    let byteCount = view.mappedByteCount
    if let undo, undo.state == .finished {
      let lost = try self.verify(
        orSay:
          "\(undo.name): belongs to a merge that was finished, and the origin is not as that merge"
          + " left it: it was undone, or written since; name a new undo file")
      return Outcome(
        byteCount: byteCount - lost.map(\.range).totalCount, wasFinished: true, lost: lost)
    }
    if let undo, undo.state == .saved { try undo.checkOriginIsBetween() }
    let total = byteCount * (undo?.state == .saving ? 2 : 1)
    var base: UInt64 = 0
    if undo?.state == .saving {
      try undo?.save { done, _ in progress(done, total) }
      base = byteCount
    }
    var lost: [LostRange] = []
    do throws(BlockIOError) {
      try copy(&lost) { progress(base + $0, total) }
      try target.flush()
    } catch {
      throw .io(error)
    }
    if verify { _ = try self.verify(orSay: nil) }
    try undo?.finish()
    return Outcome(
      byteCount: byteCount - lost.map(\.range).totalCount, wasFinished: false, lost: lost)
  }

  /// Copies every segment of the store that the view is made of.
  ///
  /// - Parameter lost: Takes what cannot be read, where the view's reading puts up with that.
  private func copy(
    _ lost: inout [LostRange], _ progress: (UInt64) -> Void
  ) throws(BlockIOError) {
    let isSalvage = view.table.reading == .salvage
    let buffer = IOBuffer(byteCount: Self.windowByteCount)
    var filled = 0
    var holes: [Range<Int>] = []  // what of the buffer could not be read: there nothing is written
    var start: UInt64 = 0
    var done: UInt64 = 0
    func drain() throws(BlockIOError) {
      if filled == 0 { return }
      var written = 0
      for hole in holes {
        try write(written..<hole.lowerBound)
        lost.append(
          merging: LostRange(
            start + UInt64(hole.lowerBound)..<start + UInt64(hole.upperBound), .storeUnreadable))
        written = hole.upperBound
      }
      try write(written..<filled)
      done += UInt64(filled)
      filled = 0
      holes.removeAll()
      progress(done)
    }
    func write(_ range: Range<Int>) throws(BlockIOError) {
      if range.isEmpty { return }
      try target.write(at: start + UInt64(range.lowerBound), from: buffer, range)
    }
    try view.forEachSegment(in: 0..<view.byteCount) { (segment) throws(BlockIOError) in
      if segment.place == .origin { return }
      guard case .store(var offset) = segment.place else {
        if isSalvage {
          try drain()  // what was lost before comes first
          return lost.append(merging: LostRange(segment.range, .beyondStore))
        }
        throw BlockIOError(
          store.name, .read, .beyondEnd(byteCount: store.byteCount), at: segment.range)
      }
      var position = segment.range.lowerBound
      while position < segment.range.upperBound {
        if filled == buffer.byteCount || position != start + UInt64(filled) { try drain() }
        if filled == 0 { start = position }
        let count = min(buffer.byteCount - filled, Int(segment.range.upperBound - position))
        if isSalvage {
          let unreadable = try store.readAround(at: offset, into: buffer, filled..<filled + count)
          for range in unreadable {
            let place = filled + Int(range.lowerBound - offset)
            holes.append(place..<place + range.count)
          }
        } else {
          try store.read(at: offset, into: buffer, filled..<filled + count)
        }
        filled += count
        position += UInt64(count)
        offset += UInt64(count)
      }
    }
    try drain()
  }

  /// Reads back what was written, from the medium and not from the cache, and compares.
  ///
  /// - Returns: What the store cannot be read for, where the view's reading puts up with that: there
  ///   nothing was written.
  private func verify(orSay complaint: String?) throws(MergeError) -> [LostRange] {
    (target as? FileTarget)?.dropCache()
    let diff: SnapshotDiff
    do throws(BlockIOError) {
      diff = try SnapshotDiff(view, target)
    } catch {
      throw .io(error)
    }
    let isSalvage = view.table.reading == .salvage
    let failed = diff.lost.first { !isSalvage || $0.reason == .originUnreadable }
    if let first = diff.changed.first?.lowerBound ?? failed?.range.lowerBound {
      if let complaint { throw .wrongUndo(complaint) }
      throw .verificationFailed(byteOffset: first)
    }
    return diff.lost
  }
}
