public import BlockIO
internal import SystemPackage

/// Bytes in memory, with holes between them, some of which cannot be read; it remembers every read.
public final class FaultySource: BlockSource, @unchecked Sendable {
  public let name: String
  public let byteCount: UInt64
  private let pieces: [(byteOffset: UInt64, content: IOBuffer)]

  /// Reading any of these fails, and costs the whole request.
  public var unreadable: [Range<UInt64>] = []
  /// How it fails.
  public var failure = BlockIOError.Reason.system(.ioError)
  /// Every range that was asked for, in that order, failed reads as well.
  public private(set) var reads: [Range<UInt64>] = []

  /// Every range that it was told will be read, in that order.
  public private(set) var announced: [Range<UInt64>] = []

  /// A source of those bytes.
  public init(_ bytes: [UInt8], name: String = "faulty.img", unreadable: [Range<UInt64>] = []) {
    self.name = name
    byteCount = UInt64(bytes.count)
    pieces = [(0, IOBuffer(bytes))]
    self.unreadable = unreadable
  }

  /// A source as long as one likes, all zero but for those pieces.
  public init(
    byteCount: UInt64, name: String = "sparse.img", pieces: [(byteOffset: UInt64, bytes: [UInt8])]
  ) {
    self.name = name
    self.byteCount = byteCount
    self.pieces = pieces.map { ($0.byteOffset, IOBuffer($0.bytes)) }
  }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    reads.append(bytes)
    if unreadable.contains(where: { $0.overlaps(bytes) }) {
      throw BlockIOError(name, .read, failure, at: bytes)
    }
    buffer.zero(range)
    for piece in pieces {
      let part = bytes.clamped(
        to: piece.byteOffset..<piece.byteOffset + UInt64(piece.content.byteCount))
      if part.isEmpty { continue }
      let start = Int(part.lowerBound - piece.byteOffset)
      buffer.copy(
        from: piece.content, start..<start + part.count,
        to: range.lowerBound + Int(part.lowerBound - bytes.lowerBound))
    }
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    pieces.lazy
      .map { $0.byteOffset..<$0.byteOffset + UInt64($0.content.byteCount) }
      .sorted { $0.lowerBound < $1.lowerBound }
      .first { $0.upperBound > byteOffset && !$0.isEmpty }
      .map { max($0.lowerBound, byteOffset)..<$0.upperBound }
  }

  public func willRead(_ range: Range<UInt64>) { announced.append(range) }

  /// Forgets what was read until now.
  public func forgetReads() { reads = [] }

  /// Whether no byte was read twice.
  public var hasReadEachByteAtMostOnce: Bool {
    let sorted = reads.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    return zip(sorted, sorted.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
  }
}
