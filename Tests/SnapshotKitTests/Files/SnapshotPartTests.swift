import BlockIO
import FileSystemFormat
import FileSystems
import Foundation
import LVM2
import TestSupport
import Testing

@testable import SnapshotKit

/// Partitions and logical volumes inside a snapshot.
@Suite struct SnapshotPartTests {
  /// A snapshot that shows that disk, whose first sector the store has.
  private func snapshot(of disk: [UInt8]) throws -> Snapshot {
    var store = StoreBuilder().copying([0]).image()
    store.put(Array(disk[0..<4096]), at: 2 * 4096)
    var origin = disk
    origin.replaceSubrange(0..<512, with: repeatElement(0xee, count: 512))
    return try Snapshot(
      Store(MemorySource(store)), of: MemorySource(origin), reading: .kernel, placing: .none)
  }

  /// The first disk of a group that LVM2 made.
  private func disk(_ name: String) throws -> [UInt8] {
    let directory = try TemporaryDirectory()
    let paths = try VolumeCorpus.unpack(VolumeCorpus.read(name), in: directory)
    return Array(try Data(contentsOf: URL(filePath: paths[0])))
  }

  private func digest(_ source: any BlockSource) throws -> String {
    let buffer = IOBuffer(byteCount: Int(source.byteCount))
    try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
    let bytes = buffer.bytes(0..<buffer.byteCount)
    return SHA256.digest(of: bytes.span).map {
      ($0 < 16 ? "0" : "") + String($0, radix: 16)
    }.joined()
  }

  @Test(arguments: ["linear", "partitioned", "striped", "two-snapshots"])
  func `a logical volume inside a snapshot has the bytes that the kernel maps`(
    name: String
  ) throws {
    let facts = try VolumeCorpus.read(name)
    // The first disk alone: what lies on others is missing, and is not the volume's.
    let snapshot = try snapshot(of: disk(name))
    let volume = try #require(facts.volume("origin"))
    let part = try #require(try snapshot.volume(named: "\(volume.vg)/origin"))
    #expect(part.kind == .volume("\(volume.vg)/origin") && part.byteCount == volume.byteCount)
    let source = try part.source(in: snapshot.view)
    #expect(source.byteCount == volume.byteCount)
    let isWhole = part.outside(0..<part.byteCount).map(\.inside).union == [0..<part.byteCount]
    #expect(isWhole || facts.pvs.count > 1)
    #expect(!isWhole || name != "striped")
    if isWhole {
      #expect(try digest(source) == (try #require(volume.sha256)))
    } else {
      #expect(throws: BlockIOError.self) { try digest(source) }
    }
  }

  @Test func `what is inside is outside where it came from`() throws {
    let snapshot = try snapshot(of: disk("linear"))
    let part = try #require(try snapshot.volume(named: "vg/snap"))
    let whole = part.outside(0..<part.byteCount)
    #expect(!whole.isEmpty)
    for piece in whole {
      #expect(part.inside([piece.bytes]) == [piece.inside])
      let middle = piece.bytes.lowerBound + 100..<piece.bytes.lowerBound + 700
      let inside = part.inside([middle])
      #expect(inside == [piece.start + 100..<piece.start + 700])
      #expect(part.outside(inside) == [middle])
    }
    let before = 0..<(whole.map(\.bytes.lowerBound).min() ?? 0)
    #expect(part.inside([before]) == [])
    #expect(part.outside(part.byteCount..<part.byteCount + 512) == [])
  }

  @Test func `volumes are listed, and one that is not there is none`() throws {
    let snapshot = try snapshot(of: disk("linear"))
    #expect(try snapshot.volumes().map(\.kind) == [.volume("vg/origin"), .volume("vg/snap")])
    #expect(try snapshot.volume(named: "other/lv") == nil)
    #expect(throws: SnapshotPartError.self) { try snapshot.volume(named: "vg/none") }
    #expect(try self.snapshot(of: [UInt8](repeating: 7, count: 1 << 20)).volumes().isEmpty)
    #expect(try snapshot.partitions().isEmpty)
  }
}
