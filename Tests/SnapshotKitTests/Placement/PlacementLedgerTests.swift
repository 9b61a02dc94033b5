@testable import SnapshotKit
import Testing

/// What the ledger believes of proofs that do not agree.
@Suite struct PlacementLedgerTests {
  private static let orphans = [Orphan(new: 10, count: 3, old: nil, reason: .exceptionLost)]

  private func proof(_ new: UInt64, _ old: UInt64) -> Evidence {
    Evidence(kind: .sibling, strength: .proven, new: new, old: old)
  }

  private func words(_ ledger: PlacementLedger) -> [String] {
    ledger.placements.flatMap { placement in
      (0..<placement.count).map { "\(placement.new + $0) at \(placement.old + $0)" }
    }
  }

  @Test func `of equal content, a place that another has contradicts nothing`() throws {
    var ledger = PlacementLedger(Self.orphans, [], originChunkCount: 100)
    let proofs = [proof(10, 5), proof(10, 7), proof(11, 7)]
    _ = try ledger.prove(proofs) { _, _ in true }
    #expect(words(ledger) == ["10 at 5", "11 at 7"])
    // Nor does it when it is said again.
    _ = try ledger.prove(proofs + [proof(12, 8), proof(12, 7)]) { _, _ in true }
    #expect(words(ledger) == ["10 at 5", "11 at 7", "12 at 8"])
    #expect(ledger.contradicted.isEmpty && !ledger.hasRetracted)
  }

  @Test func `of other content, or without another orphan for it, it does`() throws {
    var ledger = PlacementLedger(Self.orphans, [], originChunkCount: 100)
    _ = try ledger.prove([proof(10, 5), proof(10, 7), proof(11, 7)]) { _, _ in false }
    #expect(words(ledger) == ["11 at 7"] && ledger.contradicted == [10])
    ledger = PlacementLedger(Self.orphans, [], originChunkCount: 100)
    _ = try ledger.prove([proof(10, 5), proof(10, 7)]) { _, _ in true }
    #expect(words(ledger).isEmpty && ledger.contradicted == [10])
  }
}
