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
    layout.forEachDataExtent(from: \.old, before: .max) { extent, _ in
      olds += extent.sourceOffset / 512..<(extent.sourceOffset + extent.byteCount) / 512
    }
    #expect(UInt64(olds.count) == count && olds.allSatisfy { $0 < end })
    #expect(ReferenceDecoder(image(layout)).exceptions.map(\.old) == olds)
  }

  @Test(arguments: UInt64(1)...40)
  func `data fills what is between the areas, in order`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var runs: [ExceptionRun] = []
    while runs.count < 12 {
      let old = (runs.last?.oldEnd ?? 0) + UInt64(random.below(5))
      runs.append(
        ExceptionRun(
          old: old, new: UInt64(random.below(900)), count: UInt64(1 + random.below(70))))
    }
    // Behind the end of the source there is nothing to copy.
    let end = UInt64(random.below(900)) * 512 + 100
    let layout = try layout(runs)
    let builder = StoreBuilder(chunkSectors: 1)
    var expected: [UInt64: UInt64] = [:]  // the byte of the source for each of the store
    var position = 0
    for run in runs {
      for new in run.new..<run.new + run.count {
        for byte in new * 512..<(new + 1) * 512 where byte < end {
          expected[builder.bytes(ofChunk: builder.dataChunk(position)).lowerBound + byte % 512] =
            byte
        }
        position += 1
      }
    }
    var found: [UInt64: UInt64] = [:]
    var last: UInt64 = 0
    layout.forEachDataExtent(from: \.new, before: end) { extent, run in
      #expect(extent.targetOffset >= last)
      #expect(extent.sourceOffset >= run.new * 512)
      last = extent.targetRange.upperBound
      for byte in 0..<extent.byteCount {
        found[extent.targetOffset + byte] = extent.sourceOffset + byte
      }
    }
    #expect(found == expected)
  }
}
