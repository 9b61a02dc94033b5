public import BlockIO
internal import Crypto
internal import FoundationEssentials
internal import SnapshotFormat

/// A merge to be done, as a file to review and apply.
///
/// Lines of JSON: first the source and the target; then each piece of the origin that is written,
/// with the SHA-256 of its content before and after; last their number and a digest of the first
/// line. For a merge without undo each chunk is a piece, to know after an interruption which are
/// merged.
///
///     {"schema":"dmsnap.plan.v1","store":"/images/cow.img", …}
///     {"byteOffset":4096,"byteCount":8192,"before":"9f86d0…","after":"60303a…"}
///     {"rangeCount":1,"byteCount":8192,"firstLineSHA256":"2c26b4…"}
public struct MergePlan: Codable, Equatable, Sendable {
  /// `dmsnap.plan.v1`.
  public var schema = Self.schema
  /// The absolute path of the store when the merge was planned, or its name in a volume group.
  public var store: String
  /// The same for the origin.
  public var origin: String
  /// The volume group, if there is one.
  public var volumes: Volumes?
  /// The length of the origin.
  public var originByteCount: UInt64
  /// The reading of the table.
  public var reading: String
  /// The requested chunk size, in sectors; nil if none was.
  public var chunkSizeAsked: UInt32?
  /// The requested generation; nil if none was.
  public var generation: Int?
  /// The requested level of placing; nil if none was.
  public var place: String?
  /// The given siblings; nil if none were.
  public var siblings: [String]?
  /// The given mapfile; nil if none was.
  public var map: String?
  /// Whether chunks that are already identical are left out.
  public var skipIdentical: Bool
  /// The given undo file; nil if none was.
  public var undo: String?
  /// Whether it is to be merged without a way back.
  public var noUndo: Bool
  /// Whether legs that are out of date are also written; nil if there are none.
  public var allLegs: Bool?
  /// The SHA-256 of the table that is merged: its words are in docs/undo.md.
  public var tableSHA256: String

  /// `dmsnap.plan.v1`.
  public static let schema = "dmsnap.plan.v1"

  /// The volume group that was found, and the version used.
  public struct Volumes: Codable, Equatable, Sendable {
    /// As for `--pv`, with absolute paths.
    public var physicalVolumes: [String]
    /// The given file of vgcfgbackup; nil if none was.
    public var vgcfg: String?
    /// The requested version; nil if none was.
    public var seqno: UInt64?
    /// The requested leg; nil if none was.
    public var leg: Int?

    /// The group in those physical volumes.
    public init(physicalVolumes: [String], vgcfg: String?, seqno: UInt64?, leg: Int?) {
      self.physicalVolumes = physicalVolumes
      self.vgcfg = vgcfg
      self.seqno = seqno
      self.leg = leg
    }
  }

  /// A plan of those arguments.
  public init(
    store: String, origin: String, volumes: Volumes? = nil, reading: Reading,
    chunkSizeAsked: UInt32?, generation: Int?, place: PlacementLevel? = nil,
    siblings: [String] = [], map: String?, skipIdentical: Bool, undo: String?, noUndo: Bool,
    allLegs: Bool = false,
    of view: SnapshotView
  ) {
    self.store = store
    self.origin = origin
    self.volumes = volumes
    originByteCount = view.byteCount
    self.reading = reading.rawValue
    self.chunkSizeAsked = chunkSizeAsked
    self.generation = generation
    self.place = place?.rawValue
    self.siblings = siblings.isEmpty ? nil : siblings
    self.map = map
    self.skipIdentical = skipIdentical
    self.undo = undo
    self.noUndo = noUndo
    self.allLegs = allLegs ? true : nil
    tableSHA256 = view.table.digest.hexadecimal
  }

  /// Reads the first line of a plan.
  public init(_ file: any BlockSource) throws(MergeError) {
    var lines = LineReader(file)
    let line = try wrapping(MergeError.io, try lines.next())
    guard let plan = try? JSONDecoder().decode(MergePlan.self, from: Data((line ?? "").utf8)),
      plan.schema == Self.schema
    else {
      throw .refused(MergeRefusal(.planUnreadable, "\(file.name): is not a merge plan"))
    }
    self = plan
  }

  /// Writes the plan of merging `view`.
  func write(
    _ view: SnapshotView, to file: OutputText, progress: ProgressHandler
  ) throws(MergeError) {
    do throws(BlockIOError) {
      try file.write(firstLine + "\n")
      var total = Total()
      try forEachPiece(of: view, over: view.origin, progress) { (piece) throws(BlockIOError) in
        try file.write(piece.line + "\n")
        total.add(piece)
      }
      try file.write(total.line(after: firstLine) + "\n")
      try view.checkUnchanged()
      try file.publish()
    } catch {
      throw .io(error)
    }
  }

  /// Refuses a merge of `view` that differs by a byte from the plan in `file`.
  ///
  /// - Parameters:
  ///   - origin: The origin as it was before a merge that may be under way.
  ///   - mayBeMerged: Whether a piece may already be as it is after the merge, because a merge
  ///     without undo was interrupted.
  func check(
    _ view: SnapshotView, over origin: any BlockSource, against file: any BlockSource,
    mayBeMerged: Bool, progress: ProgressHandler
  ) throws(MergeError) {
    guard originByteCount == view.byteCount else {
      throw .refused(
        MergeRefusal(
          .planOutdated,
          "\(file.name): is for an origin of \(originByteCount) bytes; \(view.origin.name) has"
            + " \(view.byteCount)"))
    }
    guard tableSHA256 == view.table.digest.hexadecimal else {
      throw .refused(
        MergeRefusal(
          .planOutdated, "\(file.name): is for a table other than that of \(view.store.name)"))
    }
    var lines = LineReader(file)
    var total = Total()
    var complaint: MergeRefusal?
    do throws(BlockIOError) {
      let first = try lines.next()
      try forEachPiece(of: view, over: origin, progress) { (piece) throws(BlockIOError) in
        guard complaint == nil else { return }
        let line = try lines.next()
        total.add(piece)
        if line != piece.line, !(mayBeMerged && piece.isAfter(line)) {
          complaint = piece.complaint(
            line, origin: view.origin.name, plan: file.name, mayBeMerged: mayBeMerged)
        }
      }
      let (last, rest) = (try lines.next(), try lines.next())
      if complaint == nil, last != total.line(after: first ?? "") || rest != nil {
        complaint = MergeRefusal(
          .planEdited, "\(file.name): has a wrong last line: it was truncated or edited")
      }
    } catch {
      throw .io(error)
    }
    if let complaint { throw .refused(complaint) }
  }

  private var firstLine: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("a plan is no JSON") }
    return String(decoding: data, as: UTF8.self)
  }

  // MARK: - Pieces

  /// A piece of the origin that is written.
  private struct Piece {
    let range: Range<UInt64>
    let before: String
    let after: String

    private var head: String {
      "{\"byteOffset\":\(range.lowerBound),\"byteCount\":\(range.count),\"before\":\""
    }
    private var tail: String { "\",\"after\":\"\(after)\"}" }

    var line: String { head + before + tail }

    /// Whether the origin already holds a line's content after the merge, so its earlier content is
    /// unknown.
    func isAfter(_ line: String?) -> Bool {
      guard let line, before == after else { return false }
      return line.hasPrefix(head) && line.hasSuffix(tail)
    }

    func complaint(
      _ line: String?, origin: String, plan: String, mayBeMerged: Bool
    ) -> MergeRefusal {
      let way = mayBeMerged ? "; without the plan, an interrupted merge goes on" : ""
      guard let line, line.hasPrefix(head) else {
        return MergeRefusal(
          .planEdited,
          "\(plan): does not have the \(range.count) bytes at byte \(range.lowerBound), which"
            + " would be written: it was truncated or edited\(way)")
      }
      return MergeRefusal(
        .planOutdated,
        (line.hasSuffix(tail)
          ? "\(origin): the \(range.count) bytes at byte \(range.lowerBound) are not as they were"
            + " when \(plan) was made"
          : "\(plan): plans other content for the \(range.count) bytes at byte \(range.lowerBound)"
            + " than the store has") + way)
    }
  }

  /// The last line.
  private struct Total {
    var rangeCount = 0
    var byteCount: UInt64 = 0

    mutating func add(_ piece: Piece) {
      rangeCount += 1
      byteCount += UInt64(piece.range.count)
    }

    /// With a digest of the first line, to protect its content too.
    func line(after first: String) -> String {
      let digest = Array(SHA256.hash(data: Array(first.utf8))).hexadecimal
      return
        "{\"rangeCount\":\(rangeCount),\"byteCount\":\(byteCount),\"firstLineSHA256\":\""
        + "\(digest)\"}"
    }
  }

  private func forEachPiece(
    of view: SnapshotView, over origin: any BlockSource, _ progress: ProgressHandler,
    _ body: (Piece) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    let before = IOBuffer(byteCount: MappedWindow.byteCountMax)
    let byteCount = view.mappedByteCount
    let chunkByteCount = view.table.geometry.chunkSize.byteCount
    var done: UInt64 = 0
    try view.forEachMappedWindow { (after, window) throws(BlockIOError) in
      _ = try window.read(origin, into: before)
      for span in window.spans {
        // Parts of the store that cannot be read are left alone.
        for lost in window.lost where lost.range.overlaps(span.range) {
          let part = lost.range.clamped(to: span.range)
          let start = span.place.lowerBound + Int(part.lowerBound - span.range.lowerBound)
          after.copy(from: before, start..<start + part.count, to: start)
        }
        for piece in noUndo ? span.cut(every: chunkByteCount) : [span] {
          try body(
            Piece(
              range: piece.range, before: before.digest(piece.place),
              after: after.digest(piece.place)))
        }
        done += UInt64(span.place.count)
      }
      progress(done, byteCount)
    }
  }
}

extension IOBuffer {
  /// The SHA-256 of a range, in hexadecimal.
  fileprivate func digest(_ range: Range<Int>) -> String {
    Array(SHA256.hash(data: bytes(range))).hexadecimal
  }
}
