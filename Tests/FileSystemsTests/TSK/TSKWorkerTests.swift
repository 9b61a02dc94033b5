#if TSK
  import BlockIO
  import Synchronization
  import TestSupport
  import Testing

  @testable import TSK

  /// Calls of libtsk that come to an end, and one that does not.
  @Suite struct TSKWorkerTests {
    @Test func `a call gives its answer or its error`() throws {
      let worker = try #require(TSKWorker(limit: .seconds(60)))
      defer { worker.end() }
      #expect(try worker.run { () throws(TSKError) in 7 } == 7)
      #expect(throws: TSKError.library("no")) {
        try worker.run { () throws(TSKError) -> Int in throw .library("no") }
      }
      #expect(try worker.run { () throws(TSKError) in 8 } == 8)
      #expect(!worker.isStuck)
    }

    @Test func `a call without an end is left behind, and so is the worker`() throws {
      let worker = try #require(TSKWorker(limit: .milliseconds(50)))
      let isOver = Flag()
      #expect(throws: TSKError.stuck) {
        try worker.run { () throws(TSKError) in
          while !isOver.value.load(ordering: .relaxed) {}
        }
      }
      #expect(worker.isStuck)
      #expect(throws: TSKError.stuck) { try worker.run { () throws(TSKError) in 1 } }
      isOver.value.store(true, ordering: .relaxed)
      worker.end()
    }

    /// libtsk 4.11 asserts that a name has characters.
    @Test func `a failed assertion of libtsk ends the call, not the program`() throws {
      let source = try TSKImages().exFAT()
      let buffer = IOBuffer(byteCount: Int(source.byteCount))
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
      var image = buffer.bytes(0..<buffer.byteCount)
      // Each file's length of its name.
      for start in stride(from: 0, to: image.count - 64, by: 32)
      where image[start] == 0x85 && image[start + 32] == 0xc0 { image[start + 35] = 0 }
      let volume = try TSKVolume(MemorySource(image))
      var isStuck = false
      for address in volume.addresses.prefix(40_000) where !isStuck {
        do throws(TSKError) { _ = try volume.metadata(of: address) } catch {
          isStuck = error == .stuck
        }
      }
      #expect(isStuck)
    }
  }

  /// Ends the call without an end, which would take a processor as long as the tests run.
  private final class Flag: Sendable {
    let value = Atomic(false)
  }
#endif
