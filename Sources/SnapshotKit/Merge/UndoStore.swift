public import BlockIO
internal import Crypto
internal import SnapshotFormat

/// The way back from a merge: a COW store of the origin's old data, whole before a byte is changed.
///
/// It has the source's chunk size and one exception for each chunk that the merge overwrites,
/// ascending by old chunk, with data chunks in the kernel's order. So merging it, by dmsnap or by
/// Linux itself, gives the origin back as it was. Saving goes data, flush, areas, flush, header,
/// flush; only then does the merge begin, and after any crash the same command goes on:
///
/// - while saving: the origin was not touched; saving starts over.
/// - saved: the origin may be half merged; the old data is all here, and the merge is done again
///   from its first byte, which ends the same.
/// - finished: there is nothing to do.
public struct UndoStore {
  private static let windowByteCount = 4 << 20

  private let view: SnapshotView
  private let origin: any BlockSource
  private let geometry: StoreGeometry
  private let file: any BlockTarget
  private var manifest: UndoManifest

  /// How many bytes an undo store for merging `view` has.
  public static func byteCount(for view: SnapshotView) -> UInt64 {
    let size = view.table.geometry.chunkSize
    let count = chunkCount(of: view)
    // A full last area wants another one behind it, for Linux to find the end of the table in.
    return (StoreGeometry.headerChunkCount + count + count / size.exceptionsPerArea + 1)
      * size.byteCount
  }

  /// How many chunks of the origin a merge of `view` overwrites.
  static func chunkCount(of view: SnapshotView) -> UInt64 {
    var count: UInt64 = 0
    forEachOldRange(of: view) { count += UInt64($0.count) }
    return count
  }

  /// Prepares `file`, whose length is ``byteCount(for:)``, to be the undo store of merging `view`.
  ///
  /// - Throws: ``MergeError/wrongUndo(_:)`` when it is the undo store of something else.
  public init(
    of view: SnapshotView, over origin: any BlockSource, in file: any BlockTarget, isNew: Bool
  ) throws(MergeError) {
    self.view = view
    self.origin = origin
    self.file = file
    geometry = StoreGeometry(
      chunkSize: view.table.geometry.chunkSize, byteCount: Self.byteCount(for: view))
    let expected = UndoManifest(
      state: .saving, originByteCount: origin.byteCount, exceptionCount: Self.chunkCount(of: view),
      tableDigest: Self.digest(of: view.table),
      fingerprint: try Self.fingerprint(of: origin, outside: view))
    guard !isNew else {
      manifest = expected
      return
    }
    guard var existing = UndoManifest(file) else {
      throw .wrongUndo("\(file.name): exists, and is not an undo store; it is not overwritten")
    }
    manifest = existing
    existing.state = .saving
    guard existing == expected, file.byteCount == geometry.sectorCount * 512 else {
      throw .wrongUndo("\(file.name): is the undo store of another merge")
    }
    if manifest.state != .saving { try checkAreas() }
  }

  /// What an undo store is, in words for a person; nil for any other store.
  public static func description(of source: any BlockSource) -> String? {
    switch UndoManifest(source)?.state {
    case nil: nil
    case .saving: "dmsnap's undo of a merge that never began: the origin was not changed"
    case .saved: "dmsnap's undo of a merge that did not come to its end"
    case .finished: "dmsnap's undo of a finished merge"
    }
  }

  /// The undo file's name, for messages.
  var name: String { file.name }

  /// How far the merge is.
  var state: UndoManifest.State { manifest.state }

  /// Saves what the merge will overwrite, so that it is on the medium when this returns.
  mutating func save(progress: ProgressHandler) throws(MergeError) {
    do throws(BlockIOError) {
      try writeHeader()
      try file.flush()  // from here on a crash leaves a file that says what it is
      try saveData(progress)
      try file.flush()
      try forEachAreaPiece { (offset, buffer, byteCount) throws(BlockIOError) in
        try file.write(at: offset, from: buffer, 0..<byteCount)
      }
      try file.flush()
      manifest.state = .saved
      try writeHeader()
      try file.flush()
    } catch {
      throw .io(error)
    }
  }

  /// Notes that the merge is done.
  mutating func finish() throws(MergeError) {
    manifest.state = .finished
    do throws(BlockIOError) {
      try writeHeader()
      try file.flush()
    } catch {
      throw .io(error)
    }
  }

  /// Refuses a store that is an undo store of another origin, or of a merge that never began.
  public static func check(
    _ store: Store, belongsTo origin: any BlockSource, through view: SnapshotView
  ) throws(MergeError) {
    guard let manifest = UndoManifest(store.source) else {
      guard UndoManifest.hasMagic(store.source) else { return }
      throw .notThisOrigin(
        "\(store.source.name): is an undo store with a damaged manifest: whether it belongs to"
          + " \(origin.name) cannot be told")
    }
    guard manifest.state != .saving else {
      throw .notThisOrigin(
        "\(store.source.name): is an undo store that was never completed: the merge did not begin,"
          + " and there is nothing to undo")
    }
    guard manifest.originByteCount == origin.byteCount else {
      throw .notThisOrigin(
        "\(store.source.name): undoes a merge into an origin of \(manifest.originByteCount) bytes,"
          + " \(origin.name) has \(origin.byteCount)")
    }
    guard try manifest.fingerprint == fingerprint(of: origin, outside: view) else {
      throw .notThisOrigin(
        "\(store.source.name): undoes a merge into another origin than \(origin.name), or it was"
          + " written since, where the merge did not reach")
    }
  }

  // MARK: - Data

  /// Calls `body` with the ascending ranges of old chunks that a merge overwrites.
  private static func forEachOldRange<Failure: Error>(
    of view: SnapshotView, _ body: (Range<UInt64>) throws(Failure) -> Void
  ) throws(Failure) {
    let end = view.table.geometry.chunkCount(ofOrigin: view.byteCount)
    for run in view.table.runs where run.old < end {
      try body(run.old..<min(run.old + run.count, end))
    }
  }

  private func saveData(_ progress: ProgressHandler) throws(BlockIOError) {
    let chunkByteCount = geometry.chunkSize.byteCount
    let buffer = IOBuffer(byteCount: Self.windowByteCount)
    let byteCount = manifest.exceptionCount * chunkByteCount
    let originEnd = origin.byteCount / 512 * 512
    var position: UInt64 = 0  // in the data, as if there were no areas between it
    var filled = 0
    func drain() throws(BlockIOError) {
      try write(buffer, filled, atData: position)
      position += UInt64(filled)
      filled = 0
      progress(position, byteCount)
    }
    try Self.forEachOldRange(of: view) { (range) throws(BlockIOError) in
      var offset = range.lowerBound * chunkByteCount
      let end = range.upperBound * chunkByteCount
      while offset < end {
        let count = Int(min(end - offset, UInt64(buffer.byteCount - filled)))
        // The last chunk may go on behind the origin's end, with zeroes.
        let present = offset < originEnd ? Int(min(UInt64(count), originEnd - offset)) : 0
        try origin.read(at: offset, into: buffer, filled..<filled + present)
        buffer.zero(filled + present..<filled + count)
        filled += count
        offset += UInt64(count)
        if filled == buffer.byteCount { try drain() }
      }
    }
    try drain()
  }

  /// Writes the beginning of `buffer` at a position in the data, around the areas between it.
  private func write(
    _ buffer: IOBuffer, _ byteCount: Int, atData position: UInt64
  ) throws(BlockIOError) {
    try forEachDataPiece(byteCount, atData: position) { (offset, piece) throws(BlockIOError) in
      try file.write(at: offset, from: buffer, piece)
    }
  }

  /// Calls `body` with the pieces between areas of bytes in the data, and where in the file they lie.
  private func forEachDataPiece(
    _ byteCount: Int, atData position: UInt64,
    _ body: (UInt64, Range<Int>) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    let chunkByteCount = geometry.chunkSize.byteCount
    let spanByteCount = geometry.chunkSize.exceptionsPerArea * chunkByteCount
    var (done, position) = (0, position)
    while done < byteCount {
      let areas = position / spanByteCount + 1
      let count = Int(min(UInt64(byteCount - done), spanByteCount - position % spanByteCount))
      let offset = (StoreGeometry.headerChunkCount + areas) * chunkByteCount + position
      try body(offset, done..<done + count)
      done += count
      position += UInt64(count)
    }
  }

  /// Reads what ``write(_:_:atData:)`` wrote.
  private func read(
    _ byteCount: Int, atData position: UInt64, into buffer: IOBuffer
  ) throws(BlockIOError) {
    try forEachDataPiece(byteCount, atData: position) { (offset, piece) throws(BlockIOError) in
      try file.read(at: offset, into: buffer, piece)
    }
  }

  /// Refuses to go on when any sector of the origin is neither as it was saved nor as the merge
  /// leaves it: it was written since the merge was cut off, and going on would destroy that.
  func checkOriginIsBetween() throws(MergeError) {
    let window = 1 << 20
    let (now, old, new) = (
      IOBuffer(byteCount: window), IOBuffer(byteCount: window), IOBuffer(byteCount: window)
    )
    let chunkByteCount = geometry.chunkSize.byteCount
    let originEnd = origin.byteCount / 512 * 512
    var position: UInt64 = 0
    var foreign: UInt64?
    do throws(BlockIOError) {
      try Self.forEachOldRange(of: view) { (range) throws(BlockIOError) in
        var offset = range.lowerBound * chunkByteCount
        let end = min(range.upperBound * chunkByteCount, originEnd)
        var within = position
        while offset < end, foreign == nil {
          let count = Int(min(end - offset, UInt64(window)))
          let unreadable = try origin.readAround(at: offset, into: now, 0..<count)
          try read(count, atData: within, into: old)
          try view.read(at: offset, into: new, 0..<count)
          foreign = stride(from: 0, to: count, by: 512).first { start in
            let sector = start..<start + 512
            return !now.equals(sector, in: old, at: start)
              && !now.equals(sector, in: new, at: start)
              && !unreadable.contains { $0.contains(offset + UInt64(start)) }
          }.map { offset + UInt64($0) }
          offset += UInt64(count)
          within += UInt64(count)
        }
        position += UInt64(range.count) * chunkByteCount
      }
    } catch {
      throw .io(error)
    }
    if let foreign {
      throw .wrongUndo(
        "\(origin.name): byte \(foreign) is neither as before the merge nor as after it: it was written"
          + " since \(name) was made; going on would destroy that")
    }
  }

  // MARK: - Metadata

  private func writeHeader() throws(BlockIOError) {
    let buffer = IOBuffer(byteCount: UndoManifest.byteCount)
    buffer.withMutableBytes(0..<UndoManifest.byteCount) {
      manifest.encode(after: SnapshotHeader(chunkSize: geometry.chunkSize), into: &$0)
    }
    try file.write(at: 0, from: buffer, 0..<UndoManifest.byteCount)
  }

  /// Calls `body` with every piece of every area as it has to be, and where it lies.
  private func forEachAreaPiece<Failure: Error>(
    _ body: (UInt64, IOBuffer, Int) throws(Failure) -> Void
  ) throws(Failure) {
    let areaByteCount = geometry.chunkSize.byteCount
    let buffer = IOBuffer(byteCount: Int(min(areaByteCount, 1 << 20)))
    let pieceCount = UInt64(buffer.byteCount / DiskException.byteCount)
    let areaCount = manifest.exceptionCount / geometry.chunkSize.exceptionsPerArea + 1
    let slotCount = areaCount * geometry.chunkSize.exceptionsPerArea
    var runs = OldChunks(view)
    var position: UInt64 = 0
    while position < slotCount {
      buffer.withMutableRecords(of: DiskException.self, count: Int(pieceCount)) { records in
        for slot in records.indices {
          let new = geometry.dataChunk(inOrder: position + UInt64(slot))
          let old = runs.next()
          records[slot] = DiskException(
            oldChunk: old ?? 0, newChunk: old == nil ? 0 : new?.index ?? 0)
        }
      }
      let area = position / geometry.chunkSize.exceptionsPerArea
      let slot = position % geometry.chunkSize.exceptionsPerArea
      let offset = geometry.byteOffset(of: AreaIndex(area), slot: Int(slot)) ?? 0
      try body(offset, buffer, buffer.byteCount)
      position += pieceCount
    }
  }

  /// The old chunks that a merge overwrites, one by one.
  private struct OldChunks {
    private let runs: [ExceptionRun]
    private let end: UInt64
    private var index = 0
    private var within: UInt64 = 0

    init(_ view: SnapshotView) {
      runs = view.table.runs
      end = view.table.geometry.chunkCount(ofOrigin: view.byteCount)
    }

    mutating func next() -> UInt64? {
      guard index < runs.count, runs[index].old + within < end else { return nil }
      let old = runs[index].old + within
      within += 1
      if within == runs[index].count { (index, within) = (index + 1, 0) }
      return old
    }
  }

  /// A saved undo store must have just the areas that were written.
  private func checkAreas() throws(MergeError) {
    let found = IOBuffer(byteCount: Int(min(geometry.chunkSize.byteCount, 1 << 20)))
    try forEachAreaPiece { (offset, buffer, byteCount) throws(MergeError) in
      do throws(BlockIOError) {
        try file.read(at: offset, into: found, 0..<byteCount)
      } catch {
        throw MergeError.io(error)
      }
      guard found.equals(0..<byteCount, in: buffer, at: 0) else {
        throw MergeError.wrongUndo(
          "\(file.name): the area at byte \(offset) is damaged; nothing is written")
      }
    }
  }

  // MARK: - Digests

  private static func digest(of table: ExceptionTable) -> [UInt8] {
    var hash = SHA256()
    var words = [UInt64(table.geometry.chunkSize.sectorCount)]
    for run in table.runs {
      words += [run.old, run.new, run.count]
      if words.count > 8192 {
        hash.update(words)
        words = []
      }
    }
    hash.update(words)
    return Array(hash.finalize())
  }

  /// A digest of the origin that a merge does not change: of samples that lie outside the table.
  private static func fingerprint(
    of origin: any BlockSource, outside view: SnapshotView
  ) throws(MergeError) -> [UInt8] {
    let sampleCount: UInt64 = 64
    // Where file systems note that they were mounted, and then all over the origin.
    let wanted =
      [0, 4096, 65536, origin.byteCount - min(origin.byteCount, 4096)]
      + (0..<sampleCount).map { (origin.byteCount / sampleCount * $0) / 4096 * 4096 }
    let buffer = IOBuffer(byteCount: 4096)
    var hash = SHA256()
    hash.update([origin.byteCount])
    do throws(BlockIOError) {
      for byteOffset in wanted {
        guard let bytes = view.firstOriginBytes(from: byteOffset, limit: 4096) else { continue }
        _ = try origin.readAround(at: bytes.lowerBound, into: buffer, 0..<bytes.count)
        buffer.withBytes(0..<bytes.count) { span in
          hash.update(span)
        }
      }
    } catch {
      throw .io(error)
    }
    return Array(hash.finalize())
  }
}

extension SHA256 {
  fileprivate mutating func update(_ words: [UInt64]) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(words.count * 8)
    for word in words {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    update(data: bytes)
  }

  fileprivate mutating func update(_ bytes: Span<UInt8>) {
    update(data: bytes.indices.map { bytes[$0] })
  }
}
