public import BlockIO

/// Told how far a long job is: bytes done, of bytes in all.
public typealias ProgressHandler = (_ doneByteCount: UInt64, _ byteCount: UInt64) -> Void

/// Where an export goes: a file that stays sparse, or a stream.
public protocol ExportSink: AnyObject {
  /// Takes the next bytes.
  func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError)
  /// Takes that many zeroes.
  func appendZeroes(byteCount: UInt64) throws(BlockIOError)
}

/// Writes a snapshot as a raw image.
public struct Exporter {
  /// What is read and written at once: large, and a multiple of every file system's block.
  private static let windowByteCount: UInt64 = 1 << 20
  /// Zeroes of this many bytes become a hole.
  private static let holeByteCount = 4096

  private let view: SnapshotView

  /// An exporter of `view`.
  public init(_ view: SnapshotView) { self.view = view }

  /// Writes the view into `sink` from its first byte to its last.
  ///
  /// - Returns: What could not be read; the image holds zeroes there.
  public func export(
    to sink: any ExportSink, progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    var lost: [LostRange] = []
    let buffer = IOBuffer(byteCount: Int(min(Self.windowByteCount, max(view.byteCount, 1))))
    var position: UInt64 = 0
    while let data = try view.nextData(from: position) {
      try sink.appendZeroes(byteCount: data.lowerBound - position)
      position = data.lowerBound
      while position < data.upperBound {
        // Windows end at multiples of their size, to keep later requests aligned.
        let end = min(
          data.upperBound, (position / Self.windowByteCount + 1) * Self.windowByteCount)
        try view.read(position..<end, into: buffer, lost: &lost)
        try append(buffer, byteCount: Int(end - position), to: sink)
        position = end
        progress(position, view.byteCount)
      }
    }
    try sink.appendZeroes(byteCount: view.byteCount - position)
    progress(view.byteCount, view.byteCount)
    return lost
  }

  /// Appends the beginning of the buffer, whole blocks of zeroes as such.
  private func append(
    _ buffer: IOBuffer, byteCount: Int, to sink: any ExportSink
  ) throws(BlockIOError) {
    var (start, position) = (0, 0)
    while position < byteCount {
      let end = min(position + Self.holeByteCount, byteCount)
      if buffer.isZero(position..<end) {
        if start < position { try sink.append(buffer, start..<position) }
        try sink.appendZeroes(byteCount: UInt64(end - position))
        start = end
      }
      position = end
    }
    if start < byteCount { try sink.append(buffer, start..<byteCount) }
  }

  /// Writes the view into `output`, sharing what can be shared with the origin's and the store's
  /// files where the file system is able to (reflink), and copying everywhere else.
  ///
  /// - Returns: What could not be read; the image holds zeroes there.
  public func export(
    to output: OutputFile, origin: any BlockSource, store: any BlockSource,
    progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    guard let origin = origin as? FileSource, output.clone(from: origin) else {
      return try export(to: FileSink(output), progress: progress)
    }
    var lost: [LostRange] = []
    let buffer = IOBuffer(byteCount: Int(Self.windowByteCount))
    try view.forEachSegment(in: 0..<view.byteCount) { (segment) throws(BlockIOError) in
      if segment.place == .origin { return }
      if case .store(let offset) = segment.place, let file = store as? FileSource,
        output.clone(from: file, at: offset, to: segment.range)
      {
        progress(segment.range.upperBound, view.byteCount)
        return
      }
      var position = segment.range.lowerBound
      while position < segment.range.upperBound {
        let end = min(segment.range.upperBound, position + Self.windowByteCount)
        try view.read(position..<end, into: buffer, lost: &lost)
        let count = Int(end - position)
        if !buffer.isZero(0..<count) || !output.punchHole(position..<end) {
          try output.write(at: position, from: buffer, 0..<count)
        }
        position = end
        progress(position, view.byteCount)
      }
    }
    progress(view.byteCount, view.byteCount)
    return lost
  }
}

/// An export into a new file: zeroes are left as holes.
public final class FileSink: ExportSink {
  private let output: OutputFile
  private var position: UInt64 = 0

  /// A sink that fills `output` from its beginning.
  public init(_ output: OutputFile) { self.output = output }

  public func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
    try output.write(at: position, from: buffer, range)
    position += UInt64(range.count)
  }

  public func appendZeroes(byteCount: UInt64) throws(BlockIOError) {
    position += byteCount
  }
}

/// An export into a stream, such as standard output: zeroes are written.
public final class StreamSink: ExportSink {
  private let stream: OutputStream
  private let zeroes = IOBuffer(byteCount: 1 << 16)

  /// A sink that writes to `stream`.
  public init(_ stream: OutputStream) { self.stream = stream }

  public func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
    try stream.write(buffer, range)
  }

  public func appendZeroes(byteCount: UInt64) throws(BlockIOError) {
    var left = byteCount
    while left > 0 {
      let count = Int(min(left, UInt64(zeroes.byteCount)))
      try stream.write(zeroes, 0..<count)
      left -= UInt64(count)
    }
  }
}
