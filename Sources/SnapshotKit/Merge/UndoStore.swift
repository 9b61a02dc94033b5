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
  private let layout: OrderedStore
  private let file: any BlockTarget
  private var manifest: UndoManifest

  /// How many bytes an undo store for merging `view` has.
  public static func byteCount(for view: SnapshotView) -> UInt64 { layout(for: view).byteCount }

  /// An undo store has the chunks of the origin that the merge of `view` overwrites.
  private static func layout(for view: SnapshotView) -> OrderedStore {
    let geometry = view.table.geometry
    return OrderedStore(
      of: view.table.runs, below: geometry.chunkCount(ofOrigin: view.byteCount), geometry.chunkSize)
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
    layout = Self.layout(for: view)
    let expected = UndoManifest(
      state: .saving, originByteCount: origin.byteCount, exceptionCount: layout.exceptionCount,
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
    guard existing == expected, file.byteCount == layout.byteCount else {
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
      try layout.forEachAreaPiece { (offset, buffer, byteCount) throws(BlockIOError) in
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

  private func saveData(_ progress: ProgressHandler) throws(BlockIOError) {
    let chunkByteCount = layout.geometry.chunkSize.byteCount
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
    try layout.forEachRun { (run) throws(BlockIOError) in
      var offset = run.old * chunkByteCount
      let end = (run.old + run.count) * chunkByteCount
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
    try layout.forEachDataPiece(byteCount, atData: position) {
      (offset, piece) throws(BlockIOError) in
      try file.write(at: offset, from: buffer, piece)
    }
  }

  /// Reads what ``write(_:_:atData:)`` wrote.
  private func read(
    _ byteCount: Int, atData position: UInt64, into buffer: IOBuffer
  ) throws(BlockIOError) {
    try layout.forEachDataPiece(byteCount, atData: position) {
      (offset, piece) throws(BlockIOError) in
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
    let chunkByteCount = layout.geometry.chunkSize.byteCount
    let originEnd = origin.byteCount / 512 * 512
    var position: UInt64 = 0
    var foreign: UInt64?
    do throws(BlockIOError) {
      try layout.forEachRun { (run) throws(BlockIOError) in
        var offset = run.old * chunkByteCount
        let end = min((run.old + run.count) * chunkByteCount, originEnd)
        var within = position
        while offset < end, foreign == nil {
          let count = Int(min(end - offset, UInt64(window)))
          let unreadable = try origin.readAround(at: offset, into: now, 0..<count)
          try read(count, atData: within, into: old)
          // What cannot be read of the store was not merged, and is as it was saved.
          var lost: [LostRange] = []
          try view.read(offset..<offset + UInt64(count), into: new, lost: &lost)
          foreign = stride(from: 0, to: count, by: 512).first { start in
            let sector = start..<start + 512
            return !now.equals(sector, in: old, at: start)
              && !now.equals(sector, in: new, at: start)
              && !unreadable.contains { $0.contains(offset + UInt64(start)) }
          }.map { offset + UInt64($0) }
          offset += UInt64(count)
          within += UInt64(count)
        }
        position += run.count * chunkByteCount
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
      manifest.encode(after: SnapshotHeader(chunkSize: layout.geometry.chunkSize), into: &$0)
    }
    try file.write(at: 0, from: buffer, 0..<UndoManifest.byteCount)
  }

  /// A saved undo store must have just the areas that were written.
  private func checkAreas() throws(MergeError) {
    let found = IOBuffer(byteCount: Int(min(layout.geometry.chunkSize.byteCount, 1 << 20)))
    try layout.forEachAreaPiece { (offset, buffer, byteCount) throws(MergeError) in
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
