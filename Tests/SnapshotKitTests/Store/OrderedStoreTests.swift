import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A store of our own lies as Linux would have laid it out.
@Suite struct OrderedStoreTests {
  private static let runs = [
    ExceptionRun(old: 3, new: 900, count: 20), ExceptionRun(old: 30, new: 7, count: 50),
    ExceptionRun(old: 200, new: 100, count: 1),
  ]

  private func layout(
    _ runs: [ExceptionRun] = runs, below end: UInt64 = .max, chunkSectors: UInt32 = 1
  ) throws -> OrderedStore {
    OrderedStore(of: runs, below: end, try ChunkSize(sectorCount: chunkSectors))
  }

  /// The areas that a layout has, put where it puts them.
  private func image(_ layout: OrderedStore) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(layout.byteCount))
    bytes.put(
      Array(
        StoreBuilder(chunkSectors: Int(layout.geometry.chunkSize.sectorCount)).image().prefix(16)),
      at: 0)
    layout.forEachAreaPiece { offset, buffer, byteCount in
      bytes.put(buffer.bytes(0..<byteCount), at: Int(offset))
    }
    return bytes
  }

  @Test(arguments: [(0, 2), (1, 3), (31, 33), (32, 35), (33, 36), (63, 66), (64, 68), (70, 74)])
  func `it is as long as its areas and data`(count: UInt64, chunkCount: UInt64) throws {
    let layout = try layout(count == 0 ? [] : [ExceptionRun(old: 5, new: 2, count: count)])
    #expect(layout.exceptionCount == count)
    #expect(layout.byteCount == chunkCount * 512)
    #expect(layout.geometry.sectorCount == chunkCount)
  }

  @Test(arguments: [1, 2, 8, 4096])
  func `its table ascends, in the data chunks that Linux hands out`(chunkSectors: Int) throws {
    let layout = try layout(chunkSectors: UInt32(chunkSectors))
    let reference = ReferenceDecoder(image(layout))
    let builder = StoreBuilder(chunkSectors: chunkSectors)
    #expect(reference.verdict == .loads)
    #expect(reference.exceptions.map(\.old) == Array(3..<23) + Array(30..<80) + [200])
    #expect(reference.exceptions.map(\.new) == (0..<71).map { UInt64(builder.dataChunk($0)) })
  }

  @Test(arguments: [(0, 0), (3, 0), (4, 1), (23, 20), (30, 20), (31, 21), (200, 70), (201, 71)])
  func `only what lies below the end is in it`(end: UInt64, count: UInt64) throws {
    let layout = try layout(below: end)
    #expect(layout.exceptionCount == count)
    var olds: [UInt64] = []
    layout.forEachRun { olds += $0.old..<$0.old + $0.count }
    #expect(UInt64(olds.count) == count && olds.allSatisfy { $0 < end })
    #expect(ReferenceDecoder(image(layout)).exceptions.map(\.old) == olds)
  }

  @Test(arguments: UInt64(1)...40)
  func `data fills what is between the areas, in order`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let layout = try layout([ExceptionRun(old: 0, new: 2, count: 100)])
    var places: [UInt64] = []
    var position: UInt64 = 0
    while position < 100 * 512 {
      let count = min(1 + random.below(40_000), Int(100 * 512 - position))
      var end = 0
      try layout.forEachDataPiece(count, atData: position) { (offset, piece) in
        #expect(piece.lowerBound == end)
        end = piece.upperBound
        places += offset..<offset + UInt64(piece.count)
      }
      #expect(end == count)
      position += UInt64(count)
    }
    let expected = (0..<100).flatMap {
      StoreBuilder(chunkSectors: 1).bytes(ofChunk: $0 + 2 + $0 / 32)
    }
    #expect(places == expected)
  }
}
