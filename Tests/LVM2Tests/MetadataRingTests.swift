import TestSupport
import Testing

@testable import LVM2

/// Texts in a ring are told by their beginnings, and end at the next zero byte.
@Suite struct MetadataRingTests {
  private static let text = Array(SampleText.group(seqno: 3, volumes: "").utf8)
  /// No more of a text than what tells its beginning.
  private static let beginning = Array(
    "x {\nid = \"gggggg-0000-0000-0000-0000-0000-000000\"\nseqno = 1\n".utf8)

  /// Zeroes, or other bytes, with pieces put among them, each of which may go on at the beginning.
  private func ring(
    _ byteCount: Int, of filler: UInt8 = 0, _ pieces: (at: Int, bytes: [UInt8])...
  ) -> [UInt8] {
    var ring = [UInt8](repeating: filler, count: byteCount)
    for piece in pieces {
      for (index, byte) in piece.bytes.enumerated() { ring[(piece.at + index) % byteCount] = byte }
    }
    return ring
  }

  private func texts(_ ring: MetadataRing) -> [(start: Int, bytes: [UInt8])] {
    ring.texts.map { ($0.start, $0.bytes) }
  }

  @Test func `a text reaches from its group's name to the zero byte behind it`() {
    let other = Array(SampleText.small.utf8)
    let ring = MetadataRing(ring(8192, (0, Self.text), (2048, other)), knownStarts: [])
    let texts = texts(ring)
    #expect(texts.map(\.start) == [0, 2048])
    #expect(texts.map(\.bytes) == [Self.text, other])
    #expect(ring.traceCount == 2)
  }

  @Test(arguments: [1, 2, 3, 4, 500, text.count - 1, text.count, text.count + 1])
  func `a text that meets the ring's end goes on at its beginning`(room: Int) {
    let ring = MetadataRing(ring(4096, (4096 - room, Self.text)), knownStarts: [])
    let texts = texts(ring)
    #expect(texts.map(\.start) == [4096 - room] && texts.map(\.bytes) == [Self.text])
    #expect(ring.traceCount == 1)
  }

  @Test func `a text without a zero byte behind it is a trace, and no text`() {
    let filler = UInt8(ascii: "y")
    let endless = MetadataRing(ring(4096, of: filler, (512, Self.text)), knownStarts: [])
    #expect(texts(endless).isEmpty && endless.traceCount == 1)
    // The first is cut off by the beginning of the second.
    let cut = MetadataRing(
      ring(8192, of: filler, (512, Self.text), (4096, Self.text + [0])), knownStarts: [])
    #expect(texts(cut).map(\.start) == [4096] && cut.traceCount == 2)
  }

  @Test func `an end whose beginning is overwritten is a trace`() {
    let rest = Array(Self.text.dropFirst(300))
    let ring = MetadataRing(
      ring(8192, (300, rest), (2048, Self.text), (6000, rest)), knownStarts: [])
    #expect(texts(ring).map(\.start) == [2048])
    #expect(ring.traceCount == 3)
  }

  @Test(
    arguments: [
      (100, 5, [], 95), (100, 5, [100], 100), (100, 0, [], 100), (512, 200, [], 512),
      (600, 200, [], 512), (600, 200, [600], 600), (1000, 200, [], 876), (1000, 200, [1000], 1000),
      (100, 5, [.min, -1, .max, 4196], 95),
    ] as [(Int, Int, [Int], Int)])
  func `a name begins where a header says, behind a zero byte, at a sector, or 127 bytes back`(
    place: Int, nameByteCountBefore: Int, knownStarts: [Int], start: Int
  ) {
    let before = [UInt8](repeating: UInt8(ascii: "y"), count: nameByteCountBefore)
    let bytes = ring(4096, (place - nameByteCountBefore, before + Self.text))
    let texts = texts(MetadataRing(bytes, knownStarts: knownStarts))
    #expect(texts.map(\.start) == [start])
    #expect(texts.map(\.bytes) == [Array(bytes[start..<place + Self.text.count])])
  }

  @Test func `only a group's section with a sequence number begins a text`() {
    let sound = String(decoding: Self.beginning, as: UTF8.self)
    func textCount(_ text: String) -> Int {
      texts(MetadataRing(ring(1024, (512, Array(text.utf8))), knownStarts: [])).count
    }
    #expect(textCount(sound) == 1)
    #expect(textCount(sound.replacing("\n", with: " \t  ")) == 1)
    for (part, other) in [
      ("x {", " {"), ("x {", "/ {"), ("{", "["), ("id", "is"), ("gggggg", "ggggg"),
      ("gggggg", "ggggggg"), ("seqno", "flags"), ("seqno =", "seqno"),
      ("{\n", "{\n\n\n\n\n\n\n\n\n"),
    ] {
      #expect(textCount(sound.replacing(part, with: other)) == 0, "\(part) → \(other)")
    }
  }

  @Test(arguments: [0, 1, 64, 511])
  func `a ring of less than a sector has no text`(byteCount: Int) {
    let bytes = Array((Self.beginning + [UInt8](repeating: 0, count: 512)).prefix(byteCount))
    let ring = MetadataRing(bytes, knownStarts: [0, -1, .max])
    #expect(texts(ring).isEmpty && ring.traceCount == 0)
    let whole = MetadataRing(bytes + [UInt8](repeating: 0, count: 512), knownStarts: [])
    #expect(texts(whole).count == (byteCount < 64 ? 0 : 1))
  }

  @Test func `beginnings without ends are traces, each of them`() {
    let beginnings = Array(repeating: Self.beginning, count: 64).flatMap(\.self)
    let ring = MetadataRing(beginnings, knownStarts: [])
    #expect(texts(ring).isEmpty && ring.traceCount == 64)
    let ended = Array(repeating: Self.beginning + [0], count: 64).flatMap(\.self)
    let texts = texts(MetadataRing(ended, knownStarts: []))
    #expect(texts.map(\.start) == (0..<64).map { $0 * (Self.beginning.count + 1) })
    #expect(texts.allSatisfy { $0.bytes == Self.beginning })
  }
}
