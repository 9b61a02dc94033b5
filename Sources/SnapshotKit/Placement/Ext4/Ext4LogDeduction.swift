internal import FileSystemFormat

/// Finds where in the log orphans that structure it were.
///
/// Each such block was written once, in one place. A descriptor is where all certain blocks after
/// it are those that its tags name, or between the ends of the transactions before and after it.
struct Ext4LogDeduction {
  private(set) var log: Ext4Log
  /// The orphans' blocks that have a place in the log now.
  private(set) var positions: [Int: Int] = [:]
  /// The orphans' blocks that have no place, by kind.
  private(set) var unlaid: [Ext4Log.Key: [Int]] = [:]

  private let orphans: Ext4OrphanBlocks
  private let isFromLostEnd: (Int) -> Bool
  private let mayLay: (Int) -> Bool
  private let isBeside: (Int, Int, Int, Int?) -> Bool
  /// The orphans' blocks by their place in the log.
  private var laid: [Int: Int] = [:]
  /// The number of tags that fit into a descriptor.
  private let tagLimit: Int

  /// Finds all that can be found.
  ///
  /// - Parameters:
  ///   - mayStructure: Whether a block of an orphan was certainly, or perhaps, copied for this
  ///     store; what is not, structures nothing.
  ///   - mayLay: Whether it is looked for where such a block was; if not, it is only known that
  ///     something has no place.
  ///   - isBeside: Whether nothing is missing between an orphan's block and what is in the log
  ///     beside a position, before it (-1) or after it (1), which may be another orphan's block: a
  ///     transaction that was destroyed leaves no other trace.
  ///   - isFromLostEnd: Whether it may nevertheless be of another use of the store's space: then
  ///     nothing else may claim to be the same.
  init(
    _ log: Ext4Log, _ orphans: Ext4OrphanBlocks, blockByteCount: Int,
    isBeside: @escaping (_ place: Int, _ position: Int, _ step: Int, _ other: Int?) -> Bool,
    mayStructure: (Int) -> Bool, mayLay: @escaping (Int) -> Bool,
    isFromLostEnd: @escaping (Int) -> Bool
  ) {
    self.log = log
    self.orphans = orphans
    self.isFromLostEnd = isFromLostEnd
    self.mayLay = mayLay
    self.isBeside = isBeside
    tagLimit = (blockByteCount - 32) / 16
    for (place, block) in orphans.blocks.enumerated() where mayStructure(place) {
      let kind: Ext4JournalHeader.Kind
      switch block.role {
      case .journalDescriptor: kind = .descriptor
      case .journalCommit: kind = .commit
      case .journalRevocation: kind = .revocation
      default: continue
      }
      let key = Ext4Log.Key(kind: kind, sequence: UInt32(truncatingIfNeeded: block.value))
      unlaid[key, default: []].append(place)
    }
    for key in unlaid.keys where key.kind != .descriptor {
      if let known = log.positions[key], !known.isEmpty,
        unlaid[key]?.contains(where: isFromLostEnd) == true
      {
        unlaid[key] = nil
      }
    }
    layAll()
  }

  /// Whether anything that structures the log has no place.
  var isComplete: Bool { unlaid.values.allSatisfy(\.isEmpty) }

  /// Finds places until there are no more to be found.
  ///
  /// A block with a place leads to its neighbours: only those are tried again, or each of many
  /// would be tried once for each. All are tried again at the end, because a later placement may
  /// also rule a place out.
  private mutating func layAll() {
    var isNew = true
    while isNew {
      isNew = false
      var pending = Array(Set(unlaid.keys.lazy.map(\.sequence)).sorted().reversed())
      var queued = Set(pending)
      while let sequence = pending.popLast() {
        queued.remove(sequence)
        guard lay(sequence) else { continue }
        isNew = true
        let reach = Ext4Log.steps.upperBound
        for distance in (0...2 * reach).reversed() {
          let beside = sequence &- reach &+ distance
          if isUnlaid(beside), queued.insert(beside).inserted { pending.append(beside) }
        }
      }
    }
  }

  /// Finds places of a transaction's control blocks.
  ///
  /// - Returns: Whether anything was found.
  private mutating func lay(_ sequence: UInt32) -> Bool {
    var isNew = false
    for kind in [.descriptor, .commit, .revocation] as [Ext4JournalHeader.Kind] {
      let key = Ext4Log.Key(kind: kind, sequence: sequence)
      for place in unlaid[key] ?? [] where mayLay(place) {
        let position =
          switch kind {
          case .descriptor: descriptorPosition(place, key)
          case .commit: commitPosition(place, key)
          case .revocation: revocationPosition(place, key)
          case .superblock: nil as Int?
          }
        guard let position else { continue }
        log.lay(control(place, key), at: position, content: orphans.blocks[place].content)
        positions[place] = position
        laid[position] = place
        unlaid[key]?.removeAll { $0 == place }
        if unlaid[key]?.isEmpty == true { unlaid[key] = nil }
        isNew = true
      }
    }
    return isNew
  }

  private func control(_ place: Int, _ key: Ext4Log.Key) -> Ext4Log.Control {
    Ext4Log.Control(
      kind: key.kind, sequence: key.sequence, tags: orphans.tags[place] ?? [],
      revoked: orphans.revoked[place] ?? [])
  }

  /// Whether an orphan is the only block that claims its identity.
  private func isOnly(_ key: Ext4Log.Key) -> Bool {
    unlaid[key]?.count == 1 && log.positions[key]?.isEmpty != false
  }

  private func descriptorPosition(_ place: Int, _ key: Ext4Log.Key) -> Int? {
    let control = control(place, key)
    let isOnly = isOnly(key)
    if isFromLostEnd(place), !isOnly { return nil }
    let matching = log.positions(matching: control)
    if matching.count == 1 { return matching.first }
    guard matching.isEmpty, isOnly, control.tags.count < tagLimit else { return nil }
    // It ends where the transaction is committed, and begins after the transaction before.
    let before = log.position(of: .commit, key.sequence).map { $0 - control.tags.count - 1 }
    var after = previousCommit(key.sequence).flatMap { step, position in
      // After a mount the log may start over at the journal's beginning.
      step == 1 || isElsewhere(key.sequence) ? position + 1 : nil
    }
    let revocation = Ext4Log.Key(kind: .revocation, sequence: key.sequence)
    if unlaid[revocation]?.isEmpty == false || log.positions[revocation] != nil {
      after = log.position(of: .revocation, key.sequence).map { $0 + 1 }
    }
    if let before, let after, before != after { return nil }
    guard let position = before ?? after, log.mayBe(control, at: position),
      before != nil || isBeside(place, position, -1, laid[position - 1])
    else { return nil }
    return position
  }

  /// The place of the previous transaction's commit, and the difference of the numbers; nil if it
  /// has no place yet.
  private func previousCommit(_ sequence: UInt32) -> (step: UInt32, position: Int)? {
    for step in Ext4Log.steps {
      if isUnlaid(sequence &- step) { return nil }
      if let position = log.position(of: .commit, sequence &- step) { return (step, position) }
    }
    return nil
  }

  /// Whether anything of a transaction has no place.
  private func isUnlaid(_ sequence: UInt32) -> Bool {
    [.descriptor, .commit, .revocation].contains {
      unlaid[Ext4Log.Key(kind: $0, sequence: sequence)]?.isEmpty == false
    }
  }

  /// Whether a transaction is certainly not the first of the journal.
  private func isElsewhere(_ sequence: UInt32) -> Bool {
    let first = log.place.first
    if let control = log.controls[first] { return control.sequence != sequence }
    return log.isCertain[first] || log.startOverOrigin.map { $0 != first } == true
  }

  private func commitPosition(_ place: Int, _ key: Ext4Log.Key) -> Int? {
    guard isOnly(key) else { return nil }
    var (before, after): (Int?, Int?)
    let descriptors = Ext4Log.Key(kind: .descriptor, sequence: key.sequence)
    if unlaid[descriptors]?.isEmpty != false,
      let last = log.positions[descriptors]?.max(),
      let tagCount = log.controls[last]?.tags.count, tagCount < tagLimit
    {
      before = last + tagCount + 1
    }
    let next = Ext4Log.steps.lazy.map { key.sequence &+ $0 }.first {
      isUnlaid($0) || firstPosition(of: $0) != nil
    }
    if let next, let first = firstPosition(of: next), first > log.place.first {
      after = first - 1
    }
    if let before, let after, before != after { return nil }
    guard let position = before ?? after, log.isFree(position),
      before != nil || isBeside(place, position, 1, laid[position + 1])
    else { return nil }
    return position
  }

  /// Where a transaction begins, if all of its structure has a place.
  private func firstPosition(of sequence: UInt32) -> Int? {
    let kinds: [Ext4JournalHeader.Kind] = [.descriptor, .revocation]
    let keys = kinds.map { Ext4Log.Key(kind: $0, sequence: sequence) }
    guard keys.allSatisfy({ unlaid[$0]?.isEmpty != false }) else { return nil }
    guard let first = keys.flatMap({ log.positions[$0] ?? [] }).min(),
      let control = log.controls[first]
    else { return nil }
    // Before a descriptor that is not the last there may be another.
    return control.kind == .revocation || control.tags.count < tagLimit ? first : nil
  }

  private func revocationPosition(_ place: Int, _ key: Ext4Log.Key) -> Int? {
    guard isOnly(key) else { return nil }
    let descriptors = Ext4Log.Key(kind: .descriptor, sequence: key.sequence)
    guard unlaid[descriptors]?.isEmpty != false, let known = log.positions[descriptors],
      known.count == 1, log.isFree(known[0] - 1), isBeside(place, known[0] - 1, 1, laid[known[0]])
    else { return nil }
    return known[0] - 1
  }
}
