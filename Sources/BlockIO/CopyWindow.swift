/// What one buffer of a copy takes: extents in the order in which they are read, their places in
/// the buffer in the order in which they are written.
///
/// So a source is read as it lies, and a target is written in ascending pieces, neighbours as one.
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
  }

  /// In the order in which they are read.
  private(set) var pieces: [Piece] = []
  /// Ascending.
  private(set) var writes: [Write] = []
  /// What is shared and neither read nor written.
  var clones: [CopyExtent] = []
  /// What of the source turned out to be unreadable, in bytes of the target.
  private(set) var unreadable: [Range<UInt64>] = []
  /// The checksum of what was read, at its places in the source, where that is asked for.
  var checksum = SectorChecksum()
  /// How many bytes of the buffer are used.
  private(set) var byteCount = 0

  var isEmpty: Bool { pieces.isEmpty && clones.isEmpty }

  /// Takes an extent in, which must fit.
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
      if let last = writes.last,
        last.targetOffset + UInt64(last.place.count) == extent.targetOffset
      {
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

  /// Leaves out what turned out to be unreadable of a piece, in bytes of the source, ascending.
  mutating func leaveOut(_ ranges: [Range<UInt64>], of piece: Piece) {
    for range in ranges {
      let shift = piece.extent.targetOffset &- piece.extent.sourceOffset
      let hole = range.lowerBound &+ shift..<range.upperBound &+ shift
      unreadable.append(hole)
      writes = writes.flatMap { write -> [Write] in
        let end = write.targetOffset + UInt64(write.place.count)
        guard hole.overlaps(write.targetOffset..<end) else { return [write] }
        let before = Int(max(hole.lowerBound, write.targetOffset) - write.targetOffset)
        let after = Int(min(hole.upperBound, end) - write.targetOffset)
        return [
          Write(
            targetOffset: write.targetOffset,
            place: write.place.lowerBound..<write.place.lowerBound + before),
          Write(
            targetOffset: write.targetOffset + UInt64(after),
            place: write.place.lowerBound + after..<write.place.upperBound),
        ].filter { !$0.place.isEmpty }
      }
    }
  }
}
