import Blkid
import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import Testing

/// What supports a store is counted, and a gap in a file system is the end of a fragment.
@Suite struct CarvedStoreTests {
  private func store(
    _ header: CarvedStore.Header = .intact, inOrder count: UInt64 = 0, gaps: [Gap] = []
  ) -> CarvedStore {
    CarvedStore(
      byteOffset: 4096, chunkSize: .kernelDefault, header: header, exceptionCount: count,
      inOrderCount: count, firstArea: AreaIndex(0), areaCount: 1, damagedAreaCount: 0,
      chainByteCount: 1 << 20, gaps: gaps)
  }

  private func surroundings() throws -> Surroundings {
    let content = Identity(signatures: [Signature(type: "xfs", usage: .filesystem)])
    return try #require(Surroundings(of: 4096, in: content))
  }

  @Test func `an intact header is sixteen facts, a damaged one eight, a lost one none`() {
    for (header, count) in [(.intact, 16), (.damaged, 8), (.lost, 0)]
      as [(CarvedStore.Header, UInt64)]
    {
      #expect(store(header).factCount == count)
      #expect(store(header, inOrder: 100).factCount == 100 + count)
    }
  }

  @Test func `only exceptions in order are facts`() {
    var store = store(.lost, inOrder: 40)
    store.exceptionCount = 1000
    #expect(store.factCount == 40)
  }

  @Test(
    arguments: [
      (0, 0), (1, 0.5), (2, 0.666), (4, 0.8), (9, 0.9), (16, 0.941), (998, 0.998), (999, 0.999),
      (1000, 0.999), (1 << 20, 0.999), (1 << 50, 0.999),
    ] as [(UInt64, Double)])
  func `the confidence is rounded down, so that nothing is certain`(
    count: UInt64, confidence: Double
  ) {
    #expect(store(.lost, inOrder: count).confidence == confidence)
  }

  @Test func `the confidence is that of whole numbers, without an error of rounding`() {
    let wrong = (0..<20_000 as Range<UInt64>).first { count in
      let confidence = store(.lost, inOrder: count).confidence
      return confidence != Double(1000 * count / (count + 1)) / 1000
    }
    #expect(wrong == nil)
  }

  @Test func `a store with gaps in a file system is in fragments, and has no gaps`() throws {
    let gap = try #require(Gap(at: 8192, missing: 512))
    let around = try surroundings()
    var store = store(gaps: [gap])
    store.place(in: around)
    #expect(store.surroundings == around)
    #expect(store.isInFragments && store.gaps == [])
  }

  @Test func `a store without gaps in a file system is in one piece`() throws {
    let around = try surroundings()
    var store = store()
    store.place(in: around)
    #expect(store.surroundings == around && !store.isInFragments)
  }

  @Test func `a store outside of any file system keeps its gaps`() throws {
    let gap = try #require(Gap(at: 8192, missing: -512))
    var store = store(gaps: [gap])
    store.place(in: nil)
    #expect(store.surroundings == nil && !store.isInFragments && store.gaps == [gap])
  }
}
