internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Puts chunks of log data between chunks of the log whose places are known.
struct XFSLogAssembly {
  /// A chunk of log data with its place.
  struct Found {
    let new: UInt64
    let old: UInt64
    /// Whether a record's checksum confirms it.
    let isChecked: Bool
  }

  private(set) var found: [Found] = []
  private var reader: XFSLogReader
  private let scene: PlacementScene

  /// Begins with the chunks in the table.
  init(_ reader: XFSLogReader, _ scene: PlacementScene) {
    (self.reader, self.scene) = (reader, scene)
  }

  /// Adds an orphan that names its place; returns false if the place is another chunk's.
  mutating func add(_ claim: XFSClaim) -> Bool {
    if scene.isTaken(claim.old, from: claim.new) || reader.assigned[claim.old] != nil {
      return false
    }
    reader.assigned[claim.old] = claim.new
    return true
  }

  /// Places in the log that are known, in the order of the store.
  private var known: [ExceptionRun] {
    let chunks = reader.chunks
    var known = reader.assigned.map { ExceptionRun(old: $0.key, new: $0.value, count: 1) }
    for run in scene.view.table.runs {
      let start = max(run.old, chunks.lowerBound)
      let end = min(run.oldEnd, chunks.upperBound)
      guard start < end, reader.assigned[start] != run.new + (start - run.old) else { continue }
      known.append(
        ExceptionRun(old: start, new: run.new + (start - run.old), count: end - start))
    }
    return known.sorted { $0.new < $1.new }
  }

  /// Finds places for chunks of log data, ascending.
  mutating func place(_ pieces: [UInt64]) throws(BlockIOError) {
    let middles = pieces.filter { scene.proven[$0] == nil }
    let known = known
    var index = 0
    var next = 0
    while index < middles.count {
      while next < known.count, known[next].new <= middles[index] { next += 1 }
      let end = next < known.count ? known[next].new : .max
      var group: [UInt64] = []
      while index < middles.count, middles[index] < end {
        group.append(middles[index])
        index += 1
      }
      let before = next > 0 ? known[next - 1].old + (known[next - 1].count - 1) : nil
      let after = next < known.count ? known[next].old : nil
      try place(group, before, after)
    }
  }

  /// Finds places for chunks that lie between two known ones in the store.
  private mutating func place(
    _ group: [UInt64], _ before: UInt64?, _ after: UInt64?
  ) throws(BlockIOError) {
    var candidates: [[(new: UInt64, old: UInt64)]] = []
    var isExact = false
    if let before {
      let free = freePlaces(from: before, forward: true, until: after, limit: group.count)
      candidates.append(zip(group, free.places).map { ($0, $1) })
      isExact = free.isExact && after != nil
    }
    if let after, !isExact {
      let free = freePlaces(from: after, forward: false, until: before, limit: group.count)
      candidates.append(zip(group.reversed(), free.places).map { ($0, $1) })
    }
    var rest = Set(group)
    for candidate in candidates {
      let open = candidate.filter { rest.contains($0.new) && reader.assigned[$0.old] == nil }
      for (new, old) in open { reader.assigned[old] = new }
      var intact: [UInt64: Bool] = [:]
      var checked: [(new: UInt64, old: UInt64)] = []
      for (new, old) in open {
        guard let record = try reader.record(reaching: reader.sectors(of: old).lowerBound) else {
          continue
        }
        let holds: Bool
        if let known = intact[record.sector] {
          holds = known
        } else {
          holds = try reader.isIntact(record)
        }
        intact[record.sector] = holds
        if holds { checked.append((new, old)) }
      }
      for (new, old) in checked {
        found.append(Found(new: new, old: old, isChecked: true))
        rest.remove(new)
      }
      for (new, old) in open where rest.contains(new) {
        if isExact {
          found.append(Found(new: new, old: old, isChecked: false))
        } else {
          reader.assigned[old] = nil
        }
      }
    }
  }

  /// Chunks of the log after or before a known one that have no known orphan.
  ///
  /// - Returns: At most `limit`, and whether there are exactly that many before `end`.
  private func freePlaces(
    from start: UInt64, forward: Bool, until end: UInt64?, limit: Int
  ) -> (places: [UInt64], isExact: Bool) {
    let chunks = reader.chunks
    var places: [UInt64] = []
    var place = start
    // Records that are already mapped are skipped; a record is not longer than this.
    for _ in 0..<limit + XFSLogRecord.sectorCountMax * 512 / Int(scene.chunkByteCount) + 2 {
      if forward {
        place = place + 1 < chunks.upperBound ? place + 1 : chunks.lowerBound
      } else {
        place = place > chunks.lowerBound ? place - 1 : chunks.upperBound - 1
      }
      if place == end { return (places, places.count == limit) }
      if scene.isMapped(place) || reader.assigned[place] != nil { continue }
      if places.count == limit { return (places, false) }
      places.append(place)
    }
    return (places, false)
  }

  /// Trusts orphans before those that share a record with a chunk that is certain.
  func extend(_ trust: inout XFSTrust) throws(BlockIOError) {
    let orphans = Dictionary(uniqueKeysWithValues: reader.assigned.map { ($0.value, $0.key) })
    let isOpen = orphans.keys.filter { !trust.isCertain($0) }.sorted()
    if isOpen.isEmpty { return }
    var certain = Set(orphans.filter { trust.isCertain($0.key) }.values)
    var links: [Set<UInt64>] = []
    var seen: Set<UInt64> = []
    for new in isOpen {
      guard let old = orphans[new] else { continue }
      let sectors = reader.sectors(of: old)
      for sector in [sectors.lowerBound, sectors.upperBound] {
        guard let record = try reader.record(reaching: sector),
          seen.insert(record.sector).inserted, try reader.isIntact(record)
        else { continue }
        links.append(Set(reader.chunks(of: record)))
      }
    }
    var isChanged = true
    while isChanged {
      isChanged = false
      links.removeAll { link in
        guard link.contains(where: { scene.isMapped($0) || certain.contains($0) }) else {
          return false
        }
        for old in link {
          guard let new = reader.assigned[old] else { continue }
          certain.insert(old)
          if new >= trust.end {
            trust.end = new + 1
          }
          isChanged = true
        }
        return true
      }
    }
  }
}
