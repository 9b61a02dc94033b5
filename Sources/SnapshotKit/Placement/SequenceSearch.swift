internal import BlockIO
internal import SnapshotFormat

/// Continues the sequences of the exceptions around orphans.
///
/// Most writers write one chunk after the other, so the chunk that was copied next usually follows
/// one that was copied shortly before. Where several writers take turns, only the content tells
/// whose turn it was: numbers that go on. What order says is likely at most.
struct SequenceSearch: EvidenceSearch {
  private let numbering: Numbering?
  /// The orphans that can be read, ascending.
  private var news: [UInt64] = []
  private var kinds: [SequenceWalk.Look.Kind] = []
  /// Of each, if anything is numbered.
  private var numbers: [Numbering.Numbers] = []

  init(
    _ runs: [ExceptionRun], _ store: any BlockSource, _ geometry: StoreGeometry
  ) throws(BlockIOError) {
    numbering = try Numbering(runs, store, geometry)
  }

  var provesNothing: Bool { true }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) {
    let look = SequenceWalk.Look(content, numbering)
    news.append(new)
    kinds.append(look.kind)
    if numbering != nil { numbers.append(look.numbers) }
  }

  private func look(_ index: Int) -> SequenceWalk.Look {
    SequenceWalk.Look(kind: kinds[index], numbers: numbering == nil ? .zero : numbers[index])
  }

  func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    // Every inode is read for them, and only what follows the last exception needs them.
    let lastRun = scene.runs.last?.new ?? 0
    let isAfterAll = scene.orphans.contains { $0.new > lastRun }
    var walk = SequenceWalk(
      scene, numbering, isAfterAll ? try FileJumps(scene.view) : FileJumps())
    var evidence: [Evidence] = []
    var (runIndex, lookIndex) = (0, 0)
    for orphan in scene.orphans {
      for new in orphan.new..<orphan.new + orphan.count {
        while runIndex < scene.runs.count, scene.runs[runIndex].new < new {
          walk.pass(scene.runs[runIndex])
          runIndex += 1
        }
        while lookIndex < news.count, news[lookIndex] < new { lookIndex += 1 }
        if let old = scene.proven[new] {
          walk.pass(ExceptionRun(old: old, new: new, count: 1))
          continue
        }
        let look = lookIndex < news.count && news[lookIndex] == new ? look(lookIndex) : nil
        let next = runIndex < scene.runs.count ? scene.runs[runIndex] : nil
        if let place = try walk.place(new, orphan, look, before: next) {
          for kind in place.kinds {
            evidence.append(Evidence(kind: kind, strength: .likely, new: new, old: place.old))
          }
        }
      }
    }
    return evidence
  }
}
