internal import BlockIO
internal import FileSystemFormat

/// The sizes of a btrfs, and how its sectors and nodes lie in the chunks of a store.
struct BtrfsLayout: Sendable {
  let sectorByteCount: Int
  let nodeByteCount: Int
  let chunkByteCount: Int
  let uuid: BtrfsUUID
  /// The number of the device.
  let device: UInt64
  /// Where the file system begins, in bytes of the origin.
  let start: UInt64

  /// The unit for measuring orphans: a sector, or a chunk if that is smaller.
  let pieceByteCount: Int
  /// The shift by a piece.
  private let pieceShift: CRC32CShift

  /// The layout of the file system that begins at a byte; nil if there is none, or chunks do not
  /// begin where its sectors do.
  init?(
    _ source: any BlockSource, at start: UInt64, chunkByteCount: UInt64
  ) throws(BlockIOError) {
    guard chunkByteCount <= OrphanReader.chunkByteCountMax, chunkByteCount >= 512,
      let superblock = try Self.superblock(of: source, at: start)
    else { return nil }
    (sectorByteCount, nodeByteCount) = (superblock.sectorByteCount, superblock.nodeByteCount)
    self.chunkByteCount = Int(chunkByteCount)
    (uuid, device, self.start) = (superblock.nodeUUID, superblock.device, start)
    pieceByteCount = min(sectorByteCount, self.chunkByteCount)
    pieceShift = CRC32CShift(byteCount: pieceByteCount)
    guard start % UInt64(pieceByteCount) == 0 else { return nil }
  }

  /// The first superblock that is whole.
  private static func superblock(
    of source: any BlockSource, at start: UInt64
  ) throws(BlockIOError) -> BtrfsDiskSuperblock? {
    let buffer = IOBuffer(byteCount: BtrfsDiskSuperblock.byteCount)
    for place in BtrfsDiskSuperblock.places {
      let (byteOffset, overflow) = start.addingReportingOverflow(place)
      guard !overflow, byteOffset <= source.byteCount,
        source.byteCount - byteOffset >= UInt64(buffer.byteCount)
      else { break }
      _ = try source.readAround(at: byteOffset, into: buffer, 0..<buffer.byteCount)
      let superblock = buffer.withBytes(0..<buffer.byteCount) { BtrfsDiskSuperblock(decoding: $0) }
      if let superblock, superblock.byteOffset == place { return superblock }
    }
    return nil
  }

  /// The number of pieces in a chunk.
  var pieceCount: Int { chunkByteCount / pieceByteCount }

  /// The register of a chunk, from those of its pieces.
  func register<Registers: Sequence<UInt32>>(of pieces: Registers) -> UInt32 {
    pieces.reduce(0) { pieceShift($0) ^ $1 }
  }
}
