internal import BlockIO
internal import FileSystemFormat

/// The log of the snapshot's journal: the known facts about each of its blocks, and the
/// requirements on each.
///
/// Linux writes transactions one after another: revocations, descriptors, each followed by the
/// blocks in its tags, and a commit block. The tags have the checksum of each block with the
/// transaction's number. So the place of a descriptor determines the blocks after it; and the place
/// of a lost descriptor follows from the blocks that are still there, or from the transactions
/// before and after it.
struct Ext4Log: Sendable {
  /// A block that structures the log.
  struct Control: Sendable {
    let kind: Ext4JournalHeader.Kind
    let sequence: UInt32
    var tags: [Ext4JournalTag] = []
    var revoked: [UInt64] = []
  }

  /// A kind of control block, in a transaction.
  struct Key: Hashable {
    let kind: Ext4JournalHeader.Kind
    let sequence: UInt32
  }

  let place: Ext4JournalPlace
  /// The effect on a register of as many zero bytes as a block has.
  private let shift: CRC32CShift
  /// The register of each block, from zero, as the view shows it.
  private(set) var contents: [UInt32]
  /// The blocks of the view that are the snapshot's beyond doubt.
  private(set) var isCertain: [Bool]
  /// The control blocks of the log: those that are certain, and those that stood where blocks are
  /// lost.
  private(set) var controls: [Int: Control] = [:]
  /// The places of that kind of block.
  private(set) var positions: [Key: [Int]] = [:]
  /// The register of a block of the snapshot, from zero, where its transaction gives it.
  private(set) var expected: [Int: UInt32] = [:]
  /// Blocks on which transactions contradict each other.
  private var contradicted: Set<Int> = []
  /// The control blocks of the origin's log, where they are not certain for the snapshot.
  private var doubtful: [Int: Control] = [:]
  /// The place of the commit of the last transaction before the log of the origin's superblock.
  private var originEnd: (sequence: UInt32, position: Int)?
  /// When transactions that the view has were committed.
  private var commitTimes: [UInt32: UInt64] = [:]
  /// The places of certain blocks with that content.
  private var certainPositions: [UInt32: [Int]] = [:]
  /// The journal's superblock of the snapshot, if that is certain.
  private(set) var superblock: Ext4JournalSuperblock?

  /// The range by which the number of a transaction can exceed the last: some numbers are left out
  /// when a file system is unmounted and mounted.
  static let steps: ClosedRange<UInt32> = 1...4
  /// The same content in more blocks than this is no evidence.
  private static let sameContentMax = 8
  private static let tagCountMax = 1 << 22

  /// Reads the journal as a view has it.
  ///
  /// - Parameter isMapped: Whether a block of the file system is the snapshot's beyond doubt.
  init(
    _ place: Ext4JournalPlace, _ volume: Ext4Volume, _ view: any BlockSource,
    isMapped: (UInt64) -> Bool
  ) throws(BlockIOError) {
    self.place = place
    shift = CRC32CShift(byteCount: volume.blockByteCount)
    var contents = [UInt32](repeating: 0, count: place.blockCount)
    var isCertain = [Bool](repeating: false, count: place.blockCount)
    var found: [(Int, Control)] = []
    var superblock: Ext4JournalSuperblock?
    var tagCount = 0
    var times: [UInt32: UInt64] = [:]
    let layout = place.superblock.layout
    for position in contents.indices { isCertain[position] = isMapped(place.block(position)) }
    try place.forEach(volume, of: view) { position, bytes in
      var checksum = CRC32C(register: 0)
      checksum.add(bytes)
      contents[position] = checksum.register
      guard let header = Ext4JournalHeader(decoding: bytes), tagCount < Self.tagCountMax else {
        return
      }
      var control = Control(kind: header.kind, sequence: header.sequence)
      switch header.kind {
      case .descriptor:
        guard let tags = layout.tags(of: bytes) else { return }
        control.tags = tags
        tagCount += tags.count
      case .revocation:
        guard let revoked = layout.revoked(by: bytes) else { return }
        control.revoked = revoked
        tagCount += revoked.count
      case .commit:
        guard layout.isRight(commit: bytes) else { return }
        times[header.sequence] = layout.time(ofCommit: bytes)
      case .superblock:
        if position == 0 { superblock = Ext4JournalSuperblock(decoding: bytes) }
        return
      }
      found.append((position, control))
    }
    (self.contents, self.isCertain, commitTimes) = (contents, isCertain, times)
    if isCertain[0], superblock?.layout == layout { self.superblock = superblock }
    for (position, control) in found {
      noteEnd(control, at: position)
      if isCertain[position] { lay(control, at: position) } else { doubtful[position] = control }
    }
    for position in contents.indices where isCertain[position] { note(position) }
  }

  private mutating func noteEnd(_ control: Control, at position: Int) {
    guard control.kind == .commit, control.sequence < place.superblock.sequence,
      control.sequence > originEnd?.sequence ?? 0
    else { return }
    originEnd = (control.sequence, position)
  }

  private mutating func note(_ position: Int) {
    if certainPositions[contents[position], default: []].count <= Self.sameContentMax {
      certainPositions[contents[position], default: []].append(position)
    }
  }

  /// Whether the snapshot's content of a block is in the view, or known to be the view's.
  func isFilled(_ position: Int) -> Bool {
    isCertain[position] || expected[position] == contents[position]
  }

  /// The register of a tag's block, from zero.
  func content(of tag: Ext4JournalTag, sequence: UInt32) -> UInt32 {
    shift(place.superblock.layout.register(sequence: sequence)) ^ tag.checksum
  }

  /// When the last transaction before one was committed, in nanoseconds since 1970.
  func commitTime(before sequence: UInt32) -> UInt64? {
    Self.steps.lazy.compactMap { [commitTimes] in commitTimes[sequence &- $0] }.first
  }

  /// The highest transaction that is certain; nil if there is none.
  var newestSequence: UInt32? { controls.values.lazy.map(\.sequence).max() }

  // MARK: - Where blocks are

  /// Takes the journal's superblock from an orphan.
  mutating func take(_ superblock: Ext4JournalSuperblock) { self.superblock = superblock }

  /// Makes the origin's blocks of transactions before one certain: they were not overwritten since.
  mutating func takeOrigin(before sequence: UInt32) {
    for (position, control) in doubtful where control.sequence < sequence {
      var blocks = [position]
      for (index, tag) in control.tags.enumerated() {
        let data = place.position(position, plus: index + 1)
        if contents[data] == content(of: tag, sequence: control.sequence) { blocks.append(data) }
      }
      for block in blocks where !isCertain[block] {
        isCertain[block] = true
        note(block)
      }
      lay(control, at: position)
      doubtful[position] = nil
    }
  }

  /// Lays a block of the log at a position, which determines the blocks after it.
  mutating func lay(_ control: Control, at position: Int, content: UInt32? = nil) {
    controls[position] = control
    noteEnd(control, at: position)
    positions[Key(kind: control.kind, sequence: control.sequence), default: []].append(position)
    if let content { expect(content, at: position) }
    for (index, tag) in control.tags.enumerated() {
      // Blocks past the wrap may have been overwritten when the log started over.
      guard position + index + 1 < place.blockCount else { break }
      expect(self.content(of: tag, sequence: control.sequence), at: position + index + 1)
    }
  }

  private mutating func expect(_ content: UInt32, at position: Int) {
    if contradicted.contains(position) { return }
    if let before = expected[position], before != content {
      expected[position] = nil
      contradicted.insert(position)
    } else {
      expected[position] = content
    }
  }

  /// The possible places of a descriptor, by the certain blocks that its tags name.
  func positions(matching control: Control) -> Set<Int> {
    var found: Set<Int> = []
    for (index, tag) in control.tags.enumerated() {
      let content = content(of: tag, sequence: control.sequence)
      guard content != 0, let same = certainPositions[content], same.count <= Self.sameContentMax
      else { continue }
      for position in same {
        let start = place.position(position, plus: -index - 1)
        if mayBe(control, at: start) { found.insert(start) }
      }
    }
    return found
  }

  /// Whether nothing contradicts that a descriptor was there.
  func mayBe(_ control: Control, at position: Int) -> Bool {
    let count = control.tags.count
    guard position >= place.first, !isCertain[position], controls[position] == nil,
      expected[position] == nil, position + count + 1 < place.blockCount
    else { return false }
    for (index, tag) in control.tags.enumerated() {
      let data = position + index + 1
      let content = content(of: tag, sequence: control.sequence)
      if isCertain[data], contents[data] != content { return false }
      if controls[data] != nil || expected[data] != nil && expected[data] != content {
        return false
      }
    }
    let end = position + count + 1
    if let next = controls[end] {
      if next.sequence != control.sequence || next.kind == .revocation { return false }
    } else if isCertain[end] || expected[end] != nil {
      return false
    }
    guard position > place.first, let before = controls[position - 1] else { return true }
    return switch before.kind {
    case .commit: Self.steps.contains(control.sequence &- before.sequence)
    case .revocation: before.sequence == control.sequence
    case .descriptor, .superblock: false
    }
  }

  /// Whether a block is free to be something that structures the log.
  func isFree(_ position: Int) -> Bool {
    position >= place.first && position < place.blockCount && !isCertain[position]
      && controls[position] == nil && expected[position] == nil
      && !contradicted.contains(position)
  }

  /// The only place of a transaction's control block; nil if there is none, or several.
  func position(of kind: Ext4JournalHeader.Kind, _ sequence: UInt32) -> Int? {
    let found = positions[Key(kind: kind, sequence: sequence)] ?? []
    return found.count == 1 ? found[0] : nil
  }

  // MARK: - Transactions

  /// The start and the end of a transaction, if all of its structure is known; it must follow the
  /// one before it, or be the first of the log.
  func extent(of sequence: UInt32) -> (start: Int, commit: Int)? {
    guard let commit = position(of: .commit, sequence) else { return nil }
    let descriptors = positions[Key(kind: .descriptor, sequence: sequence)] ?? []
    let revocations = positions[Key(kind: .revocation, sequence: sequence)] ?? []
    var start = commit
    for descriptor in descriptors.sorted(by: >) {
      guard let control = controls[descriptor], descriptor + control.tags.count + 1 == start else {
        return nil
      }
      start = descriptor
    }
    for revocation in revocations.sorted(by: >) {
      guard revocation + 1 == start else { return nil }
      start = revocation
    }
    return start == place.first || follows(sequence, at: start) ? (start, commit) : nil
  }

  /// Whether the block before another is the end of the transaction before one.
  private func follows(_ sequence: UInt32, at start: Int) -> Bool {
    guard let before = controls[start - 1] ?? doubtful[start - 1], before.kind == .commit else {
      return false
    }
    return Self.steps.contains(sequence &- before.sequence)
  }

  /// The start of the log that was written over the origin's, if known: at the journal's first
  /// block, or, since Linux 6.5, where the origin's log ends.
  var startOverOrigin: Int? {
    let old = place.superblock.sequence
    if let first = controls[place.first], first.sequence >= old { return place.first }
    guard let end = originEnd?.position, let next = controls[end + 1], next.sequence >= old else {
      return nil
    }
    return end + 1
  }
}
