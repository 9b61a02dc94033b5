/// The extents that share one buffer of a copy, in reading order, with their places in the buffer
/// in writing order.
///
/// Thus a source is read in its own order, and a target is written in ascending pieces, neighbours
/// as one.
struct CopyWindow: Sendable {
  /// An extent and where in the buffer it begins.
  struct Piece: Sendable {
    let extent: CopyExtent
    var start = 0

    /// Its place in the buffer.
    var place: Range<Int> { start..<start + Int(extent.byteCount) }
  }

  /// Bytes of the buffer that are written at once.
  struct Write: Sendable {
    var targetOffset: UInt64
    var place: Range<Int>

    /// The bytes of the target.
    var targetRange: Range<UInt64> { targetOffset..<targetOffset + UInt64(place.count) }

    fileprivate func first(_ count: Int) -> Write {
      Write(targetOffset: targetOffset, place: place.lowerBound..<place.lowerBound + count)
    }

    fileprivate mutating func removeFirst(_ count: Int) {
      targetOffset += UInt64(count)
      place = place.lowerBound + count..<place.upperBound
    }
  }

  /// In reading order.
  private(set) var pieces: [Piece] = []
  /// Ascending.
  private(set) var writes: [Write] = []
  /// Extents that are shared and neither read nor written.
  var clones: [CopyExtent] = []
  /// Bytes of the source that turned out to be unreadable, as bytes of the target.
  private(set) var unreadable: [Range<UInt64>] = []
  /// The checksum of the bytes read, at their places in the source, if requested.
  var checksum = SectorChecksum()
  /// The number of used bytes in the buffer.
  private(set) var byteCount = 0

  var isEmpty: Bool { pieces.isEmpty && clones.isEmpty }

  /// Adds an extent, which must fit.
  mutating func add(_ extent: CopyExtent) {
    pieces.append(Piece(extent: extent))
    byteCount += Int(extent.byteCount)
  }

  /// Gives each piece its place.
  mutating func arrange() {
    writes.reserveCapacity(pieces.count)
    var start = 0
    func place(_ index: Int) {
      let extent = pieces[index].extent
      pieces[index].start = start
      let place = start..<start + Int(extent.byteCount)
      start = place.upperBound
      if let last = writes.last, last.targetRange.upperBound == extent.targetOffset {
        writes[writes.count - 1].place = last.place.lowerBound..<place.upperBound
      } else {
        writes.append(Write(targetOffset: extent.targetOffset, place: place))
      }
    }
    let isAscending = zip(pieces, pieces.dropFirst()).allSatisfy {
      $0.extent.targetOffset < $1.extent.targetOffset
    }
    if isAscending { return pieces.indices.forEach(place) }
    pieces.indices.sorted {
      pieces[$0].extent.targetOffset < pieces[$1].extent.targetOffset
    }.forEach(place)
  }

  /// Notes unreadable bytes of a piece, in bytes of the source, ascending.
  mutating func note(unreadable ranges: [Range<UInt64>], of piece: Piece) {
    let shift = piece.extent.targetOffset &- piece.extent.sourceOffset
    unreadable += ranges.map { $0.lowerBound &+ shift..<$0.upperBound &+ shift }
  }

  /// Removes unreadable ranges from the writes.
  mutating func leaveOutUnreadable() {
    if unreadable.isEmpty { return }
    unreadable.sort { $0.lowerBound < $1.lowerBound }
    var index = 0
    writes = writes.flatMap { write -> [Write] in
      var kept: [Write] = []
      var rest = write
      // No hole crosses from one write into another: each is one piece.
      while index < unreadable.count, unreadable[index].lowerBound < write.targetRange.upperBound {
        let hole = unreadable[index]
        kept.append(rest.first(Int(hole.lowerBound - rest.targetOffset)))
        rest.removeFirst(Int(hole.upperBound - rest.targetOffset))
        index += 1
      }
      return (kept + [rest]).filter { !$0.place.isEmpty }
    }
  }
}
