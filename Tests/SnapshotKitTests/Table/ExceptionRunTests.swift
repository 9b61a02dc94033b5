import SnapshotKit
import Testing

/// A run takes in what follows it in both chunks, and neither range wraps around.
@Suite struct ExceptionRunTests {
  /// What becomes of a run that an exception is offered to, or nil if it does not take it.
  private func extended(_ run: ExceptionRun, _ old: UInt64, _ new: UInt64) -> ExceptionRun? {
    var run = run
    return run.extend(old: old, new: new) ? run : nil
  }

  @Test(arguments: [(7, 12), (8, 11), (6, 10), (4, 8), (5, 9), (0, 0)] as [(UInt64, UInt64)])
  func `nothing but the next exception extends it`(old: UInt64, new: UInt64) {
    var run = ExceptionRun(old: 5, new: 9, count: 2)
    let isExtended = run.extend(old: old, new: new)
    #expect(!isExtended)
    #expect(run == ExceptionRun(old: 5, new: 9, count: 2))
  }

  @Test func `the next exception in both chunks extends it`() {
    let run = extended(ExceptionRun(old: 5, new: 9, count: 2), 7, 11)
    #expect(run == ExceptionRun(old: 5, new: 9, count: 3))
    #expect(run?.lastOld == 7)
  }

  @Test func `it ends with the last of all chunks`() throws {
    let run = try #require(extended(ExceptionRun(old: .max - 1, new: 2, count: 1), .max, 3))
    #expect(run.lastOld == .max)
    #expect(extended(run, 0, 4) == nil)
  }

  @Test func `it takes twenty-four bytes`() {
    #expect(MemoryLayout<ExceptionRun>.stride == 24)
  }
}
