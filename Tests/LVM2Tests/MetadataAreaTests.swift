import BlockIO
import TestSupport
import Testing

@testable import LVM2

/// What a metadata area says is valid, and what is wrong with it.
@Suite struct MetadataAreaTests {
  private static let text = SampleText.small

  @Test func `the committed text`() throws {
    var builder = AreaBuilder()
    builder.write(SampleText.group(seqno: 6, volumes: ""))
    let byteOffset = builder.write(Self.text)
    let area = try builder.area()
    #expect(area.problems.isEmpty && !area.isIgnored)
    #expect(area.byteRange == 4096..<20480)
    #expect(area.precommittedLocation == nil)
    let committed = try area.committed()
    #expect(committed.problems.isEmpty)
    let version = try #require(committed.version)
    #expect(version.volumeGroup == (try VolumeGroup(Self.text)))
    #expect((version.byteOffset, version.isCommitted) == (byteOffset, true))
    #expect(version.text == Array(Self.text.utf8))
  }

  @Test(arguments: [1, 2, 100, 511, 512, 513, 1000])
  func `a text that goes on at the beginning`(room: Int) throws {
    var builder = AreaBuilder()
    builder.next = (16 << 10) - room
    builder.write(Self.text)
    let committed = try builder.area().committed()
    #expect(committed.problems.isEmpty)
    #expect(committed.version?.volumeGroup.seqno == 7)
    let history = try builder.area().history()
    #expect(history.versions == [try #require(committed.version)])
    #expect(history.fragmentCount == 0)
  }

  @Test func `an area without a text has none, which is no problem`() throws {
    var builder = AreaBuilder()
    builder.isIgnored = true
    builder.writeHeader()
    let area = try builder.area()
    #expect(area.isIgnored)
    #expect(area.committedLocation == nil)
    #expect(try area.committed() == CommittedMetadata(version: nil, problems: []))
    #expect(try area.history() == MetadataHistory(versions: [], fragmentCount: 0, problems: []))
  }

  @Test(arguments: [
    (UInt64(511), UInt64(10)), (16 << 10, 10), (512, (16 << 10) - 511), (.max, .max), (512, .max),
    (.max, 1), (1 << 63, 1 << 63),
  ])
  func `a text outside of its area`(byteOffset: UInt64, byteCount: UInt64) throws {
    var builder = AreaBuilder()
    builder.write(Self.text)
    builder.writeHeader(text: (byteOffset, byteCount))
    let committed = try builder.area().committed()
    #expect(committed.version == nil)
    #expect(
      committed.problems == [.textOutside(byteOffset: byteOffset, byteCount: byteCount)])
    #expect(try builder.area().history().versions.map(\.isCommitted) == [false])
  }

  @Test func `a wrong checksum of the text is said, and the text read if it still is one`() throws {
    var builder = AreaBuilder()
    builder.write(Self.text.replacing("/dev/sda", with: "/dev/sdX"))
    let sound = builder.device
    let digit = try #require(
      sound.indices.first { sound[$0] == UInt8(ascii: "X") })
    builder.device[digit] = UInt8(ascii: "Y")
    let committed = try builder.area().committed()
    #expect(committed.version?.volumeGroup.physicalVolumes.first?.device == "/dev/sdY")
    guard case .textChecksum? = committed.problems.first else {
      Issue.record("\(committed.problems)")
      return
    }
    builder.device[digit] = UInt8(ascii: "\"")
    let broken = try builder.area().committed()
    #expect(broken.version == nil)
    #expect(broken.problems.count == 2)
    #expect(broken.problems.last?.description.hasPrefix("the text is damaged: line ") == true)
  }

  @Test func `headers that are damaged, and still lead to the text`() throws {
    var builder = AreaBuilder()
    builder.write(Self.text)
    let sound = builder.device
    func problems() throws -> [MetadataAreaProblem] {
      let committed = try builder.area().committed()
      #expect(committed.version?.volumeGroup.seqno == 7)
      return committed.problems
    }
    builder.device[4096 + 300] ^= 1
    guard case .headerChecksum? = try problems().first else {
      Issue.record("no wrong checksum")
      return
    }
    builder.device = sound
    builder.writeHeader(version: 2)
    #expect(try problems() == [.headerVersion(2)])
    builder.writeHeader(byteOffset: 8192)
    #expect(try problems() == [.elsewhere(byteOffset: 8192, byteCount: 16 << 10)])
    builder.writeHeader(byteCount: 12 << 10)
    #expect(try problems() == [.elsewhere(byteOffset: 4096, byteCount: 12 << 10)])
    #expect(try builder.area().byteRange == 4096..<16384)
    builder.writeHeader(byteCount: 512)
    #expect(try builder.area().byteRange == 4096..<20480)
    builder.writeHeader(byteCount: .max)
    #expect(try builder.area().byteRange == 4096..<24576)
  }

  @Test func `a header that is lost`() throws {
    var builder = AreaBuilder()
    builder.write(Self.text)
    builder.device.put(Array(repeating: 0, count: 512), at: 4096)
    let area = try builder.area()
    #expect(area.problems == [.noHeader])
    #expect(try area.committed() == CommittedMetadata(version: nil, problems: [.noHeader]))
    let history = try area.history()
    #expect(history.versions.map(\.text) == [Array(Self.text.utf8)])
    #expect(history.versions.map(\.isCommitted) == [false])
    #expect(history.problems == [.noHeader])
  }

  @Test func `areas that the device does not have, or only in part`() throws {
    var builder = AreaBuilder()
    builder.write(Self.text)
    let device = UInt64(builder.device.count)
    for (byteOffset, byteCount, length) in [
      (UInt64(1) << 40, UInt64(1) << 20, UInt64(0)), (.max, .max, 0), (device, 1, 0),
      (4096, 0, 0), (4096, 512, 512), (device - 512, 1 << 20, 512),
    ] {
      let area = try builder.area(.init(byteOffset: byteOffset, byteCount: byteCount))
      #expect(area.problems.last == .tooSmall(byteCount: length))
      #expect(try area.committed().version == nil)
      #expect(try area.history().versions.isEmpty)
    }
    let long = try builder.area(.init(byteOffset: 4096, byteCount: 1 << 40))
    #expect(long.problems.first == .beyondEnd(byteCount: device))
    #expect(try long.committed().version != nil)
    builder.device.removeLast(20480 - 8192 + 4096)
    let cut = try builder.area()
    #expect(cut.problems == [.beyondEnd(byteCount: 8192)])
    #expect(cut.byteRange == 4096..<8192)
    #expect(try cut.committed().version != nil)
  }

  @Test func `sectors that cannot be read`() throws {
    var builder = AreaBuilder()
    builder.write(SampleText.group(seqno: 6, volumes: ""))
    builder.write(Self.text)
    let source = FaultySource(builder.device, unreadable: [4096..<4608])
    let headless = try MetadataArea(source, AreaBuilder.area)
    #expect(headless.problems == [.unreadable([4096..<4608]), .noHeader])
    #expect(try headless.history().versions.map(\.volumeGroup.seqno) == [7, 6])

    source.unreadable = [4608..<4609, 10000..<10001]
    let history = try MetadataArea(source, AreaBuilder.area).history()
    #expect(history.problems == [.unreadable([4608..<5120, 9728..<10240])])
    #expect(history.versions.map(\.volumeGroup.seqno) == [7])
    #expect(history.fragmentCount == 1)

    source.failure = .refused("no")
    source.unreadable = [4096..<4097]
    #expect(throws: BlockIOError.self) { try MetadataArea(source, AreaBuilder.area) }
  }

  @Test func `an area that is too large is asked for its committed text only`() throws {
    var builder = AreaBuilder()
    builder.write(Self.text)
    builder.writeHeader(byteCount: 257 << 20)
    let source = FaultySource(
      byteCount: 1 << 40, pieces: [(0, Array(builder.device.prefix(16 << 10)))])
    let area = try MetadataArea(source, .init(byteOffset: 4096, byteCount: 257 << 20))
    let history = try area.history()
    #expect(history.versions.map(\.isCommitted) == [true])
    #expect(history.problems == [.tooLarge(byteCount: 257 << 20)])
  }

  @Test(arguments: [
    (MetadataAreaProblem.beyondEnd(byteCount: 5), "device, which is 5 bytes long"),
    (.tooSmall(byteCount: 5), "5 bytes are too few"),
    (.tooLarge(byteCount: 5), "at most 268435456 bytes are searched"),
    (.unreadable([512..<1024]), "512 bytes cannot be read, from byte 512 on"),
    (.noHeader, "no metadata area header"), (.headerVersion(2), "version is 2, but 1 is required"),
    (.headerChecksum(found: 1, required: 0xabc), "is 0x00000001, but 0x00000abc is required"),
    (.elsewhere(byteOffset: 1, byteCount: 2), "2 bytes at byte 1, the label says otherwise"),
    (.textOutside(byteOffset: 1, byteCount: 2), "2 bytes at byte 1 of the area"),
    (.textChecksum(found: 1, required: 2), "text's checksum is 0x00000001, but 0x00000002"),
  ])
  func `problems in words`(problem: MetadataAreaProblem, words: String) {
    #expect(problem.description.contains(words))
  }
}
