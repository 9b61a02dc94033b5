import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What a store's size says is found at the very sizes at which it is so.
@Suite struct StoreCheckTests {
  private func codes(_ builder: StoreBuilder, _ damages: Damage...) -> [FindingCode] {
    var image = builder.image()
    for damage in damages { damage.apply(to: &image, of: builder) }
    return Auditor(Store(image)).audit().findings.map(\.code)
  }

  /// Whole chunks, and 10 exceptions in chunks 2 to 11.
  @Test(arguments: [(11, false), (12, true), (13, false)])
  func `a store is full when no whole chunk is left`(chunkCount: Int, isFull: Bool) {
    let builder = StoreBuilder(chunkSectors: 8).copying(0..<10).sized(chunkCount, extra: 2048)
    #expect(codes(builder).contains(.storeFull) == isFull)
  }

  /// A full area 0 of 32: chunk 34 is area 1, and chunk 35 the next for data.
  @Test(arguments: [(35, true), (36, false)])
  func `a store is full too when only an area is left`(chunkCount: Int, isFull: Bool) {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<32).sized(chunkCount)
    #expect(codes(builder).contains(.storeFull) == isFull)
  }

  @Test func `a full store without exceptions is not said to be full`() {
    #expect(codes(StoreBuilder(chunkSectors: 8).sized(2)) == [])
  }

  @Test(arguments: [(0, false), (1, true), (511, true), (512, true), (4095, true)])
  func `a length that is no multiple of the chunk size is noted`(extra: Int, isPartial: Bool) {
    let builder = StoreBuilder(chunkSectors: 8).copying(0..<3).sized(20, extra: extra)
    #expect(codes(builder) == (isPartial ? [.storePartialChunk] : []))
  }

  /// 34 chunks: an area and its 32 data chunks, and no room for the next area.
  @Test(arguments: [(30, 1, false), (31, 1, true), (30, 0, true), (31, 0, true)])
  func `a store that ends where the next area begins is warned of`(
    count: Int, valid: UInt32, isAtBoundary: Bool
  ) {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<count).sized(34)
    #expect(codes(builder, .valid(valid)).contains(.storeAtBoundary) == isAtBoundary)
    let roomy = builder.sized(35)
    #expect(!codes(roomy, .valid(valid)).contains(.storeAtBoundary))
  }

  @Test func `a store that was invalidated at its boundary may have lost several exceptions`() {
    // Data up to the last chunk, and the exceptions of the last four not committed.
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<28).sized(34)
    #expect(codes(builder, .valid(0)).contains(.storeAtBoundary))
  }

  @Test func `the finding names the area that is missing`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<64).sized(67)
    let audit = Auditor(Store(builder.image())).audit()
    let finding = try #require(audit.findings.first { $0.code == .storeNextAreaBeyondEnd })
    #expect(finding.place.area == 2)
    #expect(finding.place.bytes == builder.bytes(ofChunk: 67))
  }

  @Test func `wild numbers do not overflow where a store ends at a boundary`() {
    let store = StoreBuilder(chunkSectors: 1, chunkCount: 34).adding((0, .max - 1))
      .image(.valid(0))
    #expect(Auditor(Store(store)).audit().verdict == .unusable)
  }

  @Test func `the size of a store that would be too large for 64 bits is left out`() throws {
    let chunkCount: UInt64 = 1 << 48
    let header = StoreBuilder().image().prefix(512)
    var exception = [UInt8](repeating: 0, count: 16)
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      exception[8 + Int(shift / 8)] = UInt8(truncatingIfNeeded: (63 * chunkCount) >> shift)
    }
    let source = FaultySource(
      byteCount: chunkCount * 4096, pieces: [(0, Array(header)), (4096, exception)])
    let finding = try #require(
      Auditor(Store(source)).audit().findings.first { $0.code == .storeTooShort })
    #expect(finding.required == "\(63 * chunkCount + 1) chunks")
  }
}
