package import BlockIO
package import SnapshotFormat
internal import Synchronization
internal import SystemPackage

/// Client writes to a served view, in a new COW store over it, which Linux and dmsnap can use like
/// any other.
///
/// The first write to a chunk copies it. Writes are on the medium after `flush()`, in the kernel's
/// order: the data, a flush, the area that names it. Until then, a killed process leaves a prefix
/// of the writes: a chunk that an area names is overwritten only once the writes before it are
/// named too.
///
/// If it is full, writes that need another chunk fail. Linux would invalidate the snapshot; here
/// earlier writes remain. After a failed flush, nothing more is written.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `persistent_commit_exception`.
package final class TrialLayer: BlockSource {
  private let base: any BlockSource
  private let target: any BlockTarget
  private let geometry: StoreGeometry
  /// Held during a write or a flush.
  private let state: Mutex<State>
  /// Held only to look up or change its content, also while `state` is held.
  private let layout = Mutex(Layout())
  private let tell: @Sendable (BlockIOError) -> Void

  /// Where the bytes are.
  private struct Layout {
    /// The chunks of the view that were written, and the order in which they were.
    var positions: [UInt64: UInt64] = [:]
    /// The number of writes, failed ones included.
    var writeCount: UInt64 = 0
    /// Whether a write is under way.
    var isInUse = false

    /// Equal twice only if nothing was written in between; nil during a write.
    var moment: UInt64? { isInUse ? nil : writeCount }
  }

  /// The state of writes and flushes.
  private struct State {
    /// The number of written chunks that an area on the medium, or in the system's cache, names.
    var committedCount: UInt64 = 0
    /// The area that is being filled.
    let area: IOBuffer
    /// A chunk that is being put together.
    let chunk: IOBuffer
    /// The number of writes covered by the last successful flush.
    var flushedWriteCount: UInt64 = 0
    /// The failure of a flush of the store: writes since the previous one may be gone, even if
    /// another succeeds.
    var failure: BlockIOError?
    /// Whether the store refused a write.
    var hasRefused = false
    /// Whether it accepts no more writes.
    var isClosed = false
  }

  /// Makes a new layer over a view.
  ///
  /// - Parameters:
  ///   - target: The store: all zeroes, and as long as it may become.
  ///   - chunkSize: The unit of copying.
  ///   - tell: Called with the error of the first write that the store refuses, for lack of room or
  ///     another reason, and of the first flush that fails.
  /// - Throws: If there is no room for a single chunk.
  package init(
    over base: any BlockSource, in target: any BlockTarget,
    chunkSize: ChunkSize = TrialLayer.chunkSize,
    tell: @escaping @Sendable (BlockIOError) -> Void = { _ in }
  ) throws(BlockIOError) {
    (self.base, self.target, self.tell) = (base, target, tell)
    geometry = StoreGeometry(chunkSize: chunkSize, byteCount: target.byteCount)
    let count = Int(chunkSize.byteCount)
    state = Mutex(State(area: IOBuffer(byteCount: count), chunk: IOBuffer(byteCount: count)))
    guard target.byteCount >= Self.byteCountMin(chunkSize) else {
      throw BlockIOError(
        target.name, .create,
        .refused("a layer has at least \(Self.byteCountMin(chunkSize)) bytes"))
    }
    let header = IOBuffer(byteCount: 512)
    header.withMutableBytes(0..<512) { SnapshotHeader(chunkSize: chunkSize).encode(into: &$0) }
    try target.write(at: 0, from: header, 0..<512)
    try target.flush()
  }

  /// The unit of a file system's writes.
  package static let chunkSize = ChunkSize.all[3]

  /// The length of a layer with one chunk.
  private static func byteCountMin(_ chunkSize: ChunkSize) -> UInt64 {
    (StoreGeometry.firstDataChunk + 1) * chunkSize.byteCount
  }

  package var name: String { "\(target.name) over \(base.name)" }

  /// Whole sectors only: Linux sees no others.
  package var byteCount: UInt64 { base.byteCount / 512 * 512 }

  package var files: [FileSource] { base.files }

  // MARK: - Reading

  package func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    func read(_ piece: Piece) throws(BlockIOError) {
      let start = range.lowerBound + Int(piece.bytes.lowerBound - byteOffset)
      let place = start..<start + piece.bytes.count
      if let source = piece.place {
        try target.read(at: source, into: buffer, place)
      } else {
        try base.read(at: piece.bytes.lowerBound, into: buffer, place)
      }
    }
    // Without a lock, so that clients read in parallel, and while another flushes.
    let (pieces, moment) = layout.withLock { (self.pieces(of: bytes, $0), $0.moment) }
    for piece in pieces { try read(piece) }
    if moment != nil, moment == layout.withLock({ $0.moment }) { return }
    // After a write in the meantime, the layer's part is read again while writers wait, so that all
    // bytes are from one moment. The rest comes from the base, which never changes.
    try state.withLock { (_) throws(BlockIOError) in
      let pieces = layout.withLock { self.pieces(of: bytes, $0) }
      for piece in pieces where piece.place != nil { try read(piece) }
    }
  }

  /// Bytes of the view that are read at once.
  private struct Piece {
    var bytes: Range<UInt64>
    /// Their place in the store; nil if they were not written.
    let place: UInt64?
  }

  /// A range in pieces, each as long as it can be, ascending.
  private func pieces(of bytes: Range<UInt64>, _ layout: borrowing Layout) -> [Piece] {
    if layout.positions.isEmpty { return [Piece(bytes: bytes, place: nil)] }
    var pieces: [Piece] = []
    var position = bytes.lowerBound
    while position < bytes.upperBound {
      let (chunk, piece) = piece(at: position, in: bytes)
      let place = layout.positions[chunk].map {
        byteOffset(ofData: $0) + position % chunkByteCount
      }
      if let last = pieces.last,
        place == last.place.map({ $0 + UInt64(last.bytes.count) })
      {
        pieces[pieces.count - 1].bytes = last.bytes.lowerBound..<piece.upperBound
      } else {
        pieces.append(Piece(bytes: piece, place: place))
      }
      position = piece.upperBound
    }
    return pieces
  }

  /// The written parts of a range, ascending: whole chunks, clipped to the range.
  package func written(in range: Range<UInt64>) -> [Range<UInt64>] {
    layout.withLock { layout in
      if layout.positions.isEmpty { return [] }
      var written: [Range<UInt64>] = []
      var position = range.lowerBound
      while position < range.upperBound {
        let (chunk, piece) = piece(at: position, in: range)
        if layout.positions[chunk] != nil { written.append(mergingInto: piece) }
        position = piece.upperBound
      }
      return written
    }
  }

  private var writtenChunkCount: UInt64 { layout.withLock { UInt64($0.positions.count) } }

  private var chunkByteCount: UInt64 { geometry.chunkSize.byteCount }

  /// The chunk that a byte is in, and the bytes of a range that are in it from there on.
  private func piece(
    at position: UInt64, in bytes: Range<UInt64>
  ) -> (chunk: UInt64, bytes: Range<UInt64>) {
    let chunk = position / chunkByteCount
    return (chunk, position..<min((chunk + 1) * chunkByteCount, bytes.upperBound))
  }

  // MARK: - Writing

  /// Writes `range` of `buffer` at `byteOffset`; if it throws, perhaps a part of it.
  package func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try state.withLock { (state) throws(BlockIOError) in
      if let failure = state.failure { throw failure }
      if state.isClosed {
        throw BlockIOError(target.name, .write, .refused("the server is being stopped"), at: bytes)
      }
      layout.withLock { layout in
        layout.writeCount += 1
        layout.isInUse = true
      }
      defer { layout.withLock { $0.isInUse = false } }
      try tellingOfRefusals(&state) { (state) throws(BlockIOError) in
        try write(bytes, from: buffer, range, &state)
      }
    }
  }

  private func write(
    _ bytes: Range<UInt64>, from buffer: IOBuffer, _ range: Range<Int>, _ state: inout State
  ) throws(BlockIOError) {
    var position = bytes.lowerBound
    while position < bytes.upperBound {
      let (chunk, piece) = piece(at: position, in: bytes)
      let place = range.lowerBound + Int(position - bytes.lowerBound)
      let source = place..<place + piece.count
      if let order = layout.withLock({ $0.positions[chunk] }) {
        if order < state.committedCount { try commit(&state) }
        try target.write(
          at: byteOffset(ofData: order) + position % chunkByteCount, from: buffer, source)
      } else {
        try copy(chunk, changing: piece, to: buffer, source, &state)
      }
      position = piece.upperBound
    }
  }

  /// Runs `body`, and reports the first write that the store refuses.
  private func tellingOfRefusals(
    _ state: inout State, _ body: (inout State) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    do throws(BlockIOError) { try body(&state) } catch {
      // The base reports its own unreadable bytes, and `flushTarget` a flush that fails.
      if error.operation == .write, !state.hasRefused {
        state.hasRefused = true
        tell(error)
      }
      throw error
    }
  }

  /// Whether the store refused a write.
  package var hasRefused: Bool { state.withLock { $0.hasRefused } }

  /// Returns when everything written is on the medium.
  package func flush() throws(BlockIOError) {
    try state.withLock { (state) throws(BlockIOError) in try flush(&state) }
  }

  /// Flushes, and accepts no more writes: those made just before the process ends would be lost.
  package func close() throws(BlockIOError) {
    try state.withLock { (state) throws(BlockIOError) in
      state.isClosed = true
      try flush(&state)
    }
  }

  private func flush(_ state: inout State) throws(BlockIOError) {
    if let failure = state.failure { throw failure }
    let writeCount = layout.withLock { $0.writeCount }
    // A client that only flushes does not delay others.
    if state.flushedWriteCount == writeCount { return }
    try tellingOfRefusals(&state) { (state) throws(BlockIOError) in
      try commit(&state)
      try flushTarget(&state)
    }
    state.flushedWriteCount = writeCount
  }

  /// Gives a chunk a place in the store, with its bytes as they are now, but for those of a write.
  private func copy(
    _ chunk: UInt64, changing piece: Range<UInt64>, to buffer: IOBuffer, _ source: Range<Int>,
    _ state: inout State
  ) throws(BlockIOError) {
    let order = writtenChunkCount
    let isFirst = order % geometry.chunkSize.exceptionsPerArea == 0
    // An area that is full, and that could not be written, comes first.
    if isFirst { try commit(&state) }
    guard hasRoom(for: order) else {
      throw BlockIOError(target.name, .write, .system(.noSpace), at: piece)
    }
    // A full disk must refuse this chunk, not the ones written before its area is needed: the area
    // is therefore written now, empty.
    if isFirst { try writeArea(of: order, state) }
    let start = chunk * chunkByteCount
    let end = min(start + chunkByteCount, base.byteCount)
    let whole = state.chunk
    whole.zero(0..<whole.byteCount)
    // Overwritten bytes are not read: they may be unreadable.
    try base.read(at: start, into: whole, 0..<Int(piece.lowerBound - start))
    try base.read(
      at: piece.upperBound, into: whole, Int(piece.upperBound - start)..<Int(end - start))
    whole.copy(from: buffer, source, to: Int(piece.lowerBound - start))
    try target.write(at: byteOffset(ofData: order), from: whole, 0..<whole.byteCount)
    let slot = Int(order % geometry.chunkSize.exceptionsPerArea)
    state.area.withMutableRecords(
      of: DiskException.self, count: Int(geometry.chunkSize.exceptionsPerArea)
    ) {
      $0[slot] = DiskException(oldChunk: chunk, newChunk: newChunk(order))
    }
    layout.withLock { $0.positions[chunk] = order }
    if slot + 1 == Int(geometry.chunkSize.exceptionsPerArea) { try commit(&state) }
  }

  /// Records the copies on the medium: data first.
  private func commit(_ state: inout State) throws(BlockIOError) {
    let count = writtenChunkCount
    guard count > state.committedCount else { return }
    try flushTarget(&state)
    try writeArea(of: state.committedCount, state)
    state.committedCount = count
    if count % geometry.chunkSize.exceptionsPerArea == 0 {
      state.area.zero(0..<state.area.byteCount)
    }
  }

  /// Writes the area that is being filled, which names the chunk of that order.
  private func writeArea(of order: UInt64, _ state: borrowing State) throws(BlockIOError) {
    let area = AreaIndex(order / geometry.chunkSize.exceptionsPerArea)
    guard let place = geometry.byteOffset(of: area) else { return }
    try target.write(at: place, from: state.area, 0..<state.area.byteCount)
  }

  private func flushTarget(_ state: inout State) throws(BlockIOError) {
    if let failure = state.failure { throw failure }
    do throws(BlockIOError) { try target.flush() } catch {
      state.failure = error
      tell(error)
      throw error
    }
  }

  /// Whether the store has the chunk that is copied next, and the area after it if it fills one.
  private func hasRoom(for order: UInt64) -> Bool {
    let perArea = geometry.chunkSize.exceptionsPerArea
    let isLast = (order + 1) % perArea == 0
    return newChunk(order) + (isLast ? 1 : 0) < geometry.wholeChunkCount
  }

  /// The chunk of the store that is allocated in that order: an area comes before its chunks.
  private func newChunk(_ order: UInt64) -> UInt64 {
    geometry.dataChunk(inOrder: order)?.index ?? .max
  }

  private func byteOffset(ofData order: UInt64) -> UInt64 { newChunk(order) * chunkByteCount }
}
