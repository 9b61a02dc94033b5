import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport

/// Interrupts a merge, and its undo, at every operation in every way, and again while they recover.
///
/// After each interruption, two things must be so:
///
/// - The same merge, done again on what is there, ends like one that nothing interrupted.
/// - The undo store gives the origin back as it was; as long as it cannot, the origin is as it was.
struct CrashExplorer {
  /// What was going on when it was interrupted.
  enum Stage: String, CaseIterable { case saving, merging, finished, undoing }

  /// What was running.
  enum Command: String { case merge, undo }

  /// What lies on the disks, and in their caches.
  private struct Disks {
    var store: VolatileTarget
    var origin: VolatileTarget
    var undo: VolatileTarget?
    /// Whether the undo began: a finished merge is then not to be had again.
    var isUndoing = false
  }

  /// A run that may have been interrupted.
  private struct Run {
    let command: Command
    let isCrash: Bool
    let rig: MergeRig
    let disks: Disks
    let error: (any Error)?

    /// What was going on at the end of it, as its process saw it.
    var stage: Stage {
      if command == .undo { return .undoing }
      guard let undo = disks.undo else { return error == nil ? .finished : .merging }
      return switch MergeRig.state(of: undo.bytes) {
      case nil, .saving: .saving
      case .saved: .merging
      case .finished: .finished
      }
    }
  }

  /// How many interruptions were looked at: power cuts, and processes killed.
  private(set) var crashCounts: [Stage: Int] = [:]
  /// How many failed reads, writes and flushes were.
  private(set) var errorCounts: [Stage: Int] = [:]
  /// What was not as it must be, and how it came to it.
  private(set) var failures: [String] = []

  private let crashCase: CrashCase
  private let ignoringFlushes: Bool
  private var random: SplitMix64
  private var trail: [String] = []

  /// - Parameter ignoringFlushes: Whether the disks do nothing when they are told to flush.
  init(_ crashCase: CrashCase, ignoringFlushes: Bool = false) {
    self.crashCase = crashCase
    self.ignoringFlushes = ignoringFlushes
    random = SplitMix64(seed: ~crashCase.seed)
  }

  /// Interrupts the merge, then its undo.
  ///
  /// - Parameter count: How many interruptions of each, chosen at random; nil: all, and for each
  ///   power cut all fates of what was not flushed.
  mutating func explore(sampling count: Int? = nil) {
    let fresh = Disks(
      store: VolatileTarget(crashCase.store, name: "store.img"),
      origin: VolatileTarget(crashCase.original, name: "origin.img"),
      undo: crashCase.emptyUndo.map { VolatileTarget($0, name: "undo.cow") })
    let merged = run(.merge, on: fresh)
    if let error = merged.error { return fail("nothing interrupts it, and yet: \(error)") }
    trail = []
    interrupt(merged, on: fresh, sampling: count)
    if merged.disks.undo == nil { return }
    trail = ["\(Command.merge)"]
    let undone = run(.undo, on: merged.disks)
    if let error = undone.error { return fail("nothing interrupts it, and yet: \(error)") }
    trail.removeLast()
    interrupt(undone, on: merged.disks, sampling: count)
  }

  // MARK: - Interruptions

  /// Does again what `whole` did to `disks`, and interrupts it.
  private mutating func interrupt(_ whole: Run, on disks: Disks, sampling count: Int?) {
    let operationCount = whole.rig.power.operationCount
    var interruptions = (0..<operationCount).flatMap { count -> [Interruption] in
      [
        .powerCut(afterOperations: count), .kill(afterOperations: count),
        .failure(afterOperations: count, .system(.ioError)),
        .failure(afterOperations: count, .system(.noSpace)),
      ]
    }
    for _ in 0..<8 {
      let count = random.below(whole.rig.power.readCount)
      interruptions.append(.failedRead(afterReads: count, .system(.ioError)))
    }
    if let count {
      interruptions = Array(interruptions.shuffled(using: &random).prefix(count))
    }
    // Just after the end, too.
    for interruption in interruptions + [.powerCut(afterOperations: operationCount)] {
      let before = trail
      if case .powerCut = interruption {
        cutAndGoOn(whole.command, on: disks, interruption, fateCountMax: count == nil ? 64 : 2)
      } else {
        interruptAndGoOn(whole.command, on: disks, interruption)
      }
      trail = before
    }
  }

  /// Looks at what is left on the media by several fates, and goes on from one.
  private mutating func cutAndGoOn(
    _ command: Command, on disks: Disks, _ interruption: Interruption, fateCountMax: Int
  ) {
    let cut = run(command, on: disks, until: interruption)
    let fates = fates(of: cut.disks).shuffled(using: &random).prefix(fateCountMax)
    for (index, fates) in fates.enumerated() {
      follow(cut) {
        let disks = $0.cutPower(cut.disks, fates)
        $0.look(at: disks, after: cut)
        if index == 0 { $0.goOn(from: disks) }
      }
    }
  }

  /// Looks at what is left in the caches, at what is left when the power goes out as well, and
  /// goes on from each.
  private mutating func interruptAndGoOn(
    _ command: Command, on disks: Disks, _ interruption: Interruption
  ) {
    let interrupted = run(command, on: disks, until: interruption)
    guard interrupted.rig.power.wasInterrupted else { return }
    follow(interrupted) {
      $0.look(at: interrupted.disks, after: interrupted)
      $0.goOn(from: interrupted.disks)
    }
    follow(interrupted) {
      let disks = $0.cutPower(interrupted.disks)
      $0.look(at: disks, after: interrupted)
      $0.goOn(from: disks)
    }
  }

  /// Recovers from an interruption, and is interrupted at that, a few times.
  private mutating func goOn(from disks: Disks) {
    var disks = disks
    for _ in 0..<1 + random.below(3) {
      let state = disks.undo.flatMap { MergeRig.state(of: $0.bytes) }
      let canUndo = state == .saved || state == .finished
      let isUndo = canUndo && (random.oneIn(3) || disks.isUndoing)
      let run = run(isUndo ? .undo : .merge, on: disks, until: anyInterruption())
      disks = run.disks
      if run.rig.power.wasInterrupted {
        if random.oneIn(2) || run.rig.power.isOut { disks = cutPower(disks) }
        look(at: disks, after: run)
      }
    }
  }

  private mutating func anyInterruption() -> Interruption {
    // What one process leaves to the next in the cache matters at the beginning of that one.
    let end = random.oneIn(2) ? 4 : 24
    return switch random.below(8) {
    case 0..<4: .powerCut(afterOperations: random.below(end))
    case 4, 5: .kill(afterOperations: random.below(end))
    case 6: .failure(afterOperations: random.below(end), .system(.ioError))
    default: .failedRead(afterReads: random.below(8 * end), .system(.ioError))
    }
  }

  /// Pairs of fates of the origin and the undo store, all of them if one disk has little to lose.
  private mutating func fates(of disks: Disks) -> [(VolatileTarget.Fate, VolatileTarget.Fate)] {
    let ofOrigin = disks.origin.fates(using: &random)
    let ofUndo = (disks.undo ?? disks.store).fates(using: &random)
    if min(ofOrigin.count, ofUndo.count) == 1 || ofOrigin.count * ofUndo.count <= 64 {
      return ofOrigin.flatMap { origin in ofUndo.map { (origin, $0) } }
    }
    return (0..<128).map { _ in
      (ofOrigin[random.below(ofOrigin.count)], ofUndo[random.below(ofUndo.count)])
    }
  }

  /// What is on the media of disks whose power goes out.
  private mutating func cutPower(
    _ disks: Disks, _ fates: (origin: VolatileTarget.Fate, undo: VolatileTarget.Fate)? = nil
  ) -> Disks {
    let possible = fates.map { [$0] } ?? self.fates(of: disks)
    let (ofOrigin, ofUndo) = possible[random.below(possible.count)]
    trail.append("power out, origin \(ofOrigin), undo \(ofUndo)")
    var disks = disks
    disks.origin = VolatileTarget(
      disks.origin.contentAfterPowerCut(ofOrigin), name: disks.origin.name)
    disks.undo = disks.undo.map {
      VolatileTarget($0.contentAfterPowerCut(ofUndo), name: $0.name)
    }
    return disks
  }

  // MARK: - Runs

  private mutating func run(
    _ command: Command, on disks: Disks, until interruption: Interruption? = nil
  ) -> Run {
    let power = PowerSupply(
      interruption, seed: random.next(), ignoringFlushes: ignoringFlushes)
    trail.append("\(command)" + (interruption.map { " until \($0)" } ?? ""))
    let isUndo = command == .undo
    let rig = MergeRig(
      isUndo ? disks.undo ?? disks.store : disks.store, into: disks.origin,
      undo: isUndo ? nil : disks.undo, power)
    var after = Disks(
      store: isUndo ? disks.store : rig.store, origin: rig.origin,
      undo: isUndo ? rig.store : rig.undo, isUndoing: disks.isUndoing || isUndo)
    var failure: (any Error)?
    do {
      try rig.merge(verify: random.oneIn(4))
    } catch {
      failure = error
    }
    if isUndo, power.operationCount == 0 { after.isUndoing = disks.isUndoing }
    if failure == nil {
      let wanted = isUndo ? crashCase.original : crashCase.merged
      expect(rig.origin.contentAfterPowerCut(.lost), wanted, "\(command) is done")
    }
    expect(rig.store.writes.isEmpty, "the store is never written")
    return Run(
      command: command, isCrash: interruption?.isCrash ?? false, rig: rig, disks: after,
      error: failure)
  }

  /// Does something with what was left by a run that is the trail's last.
  private mutating func follow(_ run: Run, _ body: (inout CrashExplorer) -> Void) {
    let trail = trail
    body(&self)
    self.trail = trail
  }

  // MARK: - What must be so

  /// Checks both guarantees.
  private mutating func look(at disks: Disks, after run: Run) {
    if run.isCrash {
      crashCounts[run.stage, default: 0] += 1
    } else {
      errorCounts[run.stage, default: 0] += 1
    }
    expectOriginal(of: disks)
    expectMerged(of: disks)
  }

  /// The origin as it was is there, or can be had.
  private mutating func expectOriginal(of disks: Disks) {
    guard let undo = disks.undo else { return }
    let state = MergeRig.state(of: undo.bytes)
    let origin = disks.origin.bytes
    guard state == .saved || state == .finished else {
      return expect(origin, crashCase.original, "the origin is as it was until all is saved")
    }
    let byLinux = ReferenceDecoder(undo.bytes).merge(into: origin)
    expect(byLinux ?? [], crashCase.original, "Linux undoes it")
    let undone = run(.undo, on: disks)
    expect(undone.error == nil, "the undo fails: \(undone.error.map { "\($0)" } ?? "")")
    trail.removeLast()
  }

  /// The merge can be done again.
  private mutating func expectMerged(of disks: Disks) {
    let state = disks.undo.flatMap { MergeRig.state(of: $0.bytes) }
    let again = run(.merge, on: disks)
    defer { trail.removeLast() }
    if let error = again.error {
      // What was undone is not merged again; the undo store says so, and nothing is written.
      let isRefusal = (error as? MergeError)?.refusal != nil
      return expect(
        disks.isUndoing && state == .finished && isRefusal && again.rig.power.operationCount == 0,
        "the merge fails: \(error)")
    }
    guard let undo = again.rig.undo?.contentAfterPowerCut(.lost) else { return }
    let byLinux = ReferenceDecoder(undo).merge(into: crashCase.merged)
    expect(byLinux ?? [], crashCase.original, "the undo store is whole at the end")
  }

  private mutating func expect(_ bytes: [UInt8], _ wanted: [UInt8], _ words: String) {
    if let difference = bytes.firstDifference(from: wanted) { fail("\(words): \(difference)") }
  }

  private mutating func expect(_ isSo: Bool, _ words: @autoclosure () -> String) {
    if !isSo { fail(words()) }
  }

  private mutating func fail(_ words: String) {
    failures.append(
      "seed \(crashCase.seed) (\(crashCase.shape)): \(trail.joined(separator: "; ")): \(words)")
  }
}
