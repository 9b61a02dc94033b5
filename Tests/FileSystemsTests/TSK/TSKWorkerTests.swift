#if TSK
  import Synchronization
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
  }

  /// Ends the call without an end, which would take a processor as long as the tests run.
  private final class Flag: Sendable {
    let value = Atomic(false)
  }
#endif
