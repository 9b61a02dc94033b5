/// Copies extents of one source to places of one target: one thread reads ahead, the caller's
/// writes.
///
/// The source is read in the order of the extents, a window of some megabytes at once; within a
/// window, the target is written in ascending pieces. So neither a spinning source nor a spinning
/// target has to seek for every extent. If the cache already has the source, the target's order is
/// used throughout. If both are files that can share data, it is shared.
package struct ExtentCopier: Sendable {
  /// The number of bytes read before the first of them is written, by default.
  package static let usualWindowByteCount = 8 << 20
  /// The maximum number of extents sorted at once; also limited in bytes.
  private static let spanExtentCountMax = 1 << 18
  private static let spanByteCountMax: UInt64 = 1 << 30
  /// A window also ends after this many clones.
  fileprivate static let cloneCountMax = 1024
  /// Blocks of zeroes of this size are left out if requested.
  private static let holeByteCount = 4096

  private let source: any BlockSource
  private let target: any BlockTarget
  private let readsAround: Bool
  private let leavesZeroes: Bool
  private let sums: Bool
  private let windowByteCount: Int
  private let cloner: ExtentCloner?

  /// A copier from `source` to `target`.
  ///
  /// - Parameters:
  ///   - readsAround: Whether unreadable sectors are left out and listed, instead of an error.
  ///   - leavesZeroes: Whether zeroes need not be written, because the target is all zero.
  ///   - sharesUnread: Whether data may be shared, if files can, before it is read: an unreadable
  ///     sector is then shared too. With `readsAround`, everything is read afterwards, and
  ///     unreadable sectors become zeroes in the target.
  ///   - sums: Whether to make a checksum of the copied bytes, which must be whole sectors.
  ///   - windowByteCount: How many bytes are read before the first of them is written.
  package init(
    from source: any BlockSource, to target: any BlockTarget, readsAround: Bool = false,
    leavesZeroes: Bool = false, sharesUnread: Bool = true, sums: Bool = false,
    windowByteCount: Int = usualWindowByteCount
  ) {
    self.source = source
    self.target = target
    self.readsAround = readsAround
    self.leavesZeroes = leavesZeroes
    self.sums = sums
    self.windowByteCount = windowByteCount
    cloner = sharesUnread ? ExtentCloner(from: source, to: target) : nil
  }

  /// The result of a copy.
  package struct Outcome: Sendable {
    /// Ranges that could not be read, in bytes of the target, ascending; nothing was written there.
    package internal(set) var unreadable: [Range<UInt64>] = []
    /// Whether it was stopped before its end.
    package internal(set) var isStopped = false
    /// The checksum of all that was copied, at its places in the source; nil if not requested, or
    /// if something was shared and so not read.
    package internal(set) var checksum: SectorChecksum?
  }

  private enum Failure: Error {
    case io(BlockIOError)
    case stopped
  }

  /// Copies the extents that `forEachExtent` passes to its argument, on a thread of its own.
  ///
  /// - Parameters:
  ///   - progress: Gets the number of bytes done, and returns whether to go on.
  package func copy(
    _ forEachExtent:
      @escaping @Sendable ((CopyExtent) throws(BlockIOError) -> Void)
      throws(BlockIOError) -> Void,
    progress: (UInt64) -> Bool
  ) throws(BlockIOError) -> Outcome {
    var outcome = Outcome()
    outcome.checksum = sums ? SectorChecksum() : nil
    var done: UInt64 = 0
    do throws(Failure) {
      try Conveyor<CopyWindow>.run(bufferByteCount: windowByteCount) {
        (conveyor) throws(Failure) in
        try wrapping(Failure.io, try load(forEachExtent, conveyor))
      } unload: { (buffer, window) throws(Failure) in
        do throws(BlockIOError) {
          for extent in window.clones {
            outcome.checksum = nil
            if cloner?.clone(extent) != true {
              try copyUnshared(extent, &outcome)
            } else if readsAround {
              let unreadable = try target.zeroUnreadable(of: source, extent)
              outcome.unreadable += unreadable
            }
          }
          try write(window, from: buffer, &outcome)
        } catch {
          throw .io(error)
        }
        done += window.clones.reduce(UInt64(window.byteCount)) { $0 + $1.byteCount }
        guard progress(done) else { throw .stopped }
      }
    } catch {
      guard case .io(let error) = error else {
        outcome.isStopped = true
        return outcome
      }
      throw error
    }
    outcome.unreadable = outcome.unreadable.union
    return outcome
  }

  // MARK: - Reading

  private func load(
    _ forEachExtent: ((CopyExtent) throws(BlockIOError) -> Void) throws(BlockIOError) -> Void,
    _ conveyor: Conveyor<CopyWindow>
  ) throws(BlockIOError) {
    var loading = Loading(self, conveyor)
    var span: [CopyExtent] = []
    var byteCount: UInt64 = 0
    try forEachExtent { (extent) throws(BlockIOError) in
      guard loading.isWanted else { return }
      span.append(extent)
      byteCount += extent.byteCount
      if span.count < Self.spanExtentCountMax, byteCount < Self.spanByteCountMax { return }
      try loading.add(ordered(span))
      span.removeAll(keepingCapacity: true)
      byteCount = 0
    }
    try loading.add(ordered(span))
    try loading.send()
  }

  /// Extents in the order in which to copy them: if the cache has them, the source's order is
  /// useless, and the target's saves much.
  private func ordered(_ span: [CopyExtent]) -> [CopyExtent] {
    let samples = stride(from: 0, to: span.count, by: max(1, span.count / 16))
    guard samples.allSatisfy({ source.hasCached(at: span[$0].sourceOffset) }) else { return span }
    return span.sorted { $0.targetOffset < $1.targetOffset }
  }

  /// Loads one window after another.
  private struct Loading {
    private let copier: ExtentCopier
    private let conveyor: Conveyor<CopyWindow>
    private var window = CopyWindow()
    /// Whether more is still wanted.
    private(set) var isWanted = true

    init(_ copier: ExtentCopier, _ conveyor: Conveyor<CopyWindow>) {
      self.copier = copier
      self.conveyor = conveyor
    }

    mutating func add(_ extents: [CopyExtent]) throws(BlockIOError) {
      for extent in extents {
        guard let shared = copier.cloner?.shareablePart(of: extent) else {
          try addUnshared(extent)
          continue
        }
        let head = shared.sourceOffset - extent.sourceOffset
        try addUnshared(extent.part(0..<head))
        window.clones.append(shared)
        try addUnshared(extent.part(head + shared.byteCount..<extent.byteCount))
        if window.clones.count == ExtentCopier.cloneCountMax { try send() }
      }
    }

    private mutating func addUnshared(_ extent: CopyExtent) throws(BlockIOError) {
      var rest = extent
      while rest.byteCount > 0, isWanted {
        let count = min(rest.byteCount, UInt64(copier.windowByteCount - window.byteCount))
        window.add(rest.part(0..<count))
        rest = rest.part(count..<rest.byteCount)
        if window.byteCount == copier.windowByteCount { try send() }
      }
    }

    mutating func send() throws(BlockIOError) {
      guard isWanted, !window.isEmpty else { return }
      guard let buffer = conveyor.nextBuffer() else {
        isWanted = false
        return
      }
      window.arrange()
      try copier.read(&window, into: buffer)
      conveyor.send(buffer, window)
      window = CopyWindow()
    }
  }

  private func read(
    _ window: inout CopyWindow, into buffer: IOBuffer
  ) throws(BlockIOError) {
    source.willRead(window.pieces.map(\.extent.sourceRange))
    for piece in window.pieces {
      if readsAround {
        let unreadable = try source.readAround(
          at: piece.extent.sourceOffset, into: buffer, piece.place)
        window.note(unreadable: unreadable, of: piece)
      } else {
        try source.read(at: piece.extent.sourceOffset, into: buffer, piece.place)
      }
      if sums { window.checksum.add(buffer, piece.place, at: piece.extent.sourceOffset) }
    }
    window.leaveOutUnreadable()
  }

  // MARK: - Writing

  private func write(
    _ window: CopyWindow, from buffer: IOBuffer, _ outcome: inout Outcome
  ) throws(BlockIOError) {
    outcome.unreadable += window.unreadable
    outcome.checksum?.add(window.checksum)
    for write in window.writes {
      if !leavesZeroes {
        try target.write(at: write.targetOffset, from: buffer, write.place)
        continue
      }
      try buffer.forEachNonZeroPiece(of: write.place, holeByteCount: Self.holeByteCount) {
        (piece) throws(BlockIOError) in
        let offset = write.targetOffset + UInt64(piece.lowerBound - write.place.lowerBound)
        try target.write(at: offset, from: buffer, piece)
      }
    }
    if let first = window.writes.first, let last = window.writes.last {
      // Contiguous data may go to the medium now; scattered data is better sorted first.
      let span = first.targetOffset..<last.targetRange.upperBound
      if span.upperBound - span.lowerBound <= UInt64(window.byteCount) * 2 {
        target.startWriting(span)
      }
    }
  }

  /// Copies extents that could not be shared after all.
  private func copyUnshared(
    _ extent: CopyExtent, _ outcome: inout Outcome
  ) throws(BlockIOError) {
    let buffer = IOBuffer(byteCount: 1 << 20)
    var rest = extent
    while rest.byteCount > 0 {
      let count = min(rest.byteCount, UInt64(buffer.byteCount))
      var window = CopyWindow()
      window.add(rest.part(0..<count))
      window.arrange()
      try read(&window, into: buffer)
      try write(window, from: buffer, &outcome)
      rest = rest.part(count..<rest.byteCount)
    }
  }
}

extension BlockTarget {
  /// Reads an extent that is shared with a source, and zeroes its unreadable sectors, so that the
  /// target has no bad sector.
  ///
  /// - Returns: What could not be read, in bytes of the target, ascending.
  func zeroUnreadable(
    of source: any BlockSource, _ extent: CopyExtent
  ) throws(BlockIOError) -> [Range<UInt64>] {
    let buffer = IOBuffer(byteCount: 1 << 20)
    var found: [Range<UInt64>] = []
    var rest = extent
    while rest.byteCount > 0 {
      let count = min(rest.byteCount, UInt64(buffer.byteCount))
      let unreadable = try source.readAround(
        at: rest.sourceOffset, into: buffer, 0..<Int(count))
      for range in unreadable {
        let start = rest.targetOffset + (range.lowerBound - rest.sourceOffset)
        let zeroes = IOBuffer(byteCount: range.count)
        try write(at: start, from: zeroes, 0..<range.count)
        found.append(mergingInto: start..<start + UInt64(range.count))
      }
      rest = rest.part(count..<rest.byteCount)
    }
    return found
  }
}
