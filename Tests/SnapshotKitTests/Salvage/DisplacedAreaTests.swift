import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// An area that is written over by another one, or by a part of one, is lost, and nothing else is: what
/// lies before and behind it and goes on in the same order is one table.
@Suite struct DisplacedAreaTests {
  /// Six areas and a half of chunks of that size, old chunks from all over, or one long run.
  private func builder(_ chunkSectors: Int, scattered: Bool) -> StoreBuilder {
    let empty = StoreBuilder(chunkSectors: chunkSectors)
    let count = empty.exceptionsPerArea * 13 / 2
    return empty.copying((0..<count).map { scattered ? $0 * 7 % (count * 3 + 1) : $0 + 5 })
  }

  private func area(_ area: Int, of builder: StoreBuilder) -> [UInt8] {
    let bytes = builder.bytes(ofChunk: builder.chunk(ofArea: area))
    return Array(builder.image()[Int(bytes.lowerBound)..<Int(bytes.upperBound)])
  }

  private func plan(
    _ builder: StoreBuilder, _ contents: [Int: [UInt8]], at byteOffset: Int = 0
  ) throws -> SalvagePlan {
    var image = builder.image()
    for (area, bytes) in contents {
      image.put(bytes, at: builder.chunk(ofArea: area) * builder.chunkByteCount + byteOffset)
    }
    return try SalvagePlan(Store(image))
  }

  /// That what is kept is true, all but what those areas had, and that what is missing is said.
  private func expect(
    _ plan: SalvagePlan, of builder: StoreBuilder, without areas: Set<Int>,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let slots = builder.exceptionsPerArea
    let generation = try plan.generation(0)
    let kept = builder.exceptions.enumerated().filter { !areas.contains($0.offset / slots) }
    #expect(plan.generations.count == 1, sourceLocation: location)
    #expect(generation.exceptionCount == UInt64(kept.count), sourceLocation: location)
    let found = Set(
      generation.runs.flatMap { run in
        (0..<run.count).map { StoreBuilder.Exception(run.old + $0, run.new + $0) }
      })
    #expect(found == Set(kept.map(\.element)), sourceLocation: location)
    #expect(!generation.isComplete, sourceLocation: location)
    let lost = try #require(generation.findings.first { $0.code == .areaLost })
    #expect(lost.place.area == areas.min().map { UInt64($0) }, sourceLocation: location)
    #expect(generation.orphanCount >= UInt64(areas.count * slots), sourceLocation: location)
  }

  @Test(arguments: [1, 2, 8, 16], [true, false])
  func `a copy of another area is lost, wherever it stands`(
    chunkSectors: Int, scattered: Bool
  ) throws {
    let builder = builder(chunkSectors, scattered: scattered)
    for place in 0..<6 {
      for copied in 0..<6 where copied != place {
        let plan = try plan(builder, [place: area(copied, of: builder)])
        try expect(plan, of: builder, without: [place])
      }
    }
  }

  @Test(arguments: [1, 8])
  func `areas that changed places are lost, and no others`(chunkSectors: Int) throws {
    let builder = builder(chunkSectors, scattered: true)
    for (left, right) in [(1, 2), (1, 4), (2, 3)] {
      let plan = try plan(
        builder, [left: area(right, of: builder), right: area(left, of: builder)])
      try expect(plan, of: builder, without: [left, right])
    }
  }

  @Test(arguments: [1, 2, 8], [0, 1])
  func `of an area that is written over in half, the other half is kept`(
    chunkSectors: Int, half: Int
  ) throws {
    let builder = builder(chunkSectors, scattered: true)
    let size = builder.chunkByteCount / 2
    for copied in [0, 1, 3, 4] {
      for start in [0, size] {
        let bytes = Array(area(copied, of: builder)[start..<start + size])
        let plan = try plan(builder, [2: bytes], at: half * size)
        let generation = try plan.generation(0)
        #expect(plan.generations.count == 1)
        #expect(!generation.isComplete)
        #expect(
          generation.exceptionCount
            == UInt64(builder.exceptions.count - builder.exceptionsPerArea / 2))
      }
    }
  }

  @Test func `an area that was moved by a slot is lost`() throws {
    let builder = builder(1, scattered: true)
    let early = Array(area(2, of: builder).dropFirst(16)) + [UInt8](repeating: 0, count: 16)
    try expect(try plan(builder, [2: early]), of: builder, without: [2])
  }

  @Test func `an area behind which nothing contradicts it is kept, and a loss is said`() throws {
    // Area 2 is the last, and holds what area 3 of a longer table did.
    let whole = StoreBuilder(chunkSectors: 1).copying((0..<128).map { $0 * 7 % 401 })
    var short = whole
    short.exceptions = Array(whole.exceptions.prefix(64))
    var image = short.sized(200).image()
    image.put(area(3, of: whole), at: whole.chunk(ofArea: 2) * 512)
    let generation = try SalvagePlan(Store(image)).generation(0)
    #expect(generation.exceptionCount == 96)
    #expect(generation.lostExceptionCount >= 32 && !generation.isComplete)
  }

  @Test func `three slots for one chunk are no exceptions`() throws {
    var damaged = StoreBuilder(chunkSectors: 1).copying(0..<40)
    for slot in 8..<12 { damaged.exceptions[slot].old = 99 }
    #expect(try SalvagePlan(Store(damaged.image())).generation(0).exceptionCount == 36)
  }
}
