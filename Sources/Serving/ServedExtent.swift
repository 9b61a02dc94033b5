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
    /// What was written to the trial layer.
    case layer
    /// They are lost.
    case lost
  }

  /// The bytes.
  package var range: Range<UInt64>
  /// Where they come from.
  package var content: Content
}

extension ServedView {
  /// How many bytes are looked at before the count of extents is.
  private static let stepByteCount: UInt64 = 64 << 20

  /// The extents that a range begins with, ascending, as many as there are up to about `count`.
  ///
  /// - Parameter layer: What was written to it.
  package func extents(
    in range: Range<UInt64>, under layer: TrialLayer? = nil, atMost count: Int = 4096
  ) throws(BlockIOError) -> [ServedExtent] {
    var extents: [ServedExtent] = []
    var holes = HoleSearch(view.origin)
    var position = range.lowerBound
    while position < range.upperBound, extents.count < count {
      let end = position + min(Self.stepByteCount, range.upperBound - position)
      for written in layer?.written(in: position..<end) ?? [] {
        try forEachExtent(in: position..<written.lowerBound, &holes) {
          extents.append(merging: $0)
        }
        extents.append(merging: ServedExtent(range: written, content: .layer))
        position = written.upperBound
      }
      try forEachExtent(in: position..<end, &holes) { extents.append(merging: $0) }
      position = end
    }
    return extents
  }

  /// Calls `body` with the extents that make up a range, ascending; neighbours may be alike.
  private func forEachExtent(
    in range: Range<UInt64>, _ holes: inout HoleSearch, _ body: (ServedExtent) -> Void
  ) throws(BlockIOError) {
    try forEachPiece(of: range) { (piece, isLost) throws(BlockIOError) in
      if isLost { return body(ServedExtent(range: piece, content: .lost)) }
      try view.forEachSegment(in: piece) { (segment) throws(BlockIOError) in
        guard segment.place == .origin else {
          return body(ServedExtent(range: segment.range, content: .store))
        }
        try holes.forEachPiece(of: segment.range) { (piece, isHole) in
          body(ServedExtent(range: piece, content: isHole ? .hole : .origin))
        }
      }
    }
  }
}

extension [ServedExtent] {
  /// Appends an extent, merged with the last if it comes from the same.
  fileprivate mutating func append(merging extent: ServedExtent) {
    if let last, last.content == extent.content,
      last.range.upperBound == extent.range.lowerBound
    {
      self[count - 1].range = last.range.lowerBound..<extent.range.upperBound
    } else {
      append(extent)
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
