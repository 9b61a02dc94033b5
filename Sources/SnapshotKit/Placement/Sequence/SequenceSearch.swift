internal import BlockIO
internal import SnapshotFormat

/// Continues the sequences of the exceptions around orphans.
///
/// Most writers write one chunk after the other, so the chunk that was copied next usually follows
/// one that was copied shortly before. Where several writers take turns, only the content shows
/// whose turn it was: numbers that continue. Order makes a place likely at most.
struct SequenceSearch: EvidenceSearch {
  private let numbering: Numbering?
  /// The possible starts of file systems in the snapshot, in bytes.
  private let fileSystemStarts: [UInt64]
  /// The orphans that can be read, and the content of each, ascending.
  private var read = ChunkSet()
  private var kinds: [SequenceWalk.Look.Kind] = []
  /// The numbers of each, if anything is numbered.
  private var words: [UInt32] = []

  init(
    _ runs: [ExceptionRun], _ store: any BlockSource, _ geometry: StoreGeometry,
    fileSystemStarts: [UInt64]
  ) throws(BlockIOError) {
    self.fileSystemStarts = fileSystemStarts
    numbering = try Numbering(runs, store, geometry)
  }

  var provesNothing: Bool { true }

  mutating func reserve(orphanCount: Int) {
    kinds.reserveCapacity(orphanCount)
    words.reserveCapacity(orphanCount * wordCount)
  }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) {
    let look = SequenceWalk.Look(content, numbering)
    _ = read.insert(new)
    kinds.append(look.kind)
    for index in 0..<wordCount { words.append(look.numbers[index]) }
  }

  private var wordCount: Int { numbering?.wordCount ?? 0 }

  private func look(_ index: Int) -> SequenceWalk.Look {
    var numbers = Numbering.Numbers.zero
    for word in 0..<wordCount { numbers[word] = words[index * wordCount + word] }
    return SequenceWalk.Look(kind: kinds[index], numbers: numbers)
  }

  func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    // Likely places are too few to begin with.
    if scene.runs.isEmpty { return [] }
    // Every inode is read for them, and only orphans after the last exception need them.
    let lastRun = scene.runs.last?.new ?? 0
    let isAfterAll = scene.orphans.contains { $0.new > lastRun }
    var walk = SequenceWalk(
      scene, numbering,
      isAfterAll ? try FileOrder(scene.view, starts: fileSystemStarts) : FileOrder())
    var evidence: [Evidence] = []
    evidence.reserveCapacity(kinds.count)
    var (runIndex, nextLook) = (0, 0)
    for orphan in scene.orphans {
      for new in orphan.new..<orphan.new + orphan.count {
        while runIndex < scene.runs.count, scene.runs[runIndex].new < new {
          walk.pass(scene.runs[runIndex])
          runIndex += 1
        }
        let lookIndex = nextLook
        let isRead = read.contains(new)
        if isRead { nextLook += 1 }
        if let old = scene.proven[new] {
          walk.pass(ExceptionRun(old: old, new: new, count: 1))
          continue
        }
        let look = isRead ? look(lookIndex) : nil
        let next = runIndex < scene.runs.count ? scene.runs[runIndex] : nil
        walk.following = kinds[nextLook...].prefix(SequenceWalk.changeCountMin)
        if let place = try walk.place(new, orphan, look, before: next) {
          evidence.append(
            Evidence(kinds: place.kinds, strength: .likely, new: new, old: place.old))
        }
      }
    }
    return evidence
  }
}
