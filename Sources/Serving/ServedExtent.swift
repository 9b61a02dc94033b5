package import BlockIO
internal import SnapshotKit

/// Contiguous bytes of a served view, and where they come from.
package struct ServedExtent: Equatable, Sendable {
  /// Where bytes come from.
  package enum Content: Sendable {
    /// Nowhere: they are zero in the origin, which has a hole there.
    case hole
    /// The origin.
    case origin
    /// The store.
    case store
    /// They are lost.
    case lost
  }

  /// The bytes.
  package var range: Range<UInt64>
  /// Where they come from.
  package var content: Content
}

extension ServedView {
  /// How much of the view is looked at before the count of extents is.
  private static let stepByteCount: UInt64 = 64 << 20

  /// The extents that a range begins with, ascending, as many as there are up to about `count`.
  package func extents(
    in range: Range<UInt64>, atMost count: Int = 4096
  ) throws(BlockIOError) -> [ServedExtent] {
    var extents: [ServedExtent] = []
    var holes = HoleSearch(view.origin)
    var position = range.lowerBound
    while position < range.upperBound, extents.count < count {
      let end = position + min(Self.stepByteCount, range.upperBound - position)
      try forEachPiece(of: position..<end) { (piece, isLost) throws(BlockIOError) in
        if isLost { return extents.append(merging: piece, .lost) }
        try view.forEachSegment(in: piece) { (segment) throws(BlockIOError) in
          if segment.place != .origin { return extents.append(merging: segment.range, .store) }
          try holes.forEachPiece(of: segment.range) { (piece, isHole) in
            extents.append(merging: piece, isHole ? .hole : .origin)
          }
        }
      }
      position = end
    }
    return extents
  }
}

extension [ServedExtent] {
  /// Appends bytes, merged with the last if they come from the same.
  fileprivate mutating func append(merging range: Range<UInt64>, _ content: ServedExtent.Content) {
    if let last, last.content == content, last.range.upperBound == range.lowerBound {
      self[count - 1].range = last.range.lowerBound..<range.upperBound
    } else {
      append(ServedExtent(range: range, content: content))
    }
  }
}

/// The holes of a source, asked for once each: small segments ask again and again in the same one.
private struct HoleSearch {
  private let source: any BlockSource
  /// What the last answer was about: a hole up to the data, then the data.
  private var known: (start: UInt64, data: Range<UInt64>)?

  init(_ source: any BlockSource) { self.source = source }

  /// Calls `body` with the holes and the data of a range, ascending.
  mutating func forEachPiece(
    of range: Range<UInt64>, _ body: (Range<UInt64>, _ isHole: Bool) -> Void
  ) throws(BlockIOError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let data = try data(from: position)
      if position < data.lowerBound {
        let end = min(data.lowerBound, range.upperBound)
        body(position..<end, true)
        position = end
      } else {
        let end = min(data.upperBound, range.upperBound)
        body(position..<end, false)
        position = end
      }
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
