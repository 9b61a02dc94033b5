import BlockIO
import TestSupport
import Testing

@Suite struct MemorySourceTests {
  @Test func `memory reads like a file`() throws {
    let memory = MemorySource(name: "these", pattern(1000))
    #expect(memory.name == "these")
    #expect(memory.byteCount == 1000)
    #expect(try memory.bytes(at: 10, count: 990) == pattern(990, from: 10))
    #expect(try memory.bytes(at: 1000, count: 0).isEmpty)
    let error = try #require(throws: BlockIOError.self) { _ = try memory.bytes(at: 999, count: 2) }
    #expect(error == BlockIOError("these", .read, .beyondEnd(byteCount: 1000), at: 999..<1001))
  }
}
