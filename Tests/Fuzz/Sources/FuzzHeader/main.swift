import Fuzzing
import SnapshotFormat

/// Takes the bytes for a header and, behind it, two numbers from a disk.
fuzz { bytes in
  guard let header = SnapshotHeader(decoding: bytes) else {
    precondition(bytes.count < SnapshotHeader.byteCount)
    return
  }
  var encoded: [UInt8] = Array(repeating: 0, count: SnapshotHeader.byteCount)
  var target = encoded.mutableSpan
  header.encode(into: &target)
  for index in encoded.indices { precondition(encoded[index] == bytes[index]) }

  if let chunkSize = try? ChunkSize(sectorCount: header.chunkSectors) {
    let geometry = StoreGeometry(chunkSize: chunkSize, byteCount: number(in: bytes, at: 16))
    place(number(in: bytes, at: 24), in: geometry)
  }
}

/// The little-endian number at a byte, of which bytes past the end are zero.
func number(in bytes: Span<UInt8>, at byteOffset: Int) -> UInt64 {
  (byteOffset..<byteOffset + 8).reversed().reduce(0) { number, index in
    number << 8 | (index < bytes.count ? UInt64(bytes[index]) : 0)
  }
}

/// Finds the place of a wild number in a store, as chunk, area and byte, and the way back.
func place(_ number: UInt64, in geometry: StoreGeometry) {
  let chunk = Chunk(number)
  precondition(!(geometry.isData(chunk) && geometry.isMetadata(chunk)))
  if let byteOffset = geometry.byteOffset(of: chunk) {
    precondition(geometry.chunk(containing: byteOffset) == chunk)
  }
  if let area = geometry.area(at: chunk) { precondition(geometry.chunk(of: area) == chunk) }
  if let chunk = geometry.dataChunk(inOrder: number) { precondition(geometry.isData(chunk)) }
  precondition(geometry.presentByteCount(of: chunk) <= geometry.chunkSize.byteCount)
  precondition(geometry.wholeChunkCount <= geometry.chunkCount)
  _ = geometry.byteOffset(of: AreaIndex(number))
  _ = geometry.byteOffset(of: AreaIndex(number), slot: 0)
  _ = geometry.chunkCount(ofOrigin: number)
  _ = geometry.kernelSector(of: chunk)
}
