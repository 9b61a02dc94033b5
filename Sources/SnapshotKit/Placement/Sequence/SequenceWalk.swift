internal import BlockIO
internal import SnapshotFormat

/// The sequences of copies up to a place in the store's order, and their predictions for the next
/// chunk.
struct SequenceWalk {
  /// A writer that writes one chunk after the other.
  private struct Sequence {
    /// The last chunk of the origin, and of the store.
    var (old, new): (UInt64, UInt64)
    /// The number of chunks.
    var count: UInt64
    /// The number of chunks that had been copied when it began, and after its last.
    var (start, end): (UInt64, UInt64)
    /// The number of chunks without a place that had been met when its last came.
    var strangerCount: UInt64 = 0
    /// The chunk of the store before its last.
    var newBefore: UInt64?
    /// The content of its last chunk, once examined.
    var last: Look?
    /// Whether its last two chunks are numbered, once examined.
    var isNumbered: Bool?
    /// The numbers in the text of its last chunk, once examined.
    var text: TextNumbers??
  }

  /// More simultaneous writers are not distinguished.
  private static let sequenceCountMax = 16
  /// A shorter sequence may be chance.
  private static let countMin: UInt64 = 8
  /// A sequence of that length, if nothing else was copied, is of the only writer.
  private static let soleCountMin: UInt64 = 64
  /// Fewer chunks of another kind may be the remains of an unfinished copy.
  static let changeCountMin = 4
  /// A sequence that was not continued for that many copies has ended.
  private static let idleCountMax: UInt64 = 4096
  /// The number of chunks copied before that a sequence may skip.
  private static let skipCountMax: UInt64 = 256

  private let scene: PlacementScene
  private let numbering: Numbering?
  private let files: FileOrder
  private let (content, other): (IOBuffer, IOBuffer)
  private var sequences: [Sequence] = []
  /// The number of chunks copied so far.
  private var copyCount: UInt64 = 0
  /// The places found so far.
  private var placed = ChunkSet()
  /// The last numbers of chunks in a row whose place is not known; the last that was continued
  /// stands last.
  private var strangers: [Numbering.Numbers] = []
  /// The number of chunks without a place met so far: they may be of any sequence, so that order
  /// proves nothing from then on.
  private var strangerCount: UInt64 = 0
  private var fileEnds: FileEndSearch
  /// The kinds of the next orphans, after the one that is placed.
  var following: ArraySlice<Look.Kind> = []
  /// The number of chunks copied before the one with which a file begins, if known.
  private var beginning: UInt64?

  init(_ scene: PlacementScene, _ numbering: Numbering?, _ files: FileOrder) {
    self.scene = scene
    self.numbering = numbering
    self.files = files
    fileEnds = FileEndSearch(scene, files)
    let size = Int(min(scene.chunkByteCount, OrphanReader.chunkByteCountMax))
    (content, other) = (IOBuffer(byteCount: size), IOBuffer(byteCount: size))
  }

  /// Passes exceptions that are known.
  mutating func pass(_ run: ExceptionRun) {
    let index = sequences.firstIndex { follows($0.old, run.old) }
    advance(index, to: run.lastOld, run.new + (run.count - 1), count: run.count)
  }

  /// The sequences' evidence for an orphan.
  ///
  /// - Parameters:
  ///   - look: What it holds; nil if it cannot be read.
  ///   - next: The next exceptions that are known, if there are any.
  mutating func place(
    _ new: UInt64, _ orphan: Orphan, _ look: Look?, before next: ExceptionRun?
  ) throws(BlockIOError) -> (old: UInt64, kinds: Evidence.Kinds)? {
    guard let (old, index, kinds) = try candidate(new, orphan, look, before: next) else {
      if look?.kind.isJournal != true { strangerCount += 1 }
      if numbering != nil, let look, !look.isZero { meet(look.numbers) }
      copyCount += 1
      return nil
    }
    let before = if let index { try last(index) } else { Look?.none }
    advance(index, to: old, new, count: 1)
    // A file's beginning is as good as a long sequence.
    if kinds.contains(.fileTail) { sequences[sequences.count - 1].count = Self.countMin }
    _ = placed.insert(old)
    // An unfinished copy leaves the old content, most often zeroes.
    let isUnfinished =
      look?.isZero == true && before?.isZero != true && orphan.reason != .exceptionLost
    guard let look, !isUnfinished else {
      sequences[sequences.count - 1].last = before
      return nil
    }
    sequences[sequences.count - 1].last = look
    return try isUnwritten(old, new) ? nil : (old, kinds)
  }

  // MARK: - Whose turn it was

  private typealias Candidate = (old: UInt64, index: Int?, kinds: Evidence.Kinds)

  private mutating func candidate(
    _ new: UInt64, _ orphan: Orphan, _ look: Look?, before next: ExceptionRun?
  ) throws(BlockIOError) -> Candidate? {
    let isAfterAll =
      next == nil && (orphan.reason == .inFlight || orphan.reason == .exceptionLost)
    let file = isAfterAll ? try file(from: new, look) : nil
    if let numbering, let look, !look.isZero {
      // Files with numbered lines are many, and short: except at the end, where a burst of one
      // writer stands, only a longer sequence is trusted.
      let countMin = orphan.reason == .inFlight ? 1 : Self.countMin
      if follower(of: look.numbers) != nil { return nil }
      if let found = try candidate(by: numbering, look, countMin) { return found }
    }
    if let first = orphan.old {
      let old = first + (new - orphan.new)
      return (old, sequences.firstIndex { follows($0.old, old) }, [.sequence])
    }
    // After the last exception.
    if let file { return (file, nil, [.fileTail, .sequence]) }
    guard isAfterAll, let writer = try turn(new, look) else { return nil }
    // Only in a burst is it one writer's turn for long.
    if orphan.reason == .exceptionLost, files.isStructure(writer.next * scene.chunkByteCount) {
      return nil
    }
    return (writer.next, writer.index, [.sequence])
  }

  /// The first chunk of the file that begins with an orphan, if a file ended right before it.
  private mutating func file(
    from new: UInt64, _ look: Look?
  ) throws(BlockIOError) -> UInt64? {
    let isAfterFile =
      sequences.last.map { $0.end == copyCount && $0.count > 0 && after($0.old) == nil } ?? false
    guard isAfterFile || beginning == copyCount, look?.kind.isJournal == false,
      let end = try fileEnds.end(from: new)
    else { return nil }
    beginning = copyCount + end.count
    return fileEnds.beginning(of: end, besides: placed)
  }

  /// A sequence that may go on, and the chunk with which.
  private typealias Writer = (index: Int, next: UInt64)

  /// The sequence that goes on: the only one, the only one whose content is of that kind, or of
  /// several texts the only one whose numbers go on.
  private mutating func turn(_ new: UInt64, _ look: Look?) throws(BlockIOError) -> Writer? {
    guard let current = sequences.indices.last, sequences[current].count >= Self.countMin else {
      return nil
    }
    let rivals = sequences.indices.dropLast().filter {
      sequences[$0].count >= Self.countMin / 2 && sequences[$0].end > sequences[current].start
        && copyCount - sequences[$0].end < Self.idleCountMax
    }
    var writers: [Writer] = []
    for index in rivals + [current] {
      // A writer at the end of a file may have started another; chunks without a place may be of
      // any sequence.
      guard sequences[index].strangerCount == strangerCount,
        let next = after(sequences[index].old)
      else { return nil }
      writers.append((index, next.old))
    }
    guard let look, !look.isZero else { return rivals.isEmpty ? writers[0] : nil }
    if look.kind.isJournal { return nil }
    let isOthersTurn = try isNumbered(current)
    let isAlone = rivals.isEmpty && !isOthersTurn
    var like: [Writer] = []
    for writer in writers {
      // Numbers that end are no sequence that goes on; nor is any other that is numbered.
      if isOthersTurn, try isNumbered(writer.index) { continue }
      guard let last = try last(writer.index) else { continue }
      // Zeroes are in files of every kind.
      let distance =
        last.isZero && isAlone
        ? 0 : distance(of: look.profile, at: writer.next, after: last.profile)
      if distance < (isAlone ? ContentProfile.unlike : ContentProfile.alike) {
        like.append(writer)
      } else if distance < ContentProfile.unlike {
        return nil
      }
    }
    if like.isEmpty, rivals.isEmpty, isLasting(look), try goesOnThroughOther(writers[0], look) {
      return writers[0]
    }
    if like.isEmpty, !isOthersTurn {
      // Something else, or the sequence goes on with other content: from here on it is not known.
      sequences.removeAll { $0.count >= Self.countMin / 2 }
    }
    return like.count == 1 ? like[0] : try continued(like, by: new)
  }

  /// Of several texts, the one that a chunk continues, if it continues no other sequence.
  private mutating func continued(
    _ writers: [Writer], by new: UInt64
  ) throws(BlockIOError) -> Writer? {
    guard writers.count > 1, let numbers = try textNumbers(at: new) else { return nil }
    var found: Int?
    for index in sequences.indices {
      if sequences[index].text == nil {
        sequences[index].text = .some(try textNumbers(at: sequences[index].new))
      }
      guard let text = sequences[index].text ?? nil, numbers.follows(text) else { continue }
      if found != nil { return nil }
      found = index
    }
    return writers.first { $0.index == found }
  }

  private func textNumbers(at new: UInt64) throws(BlockIOError) -> TextNumbers? {
    guard try read(new, into: content) else { return nil }
    return content.withBytes(0..<content.byteCount) { TextNumbers($0) }
  }

  /// Whether the next orphans have a chunk's kind.
  private func isLasting(_ look: Look) -> Bool {
    following.count == Self.changeCountMin
      && following.allSatisfy {
        $0.profile.distance(to: look.profile) < ContentProfile.alike
      }
  }

  /// Whether the only sequence goes on though the content is of another kind from there on.
  ///
  /// Either nothing else was ever copied, or the origin shows it: the data written over the last
  /// chunk continues in the next, and is unlike the old content there.
  private mutating func goesOnThroughOther(
    _ writer: Writer, _ look: Look
  ) throws(BlockIOError) -> Bool {
    let sequence = sequences[writer.index]
    // Numbers that end in content of one kind are another writer's.
    guard let before = try last(writer.index),
      look.profile.distance(to: before.profile) >= ContentProfile.unlike
    else { return false }
    if sequence.count >= Self.soleCountMin, sequence.count == copyCount { return true }
    guard let written = try profile(ofOrigin: sequence.old),
      let following = try profile(ofOrigin: writer.next)
    else { return false }
    return following.distance(to: written) < ContentProfile.alike
      && following.distance(to: before.profile) > ContentProfile.unlike
  }

  /// The mix of bytes in a chunk of the origin; nil if it cannot be read.
  private func profile(ofOrigin old: UInt64) throws(BlockIOError) -> ContentProfile? {
    let (start, overflow) = old.multipliedReportingOverflow(by: scene.chunkByteCount)
    guard !overflow, UInt64(other.byteCount) == scene.chunkByteCount,
      start < scene.origin.byteCount, scene.origin.byteCount - start >= scene.chunkByteCount,
      try scene.origin.readAround(at: start, into: other, 0..<other.byteCount).isEmpty
    else { return nil }
    return other.withBytes(0..<other.byteCount) { ContentProfile($0) }
  }

  /// The difference of the next chunk of a sequence from its last: where a file ends, zeroes fill
  /// the rest.
  private func distance(
    of next: ContentProfile, at old: UInt64, after last: ContentProfile
  ) -> Double {
    guard files.next(after: old) == .end else { return next.distance(to: last) }
    guard let next = next.besidesZeroes, let last = last.besidesZeroes else { return 0 }
    return next.distance(to: last)
  }

  /// The one chunk for which a sequence and the numbers in its chunks go on.
  private mutating func candidate(
    by numbering: Numbering, _ look: Look, _ countMin: UInt64
  ) throws(BlockIOError) -> Candidate? {
    var found: Candidate?
    for index in sequences.indices where sequences[index].count >= countMin {
      guard let last = try last(index),
        let distance = numbering.distance(from: last.numbers, to: look.numbers), distance > 0
      else { continue }
      // They count along the file or along the disk: where a file goes on elsewhere, one of both.
      let start = sequences[index].old
      guard distance <= Self.skipCountMax || files.isTorn(after: start, count: Self.skipCountMax),
        let next = after(start), next.isNumbered,
        [next.stepCount, next.old &- start].contains(UInt64(distance))
      else { continue }
      if let found, found.old != next.old { return nil }
      found = (next.old, index, [.numbering, .sequence])
    }
    if let found { return found }
    guard let old = numbering.place(of: look.numbers), isFree(old) else { return nil }
    return (old, nil, [.numbering])
  }

  /// The row of chunks without a place that continues with these numbers; nil if none does.
  private func follower(of numbers: Numbering.Numbers) -> Int? {
    strangers.firstIndex { numbering?.distance(from: $0, to: numbers) == 1 }
  }

  /// Notes a chunk of unknown place: chunks that continue its numbers belong beside it, and to no
  /// sequence that came as far before.
  private mutating func meet(_ numbers: Numbering.Numbers) {
    if let index = follower(of: numbers) { strangers.remove(at: index) }
    strangers.append(numbers)
    if strangers.count > Self.sequenceCountMax { strangers.removeFirst() }
  }

  /// Whether the last two chunks of a sequence are numbered.
  private mutating func isNumbered(_ index: Int) throws(BlockIOError) -> Bool {
    if let known = sequences[index].isNumbered { return known }
    var isNumbered = false
    if let numbering, let last = try last(index), let before = sequences[index].newBefore,
      let look = try look(at: before)
    {
      isNumbered = numbering.distance(from: look.numbers, to: last.numbers) == 1
    }
    sequences[index].isNumbered = isNumbered
    return isNumbered
  }

  /// The chunk that a sequence goes on with, the next that was not copied before; how many chunks
  /// further on along the file; and whether numbering goes on with it; nil where a file ends.
  private func after(
    _ old: UInt64
  ) -> (old: UInt64, stepCount: UInt64, isNumbered: Bool)? {
    var (next, areNumbered) = (old, true)
    for stepCount in 1...Self.skipCountMax {
      guard case .chunk(let chunk, let isNumbered) = files.next(after: next) else { return nil }
      next = chunk
      areNumbered = areNumbered && isNumbered
      if isFree(next) { return (next, stepCount, areNumbered) }
      if next >= scene.originChunkCount { return nil }
    }
    return nil
  }

  /// Whether a chunk comes next after another, of those that were not copied before.
  private func follows(_ last: UInt64, _ old: UInt64) -> Bool {
    // Nearly every chunk is too far away, and this is asked for every run and every sequence.
    if old &- last > Self.skipCountMax, !files.isTorn(after: last, count: Self.skipCountMax) {
      return false
    }
    var next = last
    for _ in 0..<Self.skipCountMax {
      next = if case .chunk(let chunk, _) = files.next(after: next) { chunk } else { next &+ 1 }
      if next == old { return true }
      if !scene.isMapped(next), !placed.contains(next) { return false }
    }
    return false
  }

  private func isFree(_ old: UInt64) -> Bool { scene.isFree(old) && !placed.contains(old) }

  private mutating func advance(_ index: Int?, to old: UInt64, _ new: UInt64, count: UInt64) {
    var sequence =
      index.map { sequences.remove(at: $0) }
      ?? Sequence(old: old, new: new, count: 0, start: copyCount, end: copyCount)
    copyCount += count
    sequence.newBefore = count > 1 ? new - 1 : sequence.count > 0 ? sequence.new : nil
    (sequence.old, sequence.new) = (old, new)
    sequence.count += count
    sequence.end = copyCount
    sequence.strangerCount = strangerCount
    (sequence.last, sequence.isNumbered, sequence.text) = (nil, nil, nil)
    // The last that was continued stands last.
    sequences.append(sequence)
    if sequences.count > Self.sequenceCountMax { sequences.removeFirst() }
  }

  // MARK: - Content

  /// A look at the last chunk of a sequence; nil if it cannot be read.
  private mutating func last(_ index: Int) throws(BlockIOError) -> Look? {
    if sequences[index].last == nil { sequences[index].last = try look(at: sequences[index].new) }
    return sequences[index].last
  }

  private func look(at new: UInt64) throws(BlockIOError) -> Look? {
    guard try read(new, into: content) else { return nil }
    return content.withBytes(0..<content.byteCount) { Look($0, numbering) }
  }

  /// Reads a chunk of the store; returns whether that was possible.
  private func read(_ new: UInt64, into buffer: IOBuffer) throws(BlockIOError) -> Bool {
    guard let start = scene.geometry.byteOffset(of: Chunk(new)),
      new < scene.geometry.wholeChunkCount,
      UInt64(buffer.byteCount) == scene.chunkByteCount
    else { return false }
    return try scene.store.readAround(at: start, into: buffer, 0..<buffer.byteCount).isEmpty
  }

  /// Whether the origin still has the copied data: it was never written there, and needs no copy.
  private func isUnwritten(_ old: UInt64, _ new: UInt64) throws(BlockIOError) -> Bool {
    let start = old * scene.chunkByteCount
    guard start < scene.origin.byteCount, scene.origin.byteCount - start >= scene.chunkByteCount,
      try read(new, into: content)
    else { return false }
    let unreadable = try scene.origin.readAround(at: start, into: other, 0..<other.byteCount)
    return unreadable.isEmpty && content.equals(0..<content.byteCount, in: other, at: 0)
  }
}
