import BlockIO
import TestSupport
import Testing

@testable import LVM2

/// Older texts in an area: each that is whole, once, newest first.
@Suite struct MetadataHistoryTests {
  private func seqnos(_ builder: AreaBuilder) throws -> [UInt64] {
    try builder.area().history().versions.map(\.volumeGroup.seqno)
  }

  @Test(arguments: [true, false])
  func `texts from all the time since the ring was new`(isAligned: Bool) throws {
    var builder = AreaBuilder()
    var offsets: [UInt64] = []
    for seqno in 1...7 {
      offsets.append(
        builder.write(SampleText.group(seqno: seqno, volumes: ""), atSector: isAligned))
    }
    let history = try builder.area().history()
    #expect(history.versions.map(\.volumeGroup.seqno) == [7, 6, 5, 4, 3, 2, 1])
    #expect(history.versions.map(\.byteOffset) == offsets.reversed())
    #expect(history.versions.map(\.isCommitted) == [true] + Array(repeating: false, count: 6))
    #expect((history.fragmentCount, history.problems) == (0, []))
  }

  /// Round and round: what is left must be what no later text has touched.
  @Test(arguments: [true, false], [1 as UInt64, 2, 3])
  func `texts that were overwritten in part are never read`(
    isAligned: Bool, seed: UInt64
  ) throws {
    var random = SplitMix64(seed: seed)
    var builder = AreaBuilder()
    var written: [(seqno: UInt64, bytes: Set<Int>)] = []
    for seqno in 1...60 {
      let words = String(repeating: "x", count: Int.random(in: 0...1500, using: &random))
      let text = SampleText.group(seqno: seqno, volumes: "", description: words)
      let place = builder.next - 512
      let bytes = Set((0...text.utf8.count).map { (place + $0) % AreaBuilder.ringByteCount })
      written = written.filter { $0.bytes.isDisjoint(with: bytes) } + [(UInt64(seqno), bytes)]
      builder.write(text, atSector: isAligned)
      let history = try builder.area().history()
      #expect(history.versions.map(\.volumeGroup.seqno) == written.map(\.seqno).reversed())
      #expect(history.versions.first?.isCommitted == true)
    }
  }

  @Test func `the same text twice is one, and other texts of a number are kept`() throws {
    var builder = AreaBuilder()
    let text = SampleText.group(seqno: 3, volumes: "")
    builder.write(text)
    builder.write(text.replacing("lvcreate", with: "lvremove"))
    let last = builder.write(text)
    let versions = try builder.area().history().versions
    #expect(versions.map(\.volumeGroup.description) == ["lvcreate", "lvremove"])
    #expect(versions.map(\.byteOffset).first == last)
    #expect(versions.map(\.isCommitted) == [true, false])
  }

  @Test func `groups to which the disk belonged before come behind`() throws {
    var builder = AreaBuilder()
    func group(_ name: String, _ seqno: Int, time: Int) -> String {
      SampleText.group(name: name, seqno: seqno, volumes: "")
        .replacing("gggggg-0000", with: "gggggg-\(name)x")
        .replacing("creation_time = 1700000001", with: "creation_time = \(time)")
    }
    builder.write(group("old", 40, time: 100))
    builder.write(group("old", 41, time: 200))
    builder.write(group("new", 1, time: 300))
    builder.write(group("new", 2, time: 150))
    func names() throws -> [String] {
      try builder.area().history().versions.map {
        "\($0.volumeGroup.name) \($0.volumeGroup.seqno)"
      }
    }
    #expect(try names() == ["new 2", "new 1", "old 41", "old 40"])
    // Without a header, by time.
    builder.device.put(Array(repeating: 0, count: 512), at: 4096)
    #expect(try names() == ["new 2", "new 1", "old 41", "old 40"])
    builder.write(group("old", 42, time: 50))
    #expect(try names() == ["old 42", "old 41", "old 40", "new 2", "new 1"])
  }

  @Test func `the rest of another text right before a beginning is not part of the name`() throws {
    var builder = AreaBuilder()
    builder.device.put(Array(repeating: UInt8(ascii: "y"), count: 16384), at: 4608)
    builder.next = 1024
    builder.write(SampleText.group(seqno: 1, volumes: ""))
    builder.next = 4000
    builder.write(SampleText.group(seqno: 2, volumes: ""))
    builder.device[4095 + 4000] = UInt8(ascii: "y")
    #expect(try seqnos(builder) == [2, 1])
    #expect(try builder.area().history().versions.map(\.volumeGroup.name) == ["vg0", "vg0"])
  }

  @Test func `a text that lost a sector is no version`() throws {
    var builder = AreaBuilder()
    builder.write(SampleText.small)
    builder.write(SampleText.group(seqno: 8, volumes: ""))
    let sound = builder.device
    for sector in 9..<9 + SampleText.small.utf8.count / 512 {
      builder.device = sound
      builder.device.put(Array(repeating: 0, count: 512), at: sector * 512)
      let history = try builder.area().history()
      #expect(history.versions.map(\.volumeGroup.seqno) == [8], "sector \(sector)")
      // Its beginning, and its end where that is cut off by zeroes.
      #expect(1...2 ~= history.fragmentCount)
    }
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "x {", "x {\nid = \"", "{", "a",
      "x {\nid = \"gggggg-0000-0000-0000-0000-0000-000000\"\nseqno = 1\n",
      "\ncontents = \"Text Format Volume Group\"\n",
      "x {\nid = \"gggggg-0000-0000-0000-0000-0000-000000\"\nseqno = 1 }\ncontents = \"Text Format Volume Group\"\n\u{0}",
      "a = [", "a{", "\"", "# ",
    ])
  func `a ring full of beginnings takes no longer than one of zeroes`(beginning: String) throws {
    let unit = Array(beginning.utf8)
    let group = Array(SampleText.group(volumes: "").dropLast(100).utf8)
    for prefix in [[], group] {
      var device: [UInt8] = Array(repeating: 0, count: 4096 + 512) + prefix
      while device.count < 1 << 18 { device += unit }
      let area = try MetadataArea(
        MemorySource(device), .init(byteOffset: 4096, byteCount: (1 << 18) - 4096))
      #expect(try area.history().versions.isEmpty)
    }
  }
}
