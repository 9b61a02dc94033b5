import BlockIO
import SnapshotFormat
import SnapshotKit

/// Streams runs to stdout, in large pieces.
struct TablePrinter {
  private static let pieceByteCount = 1 << 16

  private let format: TableCommand.Format
  private let layout: LineLayout
  private let geometry: StoreGeometry
  private let reading: Reading
  private let buffer = IOBuffer(byteCount: pieceByteCount)
  private var used = 0
  private var isFirst = true

  init(_ format: TableCommand.Format, _ geometry: StoreGeometry, _ reading: Reading) {
    self.format = format
    layout = LineLayout(format)
    self.geometry = geometry
    self.reading = reading
  }

  /// Writes the text before the first run.
  mutating func begin() throws {
    switch format {
    case .text: put("old chunk       new chunk       count\n")
    case .csv: put("old,new,count\n")
    case .jsonl: break
    case .json:
      put(
        "{\"schema\": \"dmsnap.table.v1\", \"chunkSectors\": \(geometry.chunkSize.sectorCount), "
          + "\"reading\": \"\(reading.rawValue)\", \"runs\": [")
    }
  }

  /// Writes a run.
  mutating func write(_ run: ExceptionRun) throws {
    if used + LineLayout.byteCountMax > buffer.byteCount { try flush() }
    if format == .json, !isFirst { put(",\n") }
    isFirst = false
    used = buffer.withMutableBytes(0..<buffer.byteCount) { bytes in
      var end = used
      bytes.put(layout.beforeOld, at: &end)
      bytes.put(run.old, paddedTo: layout.width, at: &end)
      bytes.put(layout.beforeNew, at: &end)
      bytes.put(run.new, paddedTo: layout.width, at: &end)
      bytes.put(layout.beforeCount, at: &end)
      bytes.put(run.count, paddedTo: 0, at: &end)
      bytes.put(layout.end, at: &end)
      return end
    }
  }

  /// Writes the text after the last run, and everything not yet written.
  mutating func end() throws {
    if used + LineLayout.byteCountMax > buffer.byteCount { try flush() }
    if format == .json { put("],\n") }
    try flush()
    if format == .json {
      // A store's name may be of any length.
      try OutputStream.standardOutput.write(Console.runKeys(taken: ["reading"]) + "}\n")
    }
  }

  /// Appends a short text that fits.
  private mutating func put(_ text: String) {
    buffer.withMutableBytes(0..<buffer.byteCount) { $0.put(Array(text.utf8), at: &used) }
  }

  private mutating func flush() throws {
    let count = used
    used = 0
    if format == .json { Console.noteObject() }
    try OutputStream.standardOutput.write(buffer, 0..<count)
  }
}

/// The text around the three numbers of a run.
private struct LineLayout {
  /// No line, with its separator, is as long as this.
  static let byteCountMax = 128

  let beforeOld: [UInt8]
  let beforeNew: [UInt8]
  let beforeCount: [UInt8]
  let end: [UInt8]
  /// The width of a column; longer numbers stay separated.
  let width: Int

  init(_ format: TableCommand.Format) {
    let texts =
      switch format {
      case .text: ("", " ", " ", "\n")
      case .csv: ("", ",", ",", "\n")
      case .json: ("{\"old\": ", ", \"new\": ", ", \"count\": ", "}")
      case .jsonl: ("{\"old\": ", ", \"new\": ", ", \"count\": ", "}\n")
      }
    beforeOld = Array(texts.0.utf8)
    beforeNew = Array(texts.1.utf8)
    beforeCount = Array(texts.2.utf8)
    end = Array(texts.3.utf8)
    width = format == .text ? 15 : 0
  }
}

extension MutableSpan<UInt8> {
  /// Writes bytes, and moves `position` past them.
  @inline(__always)
  fileprivate mutating func put(_ bytes: [UInt8], at position: inout Int) {
    for byte in bytes {
      self[position] = byte
      position += 1
    }
  }

  /// Writes a number in decimal digits, then spaces until `width` is filled, and moves `position`
  /// past them.
  @inline(__always)
  fileprivate mutating func put(_ number: UInt64, paddedTo width: Int, at position: inout Int) {
    let start = position
    position += Self.digitCount(of: number)
    var (rest, place) = (number, position)
    while rest >= 10 {
      let (tens, digit) = rest.quotientAndRemainder(dividingBy: 10)
      place -= 1
      self[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
      rest = tens
    }
    self[place - 1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest)
    while position < start + width {
      self[position] = UInt8(ascii: " ")
      position += 1
    }
  }

  @inline(__always)
  private static func digitCount(of number: UInt64) -> Int {
    var (count, rest) = (1, number)
    while rest >= 10_000 { (count, rest) = (count + 4, rest / 10_000) }
    return count + (rest >= 1000 ? 3 : rest >= 100 ? 2 : rest >= 10 ? 1 : 0)
  }
}
