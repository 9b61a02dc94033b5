internal import BlockIO
internal import Crypto
internal import SnapshotFormat

/// The way back from a merge: a COW store of the origin's old data, complete before a byte changes.
///
/// It has the source's chunk size and one exception for each chunk that the merge overwrites,
/// ascending by old chunk, with data chunks in the kernel's order. Merging it, by dmsnap or by
/// Linux itself, restores the origin. Saving goes data, flush, areas, flush, header, flush; only
/// then does the merge begin, and after any crash the same command continues:
///
/// - while saving: the origin was not touched; saving starts over.
/// - saved: the origin may be partly merged; the old data is all here, and the merge is repeated
///   from its first byte, with the same result.
/// - finished: there is nothing to do.
struct UndoStore: Sendable {
  private let view: SnapshotView
  private let origin: any BlockSource
  private let layout: OrderedStore
  private let file: any BlockTarget
  private var manifest: UndoManifest
  /// The number of bytes read before they are written; tests make it small.
  var windowByteCount = ExtentCopier.usualWindowByteCount

  /// The length of an undo store for merging `view`.
  static func byteCount(for view: SnapshotView) -> UInt64 { layout(for: view).byteCount }

  /// The number of bytes to be written for merging `view` with an undo store in `file`, besides
  /// those shared with the origin; nil if nothing can be shared.
  static func unsharedByteCount(
    for view: SnapshotView, over origin: any BlockTarget, in file: any BlockTarget
  ) -> UInt64? {
    guard let saving = ExtentCloner(from: origin, to: file) else { return nil }
    let merging = ExtentCloner(from: view.store, to: origin)
    let layout = layout(for: view)
    let areaCount = layout.byteCount / layout.geometry.chunkSize.byteCount - layout.exceptionCount
    var byteCount = areaCount * layout.geometry.chunkSize.byteCount
    layout.forEachDataExtent(from: \.old, before: origin.byteCount / 512 * 512) { extent, _ in
      byteCount += extent.byteCount - (saving.shareablePart(of: extent)?.byteCount ?? 0)
    }
    // Data that the origin shares with the undo store needs space of its own when it is written.
    view.forEachSegment(in: 0..<view.byteCount) { segment in
      guard let extent = segment.extent else { return }
      byteCount += extent.byteCount - (merging?.shareablePart(of: extent)?.byteCount ?? 0)
    }
    return byteCount
  }

  /// An undo store has the chunks of the origin that the merge of `view` overwrites.
  private static func layout(for view: SnapshotView) -> OrderedStore {
    let geometry = view.table.geometry
    return OrderedStore(
      of: view.table.runs, below: geometry.chunkCount(ofOrigin: view.byteCount), geometry.chunkSize)
  }

  /// Prepares `file`, whose length is ``byteCount(for:)``, to be the undo store of merging `view`.
  ///
  /// - Throws: A refusal if it is the undo store of something else.
  init(
    of view: SnapshotView, over origin: any BlockSource, in file: any BlockTarget, isNew: Bool
  ) throws(MergeError) {
    self.view = view
    self.origin = origin
    self.file = file
    layout = Self.layout(for: view)
    manifest =
      isNew
      ? try Self.manifest(of: view, over: origin, layout)
      : try Self.existingManifest(in: file, of: view, over: origin)
  }

  /// The manifest of an undo store of merging `view` while it is being saved.
  private static func manifest(
    of view: SnapshotView, over origin: any BlockSource, _ layout: OrderedStore
  ) throws(MergeError) -> UndoManifest {
    UndoManifest(
      state: .saving, originByteCount: origin.byteCount, exceptionCount: layout.exceptionCount,
      tableDigest: view.table.digest,
      fingerprint: try fingerprint(of: origin, outside: view))
  }

  private static func fingerprint(
    of origin: any BlockSource, outside view: SnapshotView
  ) throws(MergeError) -> [UInt8] {
    try wrapping(MergeError.io, try UndoManifest.fingerprint(of: origin, outside: view))
  }

  /// The manifest of the undo store in `file`.
  ///
  /// - Throws: A refusal if it is none, belongs to something else, or is damaged.
  @discardableResult
  static func existingManifest(
    in file: any BlockSource, of view: SnapshotView, over origin: any BlockSource
  ) throws(MergeError) -> UndoManifest {
    let layout = layout(for: view)
    guard let manifest = UndoManifest(file) else {
      throw .refused(
        MergeRefusal(
          .undoExists, "\(file.name): exists, and is not an undo store; it is not overwritten"))
    }
    let expected = try Self.manifest(of: view, over: origin, layout)
    var existing = manifest
    existing.state = .saving
    existing.dataChecksum = nil
    if UndoManifest.agree(existing.fingerprint, expected.fingerprint) {
      existing.fingerprint = expected.fingerprint
    }
    guard existing == expected, file.byteCount == layout.byteCount else {
      throw .refused(
        MergeRefusal(.undoOfOther, "\(file.name): is the undo store of another merge"))
    }
    if manifest.state != .saving { try checkAreas(of: file, layout, over: origin) }
    return manifest
  }

  /// The undo file's name in messages.
  var name: String { file.name }

  /// The state of the merge.
  var state: UndoManifest.State { manifest.state }

  /// Saves the data that the merge will overwrite; it is on the medium when this returns.
  ///
  /// - Parameter progress: Gets the number of bytes saved, and returns whether to go on.
  /// - Returns: Whether it was stopped.
  mutating func save(progress: (UInt64) -> Bool) throws(BlockIOError) -> Bool {
    try writeHeader()
    try file.flush()  // from here on, a crash leaves a file that identifies itself
    let outcome = try saveData(progress)
    if outcome.isStopped { return true }
    try file.flush()
    try layout.forEachAreaPiece { (offset, buffer, byteCount) throws(BlockIOError) in
      try file.write(at: offset, from: buffer, 0..<byteCount)
    }
    try file.flush()
    manifest.state = .saved
    manifest.dataChecksum = outcome.checksum
    try writeHeader()
    try file.flush()
    return false
  }

  /// Notes that the merge is done.
  mutating func finish() throws(BlockIOError) {
    manifest.state = .finished
    try confirm()
  }

  /// Puts the state on the medium.
  ///
  /// Another process may have left the state in the cache only: it was killed before its flush was
  /// done, or its flush failed. The medium then has the earlier state, in which the origin must not
  /// change.
  func confirm() throws(BlockIOError) {
    try writeHeader()
    try file.flush()
  }

  /// Refuses an undo store of another origin, or of a merge that never began.
  ///
  /// - Returns: Whether it is an undo store.
  @discardableResult
  static func check(
    _ store: Store, belongsTo origin: any BlockSource, through view: SnapshotView
  ) throws(MergeError) -> Bool {
    guard let manifest = UndoManifest(store.source) else {
      guard UndoManifest.hasMagic(store.source) else { return false }
      throw .refused(
        MergeRefusal(
          .undoDamaged,
          "\(store.source.name): is an undo store with a damaged manifest: whether it belongs to"
            + " \(origin.name) is unknown; if it does, `--reading salvage --accept"
            + " unrelated-origin` restores what it can"))
    }
    guard manifest.state != .saving else {
      throw .refused(
        MergeRefusal(
          .undoIncomplete,
          "\(store.source.name): is an undo store that was never completed: the merge did not"
            + " start, and there is nothing to undo"))
    }
    guard manifest.originByteCount == origin.byteCount else {
      throw .refused(
        MergeRefusal(
          .undoElsewhere,
          "\(store.source.name): undoes a merge into an origin of \(manifest.originByteCount)"
            + " bytes; \(origin.name) has \(origin.byteCount)"))
    }
    guard UndoManifest.agree(manifest.fingerprint, try fingerprint(of: origin, outside: view))
    else {
      throw .refused(
        MergeRefusal(
          .undoElsewhere,
          "\(store.source.name): undoes a merge into another origin than \(origin.name), or that"
            + " was written since, outside of the merge, or the undo store is damaged; if it is the"
            + " right one, `--reading salvage --accept unrelated-origin` restores what it can"))
    }
    if view.table.reading != .salvage, try isDamaged(store, through: view) {
      throw .refused(
        MergeRefusal(
          .undoDamaged,
          "\(store.source.name): is a damaged undo store: its data or its table differs from the"
            + " saved version, or is unreadable; `--reading salvage` restores what it can"))
    }
    return true
  }

  /// Whether the content of an undo store is known to differ from the saved data.
  static func isDamaged(
    _ store: Store, through view: SnapshotView
  ) throws(MergeError) -> Bool {
    guard let saved = UndoManifest(store.source)?.dataChecksum else { return false }
    return try checksum(of: view) != saved
  }

  /// The checksum of all that a view has from its store; nil if not everything can be read.
  private static func checksum(of view: SnapshotView) throws(MergeError) -> SectorChecksum? {
    var checksum: SectorChecksum? = SectorChecksum()
    do throws(BlockIOError) {
      try view.forEachMappedWindow { (buffer, window) throws(BlockIOError) in
        if !window.lost.isEmpty { checksum = nil }
        for span in window.spans {
          checksum?.add(buffer, span.place, at: span.range.lowerBound)
        }
      }
    } catch {
      throw .io(error)
    }
    return checksum
  }

  // MARK: - Data

  /// In an undo store, the bytes after it in a partial last chunk are zero.
  private var originEnd: UInt64 { origin.byteCount / 512 * 512 }

  private func saveData(
    _ progress: (UInt64) -> Bool
  ) throws(BlockIOError) -> ExtentCopier.Outcome {
    let copier = ExtentCopier(
      from: origin, to: file, sums: true, windowByteCount: windowByteCount)
    return try copier.copy(
      { (copy) throws(BlockIOError) in
        try layout.forEachDataExtent(from: \.old, before: originEnd) {
          (extent, _) throws(BlockIOError) in try copy(extent)
        }
      }, progress: progress)
  }

  /// A merge that cannot continue because its undo store, or the origin, cannot be read.
  private static func cut(
    by cause: BlockIOError, undo: String, origin: String
  ) -> MergeError {
    .cut(MergeCut(cause: cause, stage: .merging(undo: undo), origin: origin))
  }

  /// Refuses to continue if any sector of the origin is neither as it was saved nor as the merge
  /// leaves it: it was written since the interruption, and continuing would destroy that.
  func checkOriginIsBetween() throws(MergeError) {
    let window: UInt64 = 1 << 20
    let (now, old, new) = (
      IOBuffer(byteCount: Int(window)), IOBuffer(byteCount: Int(window)),
      IOBuffer(byteCount: Int(window))
    )
    var foreign: UInt64?
    var checksum = SectorChecksum()
    do throws(BlockIOError) {
      try layout.forEachDataExtent(from: \.old, before: originEnd) {
        (extent, _) throws(BlockIOError) in
        var done: UInt64 = 0
        while done < extent.byteCount {
          let count = Int(min(extent.byteCount - done, window))
          let offset = extent.sourceOffset + done
          let unreadable = try origin.readAround(at: offset, into: now, 0..<count)
          try file.read(at: extent.targetOffset + done, into: old, 0..<count)
          checksum.add(old, 0..<count, at: offset)
          // Parts of the store that cannot be read were not merged, and are as saved.
          var lost: [LostRange] = []
          try view.read(offset..<offset + UInt64(count), into: new, lost: &lost)
          foreign =
            foreign
            ?? stride(from: 0, to: count, by: 512).first { start in
              let sector = start..<start + 512
              return !now.equals(sector, in: old, at: start)
                && !now.equals(sector, in: new, at: start)
                && !unreadable.contains { $0.contains(offset + UInt64(start)) }
            }.map { offset + UInt64($0) }
          done += UInt64(count)
        }
      }
    } catch {
      throw Self.cut(by: error, undo: name, origin: origin.name)
    }
    if let saved = manifest.dataChecksum, saved != checksum {
      throw .refused(
        MergeRefusal(.undoDamaged, "\(name): its data is damaged; nothing is written"))
    }
    if let foreign {
      throw .refused(
        MergeRefusal(
          .originWritten,
          "\(origin.name): byte \(foreign) is neither as before the merge nor as after it: it was"
            + " written since \(name) was made; continuing would destroy that"))
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

  /// A saved undo store must have exactly the areas that were written.
  private static func checkAreas(
    of file: any BlockSource, _ layout: OrderedStore, over origin: any BlockSource
  ) throws(MergeError) {
    let found = IOBuffer(byteCount: Int(min(layout.geometry.chunkSize.byteCount, 1 << 20)))
    try layout.forEachAreaPiece { (offset, buffer, byteCount) throws(MergeError) in
      try wrapping(
        { cut(by: $0, undo: file.name, origin: origin.name) },
        try file.read(at: offset, into: found, 0..<byteCount))
      guard found.equals(0..<byteCount, in: buffer, at: 0) else {
        throw MergeError.refused(
          MergeRefusal(
            .undoDamaged, "\(file.name): the area at byte \(offset) is damaged; nothing is written")
        )
      }
    }
  }
}

extension Store {
  /// Whether it is an undo store that was never completed: there is nothing to undo.
  package var isIncompleteUndo: Bool { UndoManifest(source)?.state == .saving }

  /// Its description as an undo store, for messages; nil for any other store.
  package var undoDescription: String? {
    switch UndoManifest(source)?.state {
    case nil: nil
    case .saving: "dmsnap's undo of a merge that never began: the origin was not changed"
    case .saved: "dmsnap's undo of an unfinished merge"
    case .finished: "dmsnap's undo of a finished merge"
    }
  }
}
