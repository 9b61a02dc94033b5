internal import CLinux
internal import Glibc
internal import SystemPackage

/// A sparse file in memory, of a fixed length, which holds only the bytes written to it.
///
/// It has a descriptor like a file on a disk, for a C library that only reads from descriptors, and
/// leaves no trace when it is released.
package final class MemoryFile: BlockTarget {
  private static let pieceByteCount = 64 << 10

  let source: FileSource

  /// A file of `byteCount` bytes, all a hole; the name is for messages.
  package init(name: String, byteCount: UInt64) throws(BlockIOError) {
    let number = unsafe dmsnap_memfd("dmsnap")
    guard number >= 0 else {
      throw BlockIOError(name, .create, .system(Errno(rawValue: Glibc.errno)))
    }
    guard let length = off_t(exactly: byteCount), ftruncate(number, length) == 0 else {
      let errno = off_t(exactly: byteCount) == nil ? EFBIG : Glibc.errno
      close(number)
      throw BlockIOError(name, .create, .system(Errno(rawValue: errno)))
    }
    source = try FileSource(name: name, owning: FileDescriptor(rawValue: number))
  }

  /// Its name in messages.
  package var name: String { source.name }
  /// Its length, holes included.
  package var byteCount: UInt64 { source.byteCount }

  /// Reads all of the bytes asked for; see ``BlockSource``.
  package func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try source.read(at: byteOffset, into: buffer, range)
  }

  /// The next range that was written to; see ``BlockSource``.
  package func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    try source.nextData(from: byteOffset)
  }

  /// Writes all of the bytes given; see ``BlockTarget``.
  package func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    _ = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try source.descriptor.writeFully(at: byteOffset, from: buffer, range, name: name)
  }

  /// Does nothing: there is no medium.
  package func flush() throws(BlockIOError) {}

  /// Copies the bytes `range` of another source to the same place here.
  ///
  /// Zeroes stay a hole, and cost no memory.
  ///
  /// - Returns: The byte ranges that could not be read, ascending; they are zero here.
  package func copy(
    _ range: Range<UInt64>, of other: any BlockSource
  ) throws(BlockIOError) -> [Range<UInt64>] {
    let buffer = IOBuffer(byteCount: min(Self.pieceByteCount, range.count))
    var unreadable: [Range<UInt64>] = []
    var position = range.lowerBound
    while position < range.upperBound {
      let piece = 0..<Int(min(UInt64(Self.pieceByteCount), range.upperBound - position))
      for lost in try other.readAround(at: position, into: buffer, piece) {
        unreadable.append(mergingInto: lost)
      }
      if !buffer.isZero(piece) { try write(at: position, from: buffer, piece) }
      position += UInt64(piece.count)
    }
    return unreadable
  }
}
