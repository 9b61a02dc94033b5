internal import BlockIO
internal import SnapshotFormat

/// Numbers in the content that grow from chunk to chunk, as in the pages of a database.
///
/// They are learnt from the exceptions that survive: words at the same place of the chunks of a
/// run whose difference is always the same.
struct Numbering: Sendable {
  /// A word of 32 bits that grows.
  private struct Word {
    let byteOffset: Int
    let isBigEndian: Bool
    /// By how much from one chunk to the next.
    let step: UInt32
    /// In how many pairs of chunks it does.
    let pairCount: Int
  }

  /// The numbers of a chunk; four at most.
  typealias Numbers = SIMD4<UInt32>

  private static let wordCountMax = 4
  private static let pairCountMax = 48
  private static let pairCountMin = 8

  private let words: [Word]
  /// The number of words in a chunk.
  var wordCount: Int { words.count }
  /// A chunk and its numbers, if those of all runs count from one beginning.
  private var reference: (old: UInt64, numbers: Numbers)?

  /// Learns from runs of the store; nil where nothing is numbered.
  init?(
    _ runs: [ExceptionRun], _ store: any BlockSource, _ geometry: StoreGeometry
  ) throws(BlockIOError) {
    let size = Int(geometry.chunkSize.byteCount)
    guard size <= 1 << 20 else { return nil }
    let usable = runs.filter { $0.count > 1 }
    let pairsPerRun = UInt64(max(1, Self.pairCountMax / max(usable.count, 1)))
    let step = max(1, usable.count / Self.pairCountMax)
    let buffer = IOBuffer(byteCount: 2 * size)
    var counts: [WordPlace: [UInt32: Int]] = [:]
    var pairCount = 0
    for index in stride(from: 0, to: usable.count, by: step) {
      let run = usable[index]
      let count = min(pairsPerRun, run.count - 1)
      for part in 1...count {
        // Not from the beginning: the first chunk of a file is often unlike the others.
        let new = run.new + (run.count - 1) * part / (count + 1)
        guard let start = geometry.byteOffset(of: Chunk(new)), new + 2 <= geometry.wholeChunkCount,
          try store.readAround(at: start, into: buffer, 0..<2 * size).isEmpty
        else { continue }
        pairCount += 1
        buffer.withBytes(0..<2 * size) { bytes in
          for byteOffset in stride(from: 0, to: min(size, 4096), by: 4) {
            for isBigEndian in [false, true] {
              let place = WordPlace(byteOffset: byteOffset, isBigEndian: isBigEndian)
              let (first, second) = (place.word(bytes, 0), place.word(bytes, size))
              let growth = second &- first
              // Lines of text are often alike: their characters are no numbers.
              let isText = Self.isText(first) && Self.isText(second)
              if growth != 0, !isText { counts[place, default: [:]][growth, default: 0] += 1 }
            }
          }
        }
      }
    }
    guard pairCount >= Self.pairCountMin else { return nil }
    let growing = counts.compactMap { place, growths -> Word? in
      guard let best = growths.max(by: { $0.value < $1.value }),
        best.value >= max(Self.pairCountMin, pairCount / 8)
      else { return nil }
      return Word(
        byteOffset: place.byteOffset, isBigEndian: place.isBigEndian, step: best.key,
        pairCount: best.value)
    }.sorted { ($0.step, $0.byteOffset) < ($1.step, $1.byteOffset) }
    // A word that grows less often, by chance or as a count that grows with most pages, would
    // suggest that the numbers end.
    let most = growing.map(\.pairCount).max() ?? 0
    let steady = growing.filter { $0.pairCount * 10 >= most * 9 }
    guard let step = steady.first?.step else { return nil }
    // The smallest steps are the numbers themselves; others are their bytes in another order.
    words = Array(steady.filter { $0.step == step }.prefix(Self.wordCountMax))
    reference = nil
    reference = try Self.reference(self, usable, store, geometry, buffer)
  }

  /// Whether a word is four characters.
  private static func isText(_ word: UInt32) -> Bool {
    (0..<4).allSatisfy {
      let byte = UInt8(truncatingIfNeeded: word >> (8 * $0))
      return byte == 0x0a || byte >= 0x20 && byte < 0x7f
    }
  }

  /// A chunk from which the numbers of all runs that are looked at count, if there is one.
  private static func reference(
    _ numbering: Numbering, _ runs: [ExceptionRun], _ store: any BlockSource,
    _ geometry: StoreGeometry, _ buffer: IOBuffer
  ) throws(BlockIOError) -> (old: UInt64, numbers: Numbers)? {
    let size = Int(geometry.chunkSize.byteCount)
    var reference: (old: UInt64, numbers: Numbers)?
    var agreeingCount = 0
    for index in stride(from: 0, to: runs.count, by: max(1, runs.count / 16)) {
      guard let start = geometry.byteOffset(of: Chunk(runs[index].new)),
        try store.readAround(at: start, into: buffer, 0..<size).isEmpty
      else { continue }
      let old = runs[index].old
      let numbers = buffer.withBytes(0..<size) { numbering.numbers(of: $0) }
      guard let known = reference else {
        reference = (old, numbers)
        continue
      }
      guard let distance = numbering.distance(from: known.numbers, to: numbers),
        distance == UInt32(truncatingIfNeeded: old &- known.old)
      else { return nil }
      // Runs that adjoin each other would agree however often the numbers begin again.
      if old > known.old + 4096 || known.old > old + 4096 { agreeingCount += 1 }
    }
    return agreeingCount >= 3 ? reference : nil
  }

  /// The chunk that a chunk's numbers name, if those of all chunks count from one beginning.
  func place(of numbers: Numbers) -> UInt64? {
    guard let reference, let distance = distance(from: reference.numbers, to: numbers) else {
      return nil
    }
    let old = Int64(clamping: reference.old) + Int64(Int32(bitPattern: distance))
    return old < 0 ? nil : UInt64(old)
  }

  private struct WordPlace: Hashable {
    let byteOffset: Int
    let isBigEndian: Bool

    func word(_ bytes: Span<UInt8>, _ start: Int) -> UInt32 {
      let word = bytes.littleEndian(at: start + byteOffset, as: UInt32.self)
      return isBigEndian ? word.byteSwapped : word
    }
  }

  /// The numbers of a chunk.
  func numbers(of content: Span<UInt8>) -> Numbers {
    var numbers = Numbers()
    for (index, word) in words.enumerated() {
      numbers[index] =
        WordPlace(byteOffset: word.byteOffset, isBigEndian: word.isBigEndian).word(content, 0)
    }
    return numbers
  }

  /// The number of chunks from one chunk to another, by their numbers; nil if the numbers do not
  /// say.
  func distance(from first: Numbers, to second: Numbers) -> UInt32? {
    var distance: UInt32?
    for (index, word) in words.enumerated() {
      let growth = second[index] &- first[index]
      guard growth.isMultiple(of: word.step) else { return nil }
      let steps = growth / word.step
      guard distance == nil || distance == steps else { return nil }
      distance = steps
    }
    return distance
  }
}
