import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A salvage in JSON says what was kept, what was not and why, and what is lost by that.
@Suite struct SalvageReportTests {
  private func text(
    _ image: [UInt8], generation index: Int = 0, chunkSize: ChunkSize? = nil,
    lost: [LostRange] = [], isComplete: Bool = true
  ) throws -> String {
    let plan = try SalvagePlan(Store(image), chunkSize: chunkSize)
    let generation = try plan.generation(index)
    return try JSON.text(
      SalvageReport(
        plan, generation,
        PlacementPlan(
          unplaced: generation.orphanCount, because: .notLookedFor), .proven,
        byteCount: 8192, lost: lost, isComplete: isComplete))
  }

  @Test func `a complete salvage keeps all and decides nothing else`() throws {
    let image = StoreBuilder(chunkSectors: 8).copying(5..<9).image()
    #expect(
      try text(image)
        == #"{"byteCount":8192,"chunkSectors":8,"chunkSizeFrom":"header","chunkSizes":[],"#
        + #""complete":true,"decisions":[{"count":4,"decision":"kept","ranges":[],"#
        + #""reason":"supported"}],"endLost":false,"exceptionCount":4,"fileLosses":null,"#
        + #""gaps":[],"generation":0,"#
        + #""lost":[],"lostExceptionCount":0,"orphans":[],"#
        + #""placement":{"likelyCount":0,"orphanCount":0,"provenCount":0,"siblings":[],"unplaced":[],"#
        + #""unplacedCount":0},"placements":[],"#
        + #""schema":"dmsnap.salvage.v1","#
        + #""unnamed":{"byteCount":0,"chunkCount":0}}"#)
  }

  @Test func `every decision is there, with bytes of the old store`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(100..<140)
    let image = builder.image(.exception(slot: 9, old: 109, new: 50))
    let lost = [LostRange(109 * 512..<110 * 512, .exceptionDamaged)]
    let start = builder.byteOffset(slot: 9)
    #expect(
      try text(image, lost: lost, isComplete: false)
        == #"{"byteCount":8192,"chunkSectors":1,"chunkSizeFrom":"header","chunkSizes":[],"#
        + #""complete":false,"decisions":[{"count":39,"decision":"kept","ranges":[],"#
        + #""reason":"supported"},{"count":1,"decision":"dropped","ranges":[{"byteCount":16,"#
        + "\"byteOffset\":\(start)}],\"reason\":\"exception.unsupported\"},"
        + #"{"count":1,"decision":"lost","ranges":[{"byteCount":512,"byteOffset":5632}],"#
        + #""reason":"exception.orphans"}],"endLost":false,"exceptionCount":39,"fileLosses":null,"#
        + #""gaps":[],"generation":0,"#
        + #""lost":[{"byteCount":512,"byteOffset":55808,"reason":"exception-damaged"}],"#
        + #""lostExceptionCount":1,"orphans":[{"count":1,"newChunk":11,"oldChunk":109}],"#
        + #""placement":{"likelyCount":0,"orphanCount":1,"provenCount":0,"siblings":[],"unplaced":"#
        + #"[{"byteCount":512,"chunkCount":1,"reason":"not-looked-for"}],"unplacedCount":1},"#
        + #""placements":[],"#
        + #""schema":"dmsnap.salvage.v1","unnamed":{"byteCount":512,"chunkCount":1}}"#)
  }

  @Test func `who says the chunk size is told, and what each would find`() throws {
    let image = StoreBuilder(chunkSectors: 8).copying(5..<15).image(.headerZeroed)
    let found = try text(image)
    #expect(found.contains(#""chunkSizeFrom":"areas""#))
    #expect(
      found.contains(
        #""chunkSizes":[{"areaCount":1,"chunkSectors":8,"exceptionCount":10}]"#))
    let said = try text(image, chunkSize: try ChunkSize(sectorCount: 8))
    #expect(said.contains(#""chunkSizeFrom":"option","chunkSizes":[]"#))
  }

  @Test func `an orphan of which nobody knows the chunk has null`() throws {
    let image = StoreBuilder(chunkSectors: 1).copying(100..<140).image(.randomChunk(1, seed: 2))
    #expect(try text(image).contains(#""orphans":[{"count":32,"newChunk":2,"oldChunk":null}]"#))
  }

  @Test func `a doubt is a decision, and so is what a newer table took`() throws {
    let ascending = StoreBuilder(chunkSectors: 1).copying((0..<100).map { $0 * 3 })
    let doubted = try text(ascending.image(.randomChunk(34, seed: 2)))
    #expect(
      doubted.contains(#""decision":"doubted","ranges":[{"byteCount":512,"byteOffset":17408}]"#))
    let older = StoreBuilder(chunkSectors: 1, chunkCount: 120).copying(500..<600)
    let newer = StoreBuilder(chunkSectors: 1).adding(
      (0, 2), (1, 3), (2, 4), (3, 5), (4, 36), (5, 37), (6, 38))
    let second = try text(newer.image(over: older.image()), generation: 1)
    #expect(second.contains(#""generation":1"#))
    #expect(second.contains(#"{"count":4,"decision":"lost","ranges":[{"byteCount":2048,"#))
    #expect(second.contains(#""reason":"generation.overwritten""#))
  }

  @Test func `an end that is lost is said`() throws {
    let image = StoreBuilder(chunkSectors: 1).copying(0..<40).image(.cut(byteCount: 34 * 512))
    #expect(try text(image, isComplete: false).contains(#""endLost":true"#))
  }
}
