package import BlockIO
internal import SnapshotKit

/// Contiguous served bytes that are all a hole, or all data.
package struct ServedExtent: Equatable, Sendable {
  /// The bytes.
  package var range: Range<UInt64>
  /// Whether they are zero because the origin has a hole there, and neither the store, a loss nor a
  /// client's write takes its place.
  package var isHole: Bool
}

extension ServedView {
  /// The number of bytes in the first step, and the maximum in a step; extents are counted after
  /// each.
  private static let stepByteCounts: ClosedRange<UInt64> = 1 << 16...1 << 30

  /// The extents that a range begins with, ascending, as many as there are up to `count`; the last
  /// of them may go on.
  ///
  /// - Parameters:
  ///   - layer: Its layer of client writes.
  ///   - shortest: Shorter holes between data count as data, which is always a safe answer.
  package func extents(
    in range: Range<UInt64>, under layer: TrialLayer? = nil, holesFrom shortest: UInt64 = 0,
    atMost count: Int = 4096
  ) throws(BlockIOError) -> [ServedExtent] {
    var extents = ExtentList(shortest)
    var holes = HoleSearch(view.origin)
    var position = range.lowerBound
    var step = Self.stepByteCounts.lowerBound
    while position < range.upperBound, !extents.has(count) {
      let end = position + min(step, range.upperBound - position)
      try holes.forEachPiece(of: position..<end) { (piece, isHole) throws(BlockIOError) in
        guard isHole else { return extents.append(piece, isHole: false) }
        var start = piece.lowerBound
        for written in layer?.written(in: piece) ?? [] {
          forEachHole(in: start..<written.lowerBound) { extents.append($0, isHole: $1) }
          extents.append(written, isHole: false)
          start = written.upperBound
        }
        forEachHole(in: start..<piece.upperBound) { extents.append($0, isHole: $1) }
      }
      position = end
      step = min(2 * step, Self.stepByteCounts.upperBound)
    }
    return Array(extents.all.prefix(count))
  }

  /// Calls `body` with the pieces of a hole of the origin that are holes of the view too, and with
  /// the others, ascending.
  private func forEachHole(
    in range: Range<UInt64>, _ body: (Range<UInt64>, _ isHole: Bool) -> Void
  ) {
    forEachPiece(of: range) { piece, isLost in
      if isLost { return body(piece, false) }
      view.forEachSegment(in: piece) { body($0.range, $0.place == .origin) }
    }
  }
}

/// Extents that follow each other, data and holes by turns.
private struct ExtentList {
  private(set) var all: [ServedExtent] = []
  private let shortestHole: UInt64

  /// - Parameter shortestHole: Data takes a shorter hole before it in.
  init(_ shortestHole: UInt64) { self.shortestHole = shortestHole }

  private var endsInShortHole: Bool {
    all.last.map { $0.isHole && $0.range.count < shortestHole } ?? false
  }

  /// Whether the end of each of the first so many is known: there is one more, which stays.
  func has(_ count: Int) -> Bool { all.count > count && !endsInShortHole }

  /// Appends bytes, merged with the last if they are alike.
  mutating func append(_ range: Range<UInt64>, isHole: Bool) {
    if range.isEmpty { return }
    var start = range.lowerBound
    if !isHole, endsInShortHole { start = all.removeLast().range.lowerBound }
    if let last = all.last, last.isHole == isHole { start = all.removeLast().range.lowerBound }
    all.append(ServedExtent(range: start..<range.upperBound, isHole: isHole))
  }
}

/// The holes of a source, queried once each: a hole or data may be longer than the examined range.
private struct HoleSearch {
  private let source: any BlockSource
  /// The last answer: a hole up to the data, then the data.
  private var known: (start: UInt64, data: Range<UInt64>)?

  init(_ source: any BlockSource) { self.source = source }

  /// Calls `body` with the holes and the data of a range, ascending.
  mutating func forEachPiece(
    of range: Range<UInt64>,
    _ body: (Range<UInt64>, _ isHole: Bool) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let data = try data(from: position)
      let isHole = position < data.lowerBound
      let end = min(isHole ? data.lowerBound : data.upperBound, range.upperBound)
      try body(position..<end, isHole)
      position = end
    }
  }

  /// The data that a byte is in, or the next; at the end of the source if there is none.
  private mutating func data(from position: UInt64) throws(BlockIOError) -> Range<UInt64> {
    if let known, known.start <= position, position < known.data.upperBound { return known.data }
    let data = try source.nextData(from: position) ?? UInt64.max..<UInt64.max
    known = (position, data)
    return data
  }
}
