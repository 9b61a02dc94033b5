/// The layout of a store: the only code that converts between chunks, areas and bytes.
///
/// Chunk 0 is the header. Area `a` is the one chunk `1 + a * (E + 1)`, where E is the number of
/// exceptions that fit in a chunk; all other chunks hold data.
///
///     chunk   0        1       2 … E+1   E+2      E+3 …
///           header  area 0   data…     area 1   data…
///
/// Chunk numbers come from disks: the conversions are checked and return nil if the result does not
/// fit.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `area_location`, `skip_metadata`.
public struct StoreGeometry: Hashable, Sendable {
  /// The number of header chunks, and of the first area's chunk.
  public static let headerChunkCount: UInt64 = 1
  /// The first chunk that holds data.
  public static let firstDataChunk: UInt64 = 2

  /// The chunk size.
  public let chunkSize: ChunkSize
  /// The length of the store in whole sectors: Linux does not see a partial one at the end.
  public let sectorCount: UInt64

  /// The geometry of a store of `byteCount` bytes.
  public init(chunkSize: ChunkSize, byteCount: UInt64) {
    self.chunkSize = chunkSize
    sectorCount = byteCount / 512
  }

  /// The number of chunks wholly within the store.
  package var wholeChunkCount: UInt64 { sectorCount >> chunkSize.shift }

  /// The number of chunks that begin in the store; its end may cut the last one short.
  public var chunkCount: UInt64 {
    wholeChunkCount + (sectorCount & (UInt64(chunkSize.sectorCount) - 1) == 0 ? 0 : 1)
  }

  /// The number of areas wholly within the store.
  package var wholeAreaCount: UInt64 { areaCount(below: wholeChunkCount) }

  /// The number of areas that begin in the store; its end may cut the last one short.
  public var areaCount: UInt64 { areaCount(below: chunkCount) }

  private func areaCount(below chunkCount: UInt64) -> UInt64 {
    guard chunkCount > Self.headerChunkCount else { return 0 }
    return (chunkCount - Self.headerChunkCount - 1) / chunkSize.areaStride + 1
  }

  /// The chunk that an area occupies, or nil past 2^64.
  public func chunk(of area: AreaIndex) -> Chunk? {
    let (product, overflow) = area.index.multipliedReportingOverflow(by: chunkSize.areaStride)
    let (sum, carry) = product.addingReportingOverflow(Self.headerChunkCount)
    return overflow || carry ? nil : Chunk(sum)
  }

  /// The area that occupies a chunk, or nil for the header and for data.
  public func area(at chunk: Chunk) -> AreaIndex? {
    guard isMetadata(chunk) else { return nil }
    return AreaIndex(chunk.index / chunkSize.areaStride)
  }

  /// Whether a chunk is a metadata area: `chunk % (E + 1) == 1`.
  public func isMetadata(_ chunk: Chunk) -> Bool {
    chunk.index % chunkSize.areaStride == Self.headerChunkCount
  }

  /// Whether Linux copies data to a chunk.
  public func isData(_ chunk: Chunk) -> Bool {
    chunk.index >= Self.firstDataChunk && !isMetadata(chunk)
  }

  /// Where a chunk begins, in bytes, or nil past 2^64.
  public func byteOffset(of chunk: Chunk) -> UInt64? {
    let (product, overflow) = chunk.index.multipliedReportingOverflow(by: chunkSize.byteCount)
    return overflow ? nil : product
  }

  /// Where an area begins, in bytes, or nil past 2^64.
  public func byteOffset(of area: AreaIndex) -> UInt64? {
    chunk(of: area).flatMap(byteOffset(of:))
  }

  /// Where an exception's sixteen bytes are, or nil past 2^64.
  public func byteOffset(of area: AreaIndex, slot: Int) -> UInt64? {
    guard let offset = byteOffset(of: area) else { return nil }
    let (sum, overflow) = offset.addingReportingOverflow(
      UInt64(slot) * UInt64(DiskException.byteCount))
    return overflow ? nil : sum
  }

  /// The number of bytes of a chunk that the store holds: the whole chunk, a part of it, or none.
  package func presentByteCount(of chunk: Chunk) -> UInt64 {
    guard let offset = byteOffset(of: chunk), offset < sectorCount * 512 else { return 0 }
    return min(chunkSize.byteCount, sectorCount * 512 - offset)
  }

  /// The chunk of the origin, or of the store, that has a byte.
  public func chunk(containing byteOffset: UInt64) -> Chunk {
    Chunk(byteOffset >> (9 + chunkSize.shift))
  }

  /// The number of chunks in an origin of `byteCount` bytes, the last one perhaps partial.
  public func chunkCount(ofOrigin byteCount: UInt64) -> UInt64 {
    let sectors = byteCount / 512
    return (sectors + UInt64(chunkSize.sectorCount) - 1) >> chunkSize.shift
  }

  /// The k-th data chunk, from 0: the one that a kernel since 3.13 gives to the k-th exception.
  package func dataChunk(inOrder position: UInt64) -> Chunk? {
    let areas = position / chunkSize.exceptionsPerArea
    let (sum, overflow) = position.addingReportingOverflow(areas + Self.firstDataChunk)
    return overflow ? nil : Chunk(sum)
  }

  /// The number of data chunks before a data chunk: the inverse of ``dataChunk(inOrder:)``; nil for
  /// the header and for areas.
  package func position(ofData chunk: Chunk) -> UInt64? {
    guard isData(chunk) else { return nil }
    let above = chunk.index - Self.firstDataChunk
    return above - above / chunkSize.areaStride
  }

  /// The position of a data chunk, or of the one after an area; nil for the header.
  package func position(ofDataFrom chunk: Chunk) -> UInt64? {
    position(ofData: chunk) ?? position(ofData: Chunk(chunk.index + 1))
  }

  /// The sector at which Linux looks for a chunk: a shift in 64 bits, which wraps around.
  ///
  /// - Source: Linux `drivers/md/dm-exception-store.h`, `chunk_to_sector`.
  package func kernelSector(of chunk: Chunk) -> UInt64 { chunk.index &<< chunkSize.shift }
}
