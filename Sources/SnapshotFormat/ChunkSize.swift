/// A chunk size that Linux accepts: a power of two from one sector to 2^21 (1 GiB).
public struct ChunkSize: Hashable, Comparable, Sendable {
  /// The base-two logarithm of the size in sectors, 0 to 21.
  package let shift: UInt64

  /// The largest: 2^22 sectors are "too high" to Linux, whose limit is INT_MAX bytes.
  public static let max = ChunkSize(shift: 21)
  /// Linux's default if no chunk size is given: 32 sectors, 16 KiB.
  public static let kernelDefault = ChunkSize(shift: 5)
  /// Every chunk size, the smallest first.
  public static let all: [ChunkSize] = (0...max.shift).map(ChunkSize.init(shift:))

  private init(shift: UInt64) { self.shift = shift }

  /// The chunk size of that many sectors.
  ///
  /// - Throws: ``ChunkSizeError``, the reason why Linux refuses it.
  /// - Source: Linux `drivers/md/dm-exception-store.c`, `dm_exception_store_set_chunk_size`.
  public init(sectorCount: UInt32) throws(ChunkSizeError) {
    guard sectorCount != 0, sectorCount & (sectorCount - 1) == 0 else {
      throw .notAPowerOfTwo
    }
    guard sectorCount <= Self.max.sectorCount else { throw .tooHigh }
    shift = UInt64(sectorCount.trailingZeroBitCount)
  }

  /// The size in sectors of 512 bytes.
  public var sectorCount: UInt32 { 1 << UInt32(shift) }
  /// The size in bytes.
  public var byteCount: UInt64 { 512 << shift }
  /// E: how many exceptions a metadata area of one chunk holds.
  public var exceptionsPerArea: UInt64 { byteCount / UInt64(DiskException.byteCount) }
  /// The distance between metadata areas, in chunks: an area and the E data chunks after it.
  public var areaStride: UInt64 { exceptionsPerArea + 1 }

  public static func < (left: ChunkSize, right: ChunkSize) -> Bool { left.shift < right.shift }
}

/// The reason why Linux refuses a chunk size, in its own words.
public enum ChunkSizeError: String, Error, Sendable, CustomStringConvertible {
  case notAPowerOfTwo = "Chunk size is not a power of 2"
  case tooHigh = "Chunk size is too high"

  public var description: String { rawValue }
}
