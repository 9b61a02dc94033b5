import BlockIO
import SnapshotKit
import TestSupport
import Testing

/// An origin is too small where exceptions lie shortly behind it, and large where all lie far ahead.
@Suite struct OriginSizeCheckTests {
  private func codes(_ builder: StoreBuilder, originChunkCount: Int, extra: Int = 0)
    -> [FindingCode]
  {
    let origin = FaultySource(
      byteCount: UInt64(originChunkCount * builder.chunkByteCount + extra), pieces: [])
    return Auditor(Store(builder.image()), origin: origin).audit().findings.map(\.code)
  }

  private static let builder = StoreBuilder(chunkSectors: 8).copying([3, 9])

  @Test func `an origin that has every chunk is just right`() {
    #expect(codes(Self.builder, originChunkCount: 10) == [])
    #expect(codes(Self.builder, originChunkCount: 9, extra: 512) == [])
  }

  @Test func `an origin one chunk too short is too small`() {
    #expect(codes(Self.builder, originChunkCount: 9).contains(.originSmaller))
    #expect(codes(Self.builder, originChunkCount: 9, extra: 511).contains(.originSmaller))
    #expect(codes(Self.builder, originChunkCount: 0).contains(.originSmaller))
  }

  @Test func `an origin 64 times as large as it needs to be is noted`() {
    #expect(codes(Self.builder, originChunkCount: 10 * 64 - 1) == [])
    #expect(codes(Self.builder, originChunkCount: 10 * 64) == [.originLarger])
  }

  @Test func `an empty table fits any origin`() {
    for count in [0, 1, 100_000] {
      #expect(codes(StoreBuilder(chunkSectors: 8), originChunkCount: count) == [])
    }
  }
}
