internal import BlockIO

/// The bytes of a metadata area after its header, where texts follow each other in a ring.
///
/// A text begins with the section of a volume group, as lvm2 writes it:
///
///     NAME {
///     id = "NOtU8G-S4Oe-AfNB-jPWH-qjST-q3yN-6h4d2K"
///     seqno = 28
///
/// Nothing else in a text has a sequence number after its UUID. It ends with a zero byte, before
/// the next one begins, so every byte belongs to at most one text: the work is linear.
struct MetadataRing {
  struct Text {
    /// Its start in the ring.
    let start: Int
    /// Without the zero byte at its end.
    let bytes: [UInt8]
  }

  private let ring: [UInt8]
  /// Where texts begin, ascending.
  private let starts: [Int]
  /// The zero byte of each, or the start of the next one; past the ring's end for one that wraps
  /// around.
  private let ends: [Int]

  /// - Parameter knownStarts: Where a header says that texts begin.
  init(_ ring: [UInt8], knownStarts: [Int]) {
    self.ring = ring
    var starts: Set<Int> = []
    for index in ring.indices where ring[index] == UInt8(ascii: "{") {
      if let start = Self.start(ofTextWithBraceAt: index, in: ring, knownStarts: knownStarts) {
        starts.insert(start)
      }
    }
    let sorted = starts.sorted()
    self.starts = sorted
    ends = sorted.indices.map { index in
      let isLast = index + 1 == sorted.count
      let limit = isLast ? ring.count : sorted[index + 1]
      if let end = ring[sorted[index]..<limit].firstIndex(of: 0) { return end }
      return isLast ? ring.count + (ring[..<sorted[0]].firstIndex(of: 0) ?? sorted[0]) : limit
    }
  }

  /// The texts that have a beginning and an end, in the order of the ring; not all describe a
  /// group.
  var texts: some Sequence<Text> {
    starts.indices.lazy.compactMap { index in
      let (start, end) = (starts[index], ends[index])
      if ring[end % ring.count] != 0 { return nil }
      let isWhole = end <= ring.count
      let bytes =
        isWhole ? Array(ring[start..<end]) : Array(ring[start...] + ring[..<(end - ring.count)])
      return Text(start: start, bytes: bytes)
    }
  }

  /// The number of beginnings of texts, and of ends whose beginning is overwritten.
  var traceCount: Int {
    let ending = Array("\ncontents = \"Text Format Volume Group\"\n".utf8)
    var count = starts.count
    for index in ring.indices where ring[index] == UInt8(ascii: "\n") {
      if Self.matches(ending, at: index, in: ring), !isCovered(index) { count += 1 }
    }
    return count
  }

  /// Whether a byte is in a text whose beginning is left.
  private func isCovered(_ position: Int) -> Bool {
    // The last text that begins before it, or the one that wraps around.
    let next = starts.partitioningIndex { $0 > position }
    if next > 0 { return position < ends[next - 1] }
    return ends.last.map { position + ring.count < $0 } ?? false
  }

  /// Where the text begins whose first brace is at a place; nil if no text has its first brace
  /// there.
  private static func start(
    ofTextWithBraceAt brace: Int, in ring: [UInt8], knownStarts: [Int]
  ) -> Int? {
    // Everything looked at below is within one turn.
    guard ring.count >= 512 else { return nil }
    var position = skipSpace(from: brace + 1, in: ring)
    guard matches(id, at: position, in: ring) else { return nil }
    position += id.count + uuidByteCount
    guard at(position, in: ring) == UInt8(ascii: "\"") else { return nil }
    position = skipSpace(from: position + 1, in: ring)
    guard matches(seqno, at: position, in: ring) else { return nil }

    // Counted from a turn ahead, so that nothing is negative.
    var end = brace + ring.count
    while end > brace + ring.count - spaceCountMax, at(end - 1, in: ring) == UInt8(ascii: " ") {
      end -= 1
    }
    var start = end
    while start > end - VolumeGroup.nameByteCountMax,
      VolumeGroup.isNameByte(at(start - 1, in: ring))
    { start -= 1 }
    if start == end { return nil }
    return beginning(ofNameIn: start..<end, in: ring, knownStarts: knownStarts)
  }

  /// The start of the name in a run of name characters: the rest of another text may come right
  /// before it.
  private static func beginning(
    ofNameIn run: Range<Int>, in ring: [UInt8], knownStarts: [Int]
  ) -> Int {
    let first = run.lowerBound % ring.count
    if let known = run.first(where: { knownStarts.contains($0 % ring.count) }) {
      return known % ring.count
    }
    if at(run.lowerBound - 1, in: ring) == 0 { return first }
    // lvm2 begins texts at sector boundaries since 2.03.
    return run.first { ($0 % ring.count).isMultiple(of: 512) }.map { $0 % ring.count } ?? first
  }

  private static let id = Array("id = \"".utf8)
  private static let seqno = Array("seqno = ".utf8)
  private static let uuidByteCount = 38
  /// More white space than lvm2 puts between tokens.
  private static let spaceCountMax = 8

  /// The byte at a place that may be some turns past the end.
  private static func at(_ position: Int, in ring: [UInt8]) -> UInt8 {
    ring[position % ring.count]
  }

  private static func matches(_ pattern: [UInt8], at position: Int, in ring: [UInt8]) -> Bool {
    pattern.indices.allSatisfy { at(position + $0, in: ring) == pattern[$0] }
  }

  private static func skipSpace(from start: Int, in ring: [UInt8]) -> Int {
    var position = start
    while position < start + spaceCountMax,
      MetadataLexer.isSpace(Unicode.Scalar(at(position, in: ring)))
    { position += 1 }
    return position
  }
}
