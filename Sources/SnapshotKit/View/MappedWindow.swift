internal import BlockIO
internal import SnapshotFormat

/// A part of the mapped bytes, read from the store: spans of the view in ascending order, and their
/// places in a buffer.
struct MappedWindow: Sendable {
  static let byteCountMax = 4 << 20

  /// Bytes of the view and their place in a buffer.
  struct Span: Sendable {
    let range: Range<UInt64>
    let place: Range<Int>

    /// Its pieces, cut at multiples of that many bytes of the view.
    func cut(every byteCount: UInt64) -> [Span] {
      var pieces: [Span] = []
      var (start, position) = (range.lowerBound, place.lowerBound)
      while start < range.upperBound {
        let end = min((start / byteCount + 1) * byteCount, range.upperBound)
        let next = position + Int(end - start)
        pieces.append(Span(range: start..<end, place: position..<next))
        (start, position) = (end, next)
      }
      return pieces
    }
  }

  /// Ascending; neighbours are one.
  private(set) var spans: [Span] = []
  /// Ranges that could not be read; the buffer has zeroes there.
  fileprivate(set) var lost: [LostRange] = []
  /// The number of used bytes in the buffer.
  private(set) var byteCount = 0

  /// Appends bytes of the view.
  fileprivate mutating func add(_ range: Range<UInt64>) {
    let place = byteCount..<byteCount + range.count
    byteCount = place.upperBound
    if let last = spans.last, last.range.upperBound == range.lowerBound {
      spans[spans.count - 1] = Span(
        range: last.range.lowerBound..<range.upperBound,
        place: last.place.lowerBound..<place.upperBound)
    } else {
      spans.append(Span(range: range, place: place))
    }
  }

  /// Reads the origin's content of the same bytes into the same places.
  ///
  /// - Returns: What could not be read.
  func read(_ origin: any BlockSource, into buffer: IOBuffer) throws(BlockIOError) -> [LostRange] {
    var lost: [LostRange] = []
    for span in spans {
      let start = span.range.lowerBound
      for range in try origin.readAround(at: start, into: buffer, span.place) {
        lost.append(merging: LostRange(range, .originUnreadable))
      }
    }
    return lost
  }
}

extension SnapshotView {
  /// Calls `body` with everything that the table maps, window by window; another thread reads
  /// ahead.
  ///
  /// A window ends at the end of a chunk, or within a chunk that is larger than a window.
  func forEachMappedWindow(
    _ body: (IOBuffer, MappedWindow) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    try Conveyor<MappedWindow>.run(bufferByteCount: MappedWindow.byteCountMax) {
      (conveyor) throws(BlockIOError) in
      try self.load(conveyor)
    } unload: { (buffer, window) throws(BlockIOError) in
      try body(buffer, window)
    }
  }

  private func load(_ conveyor: Conveyor<MappedWindow>) throws(BlockIOError) {
    let chunkByteCount = table.geometry.chunkSize.byteCount
    let windowByteCount = UInt64(MappedWindow.byteCountMax)
    var window = MappedWindow()
    var isWanted = true
    func send() throws(BlockIOError) {
      guard isWanted, let buffer = conveyor.nextBuffer() else {
        isWanted = false
        return
      }
      willRead(window.spans.map(\.range))
      for span in window.spans {
        try read(span.range, into: buffer, at: span.place.lowerBound, lost: &window.lost)
      }
      conveyor.send(buffer, window)
      window = MappedWindow()
    }
    try forEachSegment(in: 0..<byteCount) { (segment) throws(BlockIOError) in
      if segment.place == .origin { return }
      var position = segment.range.lowerBound
      while position < segment.range.upperBound, isWanted {
        let room = windowByteCount - UInt64(window.byteCount)
        var end = min(segment.range.upperBound, position + room)
        if end < segment.range.upperBound, chunkByteCount <= windowByteCount {
          end = end / chunkByteCount * chunkByteCount
        }
        if end > position { window.add(position..<end) }
        position = max(position, end)
        if position < segment.range.upperBound { try send() }
      }
    }
    if window.byteCount > 0 { try send() }
  }
}
