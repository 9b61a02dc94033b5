internal import BlockIO
package import SnapshotFormat

/// The evidence in the areas for a chunk size, regardless of the header.
///
/// Areas are E + 1 chunks apart, and each holds the numbers of the data chunks right after it. Thus
/// every chunk size has its own places for areas, and only the true one finds exceptions where
/// Linux would have put them; file data does not look like that.
package struct ChunkSizeEvidence: Sendable {
  /// The findings under one chunk size.
  package struct Score: Equatable, Sendable {
    /// The chunk size.
    package let chunkSize: ChunkSize
    /// The number of examined areas that hold exceptions in their places.
    package fileprivate(set) var areaCount = 0
    /// The number of such exceptions in them.
    package fileprivate(set) var exceptionCount = 0
    /// The number of them in area 0.
    fileprivate(set) var firstAreaCount = 0
    /// Whether area 0 names the first data chunk first, and holds nothing but exceptions.
    fileprivate(set) var beginsTable = false

    fileprivate init(_ chunkSize: ChunkSize) { self.chunkSize = chunkSize }

    /// Whether this is more than chance.
    var isConvincing: Bool { isStrong || beginsTable }

    /// Whether it is enough to overrule a header whose own size finds nothing.
    var overrules: Bool { isStrong || (beginsTable && exceptionCount >= 2) }

    private var isStrong: Bool { exceptionCount >= AreaLaw.strongCount }

    /// Whether another score is better.
    ///
    /// A table in area 0 is in use; any number of exceptions after it may be an older one's.
    fileprivate static func < (left: Score, right: Score) -> Bool {
      let (lefts, rights) = (left.isTable, right.isTable)
      return lefts == rights ? left.exceptionCount < right.exceptionCount : rights
    }

    private var isTable: Bool { beginsTable && isStrong }
  }

  /// The number of bytes of an area to examine.
  private static let sampleByteCount: UInt64 = 4096
  /// The number of areas examined: a reset loses at most the first four.
  private static let areaCountMax: UInt64 = 64

  /// The score of every chunk size, the smallest first.
  package let scores: [Score]

  /// Examines the places where each chunk size would have its areas.
  init(_ source: any BlockSource) {
    scores = ChunkSize.all.map { Self.score(source, $0, isExpected: false) }
  }

  /// The score that settles it, if one does.
  package var best: Score? {
    scores.filter(\.isConvincing).max { $0 < $1 }
  }

  /// The second best, if it is more than chance: the evidence is then ambiguous.
  package var rival: Score? {
    scores.filter { $0.isConvincing && $0 != best }.max { $0 < $1 }
  }

  /// Scores one chunk size.
  ///
  /// - Parameters:
  ///   - isExpected: Whether a header states that a table of this chunk size begins in area 0.
  ///   - areaCountMax: How many areas are looked at.
  static func score(
    _ source: any BlockSource, _ chunkSize: ChunkSize, isExpected: Bool,
    areaCountMax: UInt64 = areaCountMax
  ) -> Score {
    let geometry = StoreGeometry(chunkSize: chunkSize, byteCount: source.byteCount)
    let byteCount = Int(min(chunkSize.byteCount, sampleByteCount))
    let buffer = IOBuffer(byteCount: byteCount)
    var judge = SlotJudge(geometry)
    var score = Score(chunkSize)
    var area = AreaIndex(0)
    while area.index < areaCountMax, let start = geometry.byteOffset(of: area),
      start < source.byteCount, source.byteCount - start >= UInt64(byteCount)
    {
      let unreadable: [Range<UInt64>]
      do throws(BlockIOError) {
        unreadable = try source.readAround(at: start, into: buffer, 0..<byteCount)
      } catch {
        // No evidence here; if the area is needed, reading it fails the same way.
        area.index += 1
        continue
      }
      if !buffer.isZero(0..<byteCount) {
        buffer.withRecords(of: DiskException.self, count: byteCount / DiskException.byteCount) {
          judge.judge(
            $0, at: area.index * chunkSize.exceptionsPerArea,
            unreadable: unreadable.map { SlotJudge.slots(of: $0, from: start) },
            after: SlotJudge.Context(shift: nil, isExpected: isExpected && area.index == 0))
          let count = judge.kinds.count { $0 == .kept }
          score.exceptionCount += count
          score.areaCount += count > 0 ? 1 : 0
          if area.index == 0 {
            score.firstAreaCount = count
            let isPure = judge.kinds.allSatisfy { $0 == .kept || $0 == .zero }
            score.beginsTable = isPure && $0[0].newChunk == StoreGeometry.firstDataChunk
          }
        }
      }
      area.index += 1
    }
    return score
  }
}
