internal import BlockIO
internal import SnapshotFormat

// Blocks of zeroes in place of data that a copy could not read.

extension Auditor {
  /// Shorter ones are common, longer ones no block of a copy.
  private static let blockByteCounts: ClosedRange<UInt64> = 64 << 10...1 << 20
  /// One sector in this many bytes is examined: no such block fits between two.
  private static let sampleDistance: UInt64 = 32 << 10
  /// At most this many sectors, which sample 2 GiB.
  private static let sampleCountMax = 1 << 16

  /// Finds blocks of zeroes whose length is a power of two, and that are shared by unrelated chunks
  /// or by an area; and adds the findings.
  func findZeroBlocks(addingTo audit: inout Audit) throws(StoreError) {
    guard audit.isStore, let geometry = audit.plan?.geometry ?? audit.geometry else { return }
    let source = audit.plan?.store.source ?? store.source
    var runs = try runs(audit)
    runs.sort { $0.new < $1.new }
    guard let last = runs.last, let end = geometry.byteOffset(of: Chunk(last.new + last.count))
    else { return }
    var tally: Tally?
    do throws(BlockIOError) {
      let zeroes = ZeroRuns(source, before: min(end, source.byteCount))
      var position = Self.sampleDistance
      for _ in 0..<Self.sampleCountMax where position < end {
        let run = try zeroes.run(around: position, atMost: Self.blockByteCounts.upperBound)
        position = max(position, run?.upperBound ?? 0) + Self.sampleDistance
        guard let run, Self.isBlock(run), let words = Self.owners(of: run, runs, geometry) else {
          continue
        }
        if tally == nil {
          tally = Tally(
            Finding(
              code: .dataZeroBlock, place: Finding.Place(bytes: run),
              found: "\(run.upperBound - run.lowerBound) bytes of zeroes, in \(words)",
              required: "data"))
        } else {
          tally?.add(run)
        }
      }
    } catch {
      throw .io(error)
    }
    if let tally { audit.add(tally.finding) }
  }

  private static func isBlock(_ run: Range<UInt64>) -> Bool {
    let count = run.upperBound - run.lowerBound
    return blockByteCounts.contains(count) && count.nonzeroBitCount == 1
      && run.lowerBound % 4096 == 0
  }

  /// The chunks that share a block, if it holds more than one run's data.
  private static func owners(
    of block: Range<UInt64>, _ runs: [ExceptionRun], _ geometry: StoreGeometry
  ) -> String? {
    let (first, last) = (
      geometry.chunk(containing: block.lowerBound).index,
      geometry.chunk(containing: block.upperBound - 1).index
    )
    let area = (first...last).first { geometry.isMetadata(Chunk($0)) }
    let count = runs.count { $0.new <= last && $0.new + $0.count > first }
    let words = "the data of \(count) runs of exceptions"
    guard let area else { return count > 1 ? words : nil }
    return words + " and area \(area / geometry.chunkSize.areaStride)"
  }

  /// The table of a salvage, if there is something to salvage, otherwise Linux's.
  private func runs(_ audit: Audit) throws(StoreError) -> [ExceptionRun] {
    if let generation = audit.plan?.generations.first { return generation.runs }
    return try wrapping(store.explained(table:), try audit.walk.table?.get().runs) ?? []
  }
}

/// Finds where zeroes begin and end.
private struct ZeroRuns {
  private let source: any BlockSource
  private let end: UInt64
  private let buffer = IOBuffer(byteCount: 4096)

  init(_ source: any BlockSource, before end: UInt64) {
    self.source = source
    self.end = end
  }

  /// The zeroes around a sector, in sectors, as far as they are examined; nil if the sector is not
  /// zero.
  func run(
    around byteOffset: UInt64, atMost byteCount: UInt64
  ) throws(BlockIOError) -> Range<UInt64>? {
    guard byteOffset < end, try isZero(byteOffset, 512) else { return nil }
    var (first, next) = (byteOffset, byteOffset + 512)
    while first > 0, next - first <= byteCount, try isZero(first - 512, 512) { first -= 512 }
    while next < end, next - first <= byteCount, try isZero(next, 512) { next += 512 }
    return first..<next
  }

  private func isZero(_ byteOffset: UInt64, _ byteCount: Int) throws(BlockIOError) -> Bool {
    let count = Int(min(UInt64(byteCount), end - min(byteOffset, end)))
    let lost = try source.readAround(at: byteOffset, into: buffer, 0..<count)
    return lost.isEmpty && buffer.isZero(0..<count)
  }
}
