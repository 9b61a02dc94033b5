package import BlockIO

/// Writes a snapshot as a raw image.
///
/// One thread reads ahead, the caller's writes.
package struct Exporter: Sendable {
  /// The number of bytes read and written at once: large, and a multiple of every file system's
  /// block.
  private static let windowByteCount: UInt64 = 4 << 20
  /// Blocks of zeroes of this size become a hole.
  private static let holeByteCount = 4096

  private let view: SnapshotView

  /// An exporter of `view`.
  package init(_ view: SnapshotView) { self.view = view }

  /// A buffer's content, as part of the view.
  private struct Window: Sendable {
    let range: Range<UInt64>
    var lost: [LostRange] = []
  }

  /// Writes the view into `sink` from its first byte to its last.
  ///
  /// - Returns: What could not be read; the image holds zeroes there.
  package func export(
    to sink: any ExportSink, progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    var lost: [LostRange] = []
    var position: UInt64 = 0
    let windowByteCount = Int(min(Self.windowByteCount, max(view.byteCount, 1)))
    try Conveyor<Window>.run(bufferByteCount: windowByteCount) {
      (conveyor) throws(BlockIOError) in
      try load(conveyor)
    } unload: { (buffer, window) throws(BlockIOError) in
      for range in window.lost { lost.append(merging: range) }
      try sink.appendZeroes(byteCount: window.range.lowerBound - position)
      var written = 0
      try buffer.forEachNonZeroPiece(
        of: 0..<window.range.count, holeByteCount: Self.holeByteCount
      ) { (piece) throws(BlockIOError) in
        try sink.appendZeroes(byteCount: UInt64(piece.lowerBound - written))
        try sink.append(buffer, piece)
        written = piece.upperBound
      }
      try sink.appendZeroes(byteCount: UInt64(window.range.count - written))
      position = window.range.upperBound
      progress(position, view.byteCount)
    }
    try sink.appendZeroes(byteCount: view.byteCount - position)
    try view.checkUnchanged()
    progress(view.byteCount, view.byteCount)
    return lost
  }

  private func load(_ conveyor: Conveyor<Window>) throws(BlockIOError) {
    var position: UInt64 = 0
    while let data = try view.nextData(from: position) {
      position = data.lowerBound
      while position < data.upperBound {
        // Windows end at multiples of their size, to keep later requests aligned.
        let end = min(
          data.upperBound, (position / Self.windowByteCount + 1) * Self.windowByteCount)
        guard let buffer = conveyor.nextBuffer() else { return }
        var window = Window(range: position..<end)
        try view.read(window.range, into: buffer, lost: &window.lost)
        conveyor.send(buffer, window)
        position = end
      }
    }
  }

  /// Writes the view into `output`, sharing data with the origin's and the store's files if the
  /// file system can (reflink), and copying everything else.
  ///
  /// - Returns: What could not be read; the image holds zeroes there.
  package func export(
    to output: OutputFile, origin: any BlockSource, store: any BlockSource,
    progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    guard let origin = origin as? FileSource, output.clone(from: origin) else {
      return try export(to: FileSink(output), progress: progress)
    }
    let order = StoreOrder(view)
    let byteCount = view.mappedByteCount
    let outcome = try ExtentCopier(
      from: store, to: output, readsAround: true, sharesUnread: view.table.reading != .salvage
    ).copy(
      { (copy) throws(BlockIOError) in
        try order.forEachSegment { (segment) throws(BlockIOError) in
          if let extent = segment.extent { try copy(extent) }
        }
      },
      progress: {
        progress($0, byteCount)
        return true
      })
    let lost = outcome.unreadable.map { LostRange($0, .storeUnreadable) }
      .merged(with: view.rangesBeyondStore).merged(with: try unreadable(of: origin))
    for lost in lost { try output.zero(lost.range) }
    try view.checkUnchanged()
    return lost
  }
}

extension Exporter {
  /// The unreadable parts of an origin that was shared as a whole and would show: it has not been
  /// read yet.
  private func unreadable(of origin: FileSource) throws(BlockIOError) -> [LostRange] {
    let buffer = IOBuffer(byteCount: 1 << 20)
    var lost: [LostRange] = []
    var position: UInt64 = 0
    while let data = try origin.nextData(from: position) {
      position = data.lowerBound
      while position < data.upperBound {
        let count = min(UInt64(buffer.byteCount), data.upperBound - position)
        for range in try origin.readAround(at: position, into: buffer, 0..<Int(count)) {
          view.forEachSegment(in: range.clamped(to: 0..<view.byteCount)) { segment in
            if segment.place == .origin {
              lost.append(merging: LostRange(segment.range, .originUnreadable))
            }
          }
        }
        position += count
      }
    }
    return lost
  }

  /// Writes a volume unchanged into `output`, sharing data where possible.
  ///
  /// - Returns: What could not be read; the image holds zeroes there.
  package static func export(
    _ volume: any BlockSource, to output: OutputFile, progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    let byteCount = volume.byteCount
    let outcome = try ExtentCopier(
      from: volume, to: output, readsAround: true, leavesZeroes: true
    ).copy(
      { (copy) throws(BlockIOError) in
        var position: UInt64 = 0
        while let data = try volume.nextData(from: position) {
          position = data.upperBound
          try copy(
            CopyExtent(
              sourceOffset: data.lowerBound, targetOffset: data.lowerBound,
              byteCount: data.upperBound - data.lowerBound))
        }
      },
      progress: {
        progress($0, byteCount)
        return true
      })
    try volume.checkUnchanged()
    return outcome.unreadable.map { LostRange($0, .volumeUnreadable) }
  }
}

/// An export into a new file: zeroes are left as holes.
final class FileSink: ExportSink {
  private let output: OutputFile
  private var position: UInt64 = 0

  /// A sink that fills `output` from its beginning.
  init(_ output: OutputFile) { self.output = output }

  package func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
    try output.write(at: position, from: buffer, range)
    position += UInt64(range.count)
  }

  package func appendZeroes(byteCount: UInt64) throws(BlockIOError) {
    position += byteCount
  }
}

/// An export into a stream, such as stdout: zeroes are written.
package final class StreamSink: ExportSink {
  private let stream: OutputStream
  private let zeroes = IOBuffer(byteCount: 1 << 16)

  /// A sink that writes to `stream`.
  package init(_ stream: OutputStream) { self.stream = stream }

  package func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
    try stream.write(buffer, range)
  }

  package func appendZeroes(byteCount: UInt64) throws(BlockIOError) {
    var left = byteCount
    while left > 0 {
      let count = Int(min(left, UInt64(zeroes.byteCount)))
      try stream.write(zeroes, 0..<count)
      left -= UInt64(count)
    }
  }
}
