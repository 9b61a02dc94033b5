internal import BlockIO

/// Compares chunks of one source with chunks of another, or of the same.
///
/// The last chunk of the first is kept: unreadable bytes take long to read, and are compared with
/// many.
final class ChunkComparison {
  /// The result of a comparison.
  struct Result {
    /// Whether all that can be read of the first is the same in the second, which can be read.
    var isEqual: Bool
    /// Whether all of the first could be read.
    var isWhole: Bool
    /// Whether anything but zeroes was compared.
    var hasContent: Bool

    /// Whether something that can be read in both differs.
    var isDifferent = false
    /// Whether anything could be compared.
    var isReadable = false

    /// They cannot be compared.
    static let none = Result(isEqual: false, isWhole: false, hasContent: false)
    /// All of both is the same.
    var isSame: Bool { isEqual && isWhole }
  }

  private let (first, second): (any BlockSource, any BlockSource)
  private let (left, right): (IOBuffer, IOBuffer)
  /// The part of the first source that is in `left`.
  private var loaded: (byteOffset: UInt64, unreadable: [Range<UInt64>])?

  /// Nil for chunks that are too large to look at.
  init?(_ first: any BlockSource, _ second: any BlockSource, chunkByteCount: UInt64) {
    guard chunkByteCount <= OrphanReader.chunkByteCountMax else { return nil }
    (self.first, self.second) = (first, second)
    let size = Int(chunkByteCount)
    (left, right) = (IOBuffer(byteCount: size), IOBuffer(byteCount: size))
  }

  /// Compares the chunk at a byte of the first with the chunk at a byte of the second.
  func compare(_ byteOffset: UInt64, _ other: UInt64) throws(BlockIOError) -> Result {
    let size = left.byteCount
    guard byteOffset <= first.byteCount, first.byteCount - byteOffset >= UInt64(size),
      other <= second.byteCount, second.byteCount - other >= UInt64(size)
    else { return .none }
    let unreadable = try load(byteOffset)
    guard try second.readAround(at: other, into: right, 0..<size).isEmpty else { return .none }
    var result = Result(isEqual: true, isWhole: unreadable.isEmpty, hasContent: false)
    for sector in stride(from: 0, to: size, by: 512) {
      let bytes = byteOffset + UInt64(sector)..<byteOffset + UInt64(sector + 512)
      if unreadable.contains(where: { $0.overlaps(bytes) }) { continue }
      if !left.equals(sector..<sector + 512, in: right, at: sector) {
        return Result(isEqual: false, isWhole: false, hasContent: false, isDifferent: true)
      }
      result.isReadable = true
      result.hasContent = result.hasContent || !left.isZero(sector..<sector + 512)
    }
    return result
  }

  /// Reads a chunk of the first, and returns the parts that cannot be read.
  private func load(_ byteOffset: UInt64) throws(BlockIOError) -> [Range<UInt64>] {
    if let loaded, loaded.byteOffset == byteOffset { return loaded.unreadable }
    loaded = nil
    let unreadable = try first.readAround(at: byteOffset, into: left, 0..<left.byteCount)
    loaded = (byteOffset, unreadable)
    return unreadable
  }
}
