import SnapshotKit
import TestSupport
import Testing

/// The verdict in a word follows from the findings, what can be used, and what Linux would do.
@Suite struct AuditTests {
  private static let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).copying(0..<4)

  @Test(
    arguments: [
      ([], .healthy),
      ([.valid(2)], .healthy),
      ([.bytes([1], at: 99)], .usable),
      ([.valid(0)], .damaged),
      ([.magicErased], .damaged),
      ([.exception(slot: 0, old: 0, new: 1)], .damaged),
      ([.randomChunk(1, seed: 4)], .unusable),
      ([.headerZeroed, .zeroChunk(1)], .notAStore),
      ([.cut(byteCount: 0)], .notAStore),
      ([.cut(byteCount: 16)], .unusable),
      ([.chunkSectors(3), .zeroChunk(1)], .unusable),
    ] as [([Damage], Audit.Verdict)])
  func `a store is what its findings make of it`(damages: [Damage], verdict: Audit.Verdict) {
    var image = Self.builder.image()
    for damage in damages { damage.apply(to: &image, of: Self.builder) }
    #expect(Auditor(Store(image)).audit().verdict == verdict)
  }

  @Test func `findings are counted by severity`() {
    let audit = Auditor(
      Store(Self.builder.sized(40, extra: 512).image(.valid(0), .bytes([1], at: 99)))
    ).audit()
    #expect(audit.count(of: .damage) == 2)  // and chunks in flight
    #expect(audit.count(of: .warning) == 1)
    #expect(audit.count(of: .note) == 1)
  }
}
