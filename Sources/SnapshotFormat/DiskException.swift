/// One exception as it is in a metadata area: old chunk → new chunk.
///
///     offset  size  field
///          0     8  old chunk   of the origin
///          8     8  new chunk   of the store; 0 ends the table
///
/// The memory layout is the disk's: a metadata area can be bound to a span of these and read
/// without copying. Nothing is validated here: any 128 bits are an exception.
///
/// In memory, Linux uses the top eight bits of a new chunk to count the chunks that follow in the
/// same run. It never writes them, but does not mask them when it reads either: a stray top byte
/// maps up to 255 further chunks.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `struct disk_exception`;
///   `drivers/md/dm-exception-store.h`, `DM_CHUNK_CONSECUTIVE_BITS`.
@frozen
public struct DiskException: Hashable, Sendable, BitwiseCopyable {
  /// The size on disk.
  public static let byteCount = 16
  /// The number of low bits of a new chunk that are its number in the kernel's memory.
  public static let chunkNumberBits: UInt64 = 56
  /// The low 56 bits: the part of a new chunk that is its number.
  public static let chunkNumberMask: UInt64 = (1 << 56) - 1

  @usableFromInline var littleEndianOldChunk: UInt64
  @usableFromInline var littleEndianNewChunk: UInt64

  /// The exception that maps `oldChunk` of the origin to `newChunk` of the store.
  @inlinable
  public init(oldChunk: UInt64, newChunk: UInt64) {
    littleEndianOldChunk = oldChunk.littleEndian
    littleEndianNewChunk = newChunk.littleEndian
  }

  /// The chunk of the origin that was copied.
  @inlinable
  public var oldChunk: UInt64 { UInt64(littleEndian: littleEndianOldChunk) }

  /// The chunk of the store that it was copied to, top byte included.
  @inlinable
  public var newChunk: UInt64 { UInt64(littleEndian: littleEndianNewChunk) }

  /// Whether Linux stops reading the table here, whatever the old chunk.
  @inlinable
  public var isTerminator: Bool { littleEndianNewChunk == 0 }

  /// The number of the new chunk as Linux reads it: without the top byte.
  @inlinable
  public var newChunkNumber: UInt64 { newChunk & Self.chunkNumberMask }

  /// The number of further consecutive chunks that Linux maps because of the top byte: 0 on a sound
  /// store.
  @inlinable
  public var topByte: UInt64 { newChunk &>> Self.chunkNumberBits }
}
