/// Which orphans were read, to explain why some have no place.
struct SeenOrphans {
  private var read = ChunkSet()
  private var zeroes = ChunkSet()
  /// The number of orphans that can be read as a whole.
  private(set) var readCount: UInt64 = 0

  /// Notes an orphan that can be read as a whole.
  mutating func add(_ new: UInt64, _ content: Span<UInt8>) {
    _ = read.insert(new)
    readCount += 1
    var isZero = true
    for index in content.indices where content[index] != 0 {
      isZero = false
      break
    }
    if isZero { _ = zeroes.insert(new) }
  }

  /// The reasons why unplaced orphans have no place.
  ///
  /// - Parameters:
  ///   - orphans: All of them, ascending.
  ///   - placements: Those with a place, ascending.
  func unplaced(
    _ orphans: [Orphan], _ placements: [Placement], _ contradicted: Set<UInt64>
  ) -> [Unplaced] {
    var counts: [Unplaced.Reason: UInt64] = [:]
    var next = 0
    for orphan in orphans {
      if orphan.reason == .leaked {
        counts[.leaked, default: 0] += orphan.count
        continue
      }
      for new in orphan.new..<orphan.new + orphan.count {
        while next < placements.count, placements[next].new + placements[next].count <= new {
          next += 1
        }
        if next < placements.count, placements[next].new <= new { continue }
        let reason: Unplaced.Reason =
          if contradicted.contains(new) {
            .contradicted
          } else if !read.contains(new) {
            .unreadable
          } else {
            zeroes.contains(new) ? .zeroes : .noEvidence
          }
        counts[reason, default: 0] += 1
      }
    }
    return Unplaced.Reason.allCases.flatMap { Unplaced.all(counts[$0] ?? 0, $0) }
  }
}
