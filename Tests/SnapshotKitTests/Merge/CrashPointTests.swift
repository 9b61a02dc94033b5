import Foundation
import TestSupport
import Testing

/// Wherever a merge with or without undo is interrupted, no byte is lost; see docs/testing.md.
///
/// Without DMSNAP_CRASH_POINTS one interruption each of some merges and their undo, which take less
/// than 15 seconds in a debug build; with it, all interruptions of as many merges as it takes to look at
/// that many crash points. DMSNAP_CRASH_SEED is the seed of the first merge, 1 otherwise.
@Suite struct CrashPointTests {
  private static func number(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
  }

  @Test func `whatever interrupts a merge, it can go on, and can be undone`() throws {
    let wanted = Self.number("DMSNAP_CRASH_POINTS")
    var seed = UInt64(Self.number("DMSNAP_CRASH_SEED") ?? 1)
    var crashes: [CrashExplorer.Stage: Int] = [:]
    var errors = crashes
    var caseCount = 0
    var failures: [String] = []
    while crashes.values.reduce(0, +) < wanted ?? 40, failures.isEmpty {
      if let crashCase = try CrashCase(seed: seed) {
        var explorer = CrashExplorer(crashCase)
        explorer.explore(sampling: wanted == nil ? 1 : nil)
        crashes.merge(explorer.crashCounts, uniquingKeysWith: +)
        errors.merge(explorer.errorCounts, uniquingKeysWith: +)
        failures += explorer.failures
        caseCount += 1
      }
      seed += 1
    }
    for failure in failures.prefix(5) { Issue.record("\(failure)") }
    if wanted == nil { return }
    let count = crashes.values.reduce(0, +)
    print("\(count) crash points of \(caseCount) merges, up to seed \(seed - 1)")
    for stage in CrashExplorer.Stage.allCases {
      print("  \(stage): \(crashes[stage] ?? 0), and \(errors[stage] ?? 0) failed operations")
    }
  }

  /// Were there a flush missing in a merge, the test above would say so.
  @Test func `disks that do not flush are found out`() throws {
    let isFoundOut = try (UInt64(1)...30).contains { seed in
      guard let crashCase = try CrashCase(seed: seed) else { return false }
      var explorer = CrashExplorer(crashCase, ignoringFlushes: true)
      explorer.explore(sampling: 1)
      return explorer.failures.contains { $0.contains("until all is saved") }
    }
    #expect(isFoundOut)
  }
}
