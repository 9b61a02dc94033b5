import Blkid
import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What is no store is named, with what to do; a store that has lost its header stays one.
@Suite struct OtherContentTests {
  private static let magics: [(String, [UInt8], Int)] = [
    ("ewf", [0x45, 0x56, 0x46, 0x09, 0x0d, 0x0a, 0xff, 0x00], 0),
    ("qcow2", [0x51, 0x46, 0x49, 0xfb], 0), ("vmdk", Array("KDMV".utf8), 0),
    ("vmdk-descriptor", Array("# Disk DescriptorFile\n".utf8), 0),
    ("vhd", Array("conectix".utf8), 0), ("vhd", Array("conectix".utf8), 65536 - 512),
    ("vhdx", Array("vhdxfile".utf8), 0), ("vdi", [0x7f, 0x10, 0xda, 0xbe], 64),
    ("vma", Array("VMA\0".utf8), 0), ("gzip", [0x1f, 0x8b, 8], 0),
    ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], 0), ("zstd", [0x28, 0xb5, 0x2f, 0xfd], 0),
    ("android-cow", [0x21, 0x21, 0x57, 0x4f, 0x63, 0x77, 0x6f, 0x43], 0),
  ]

  @Test func `containers are told by their magic`() throws {
    for (type, magic, place) in Self.magics {
      var bytes = [UInt8](repeating: 0, count: 65536)
      bytes.put(magic, at: place)
      #expect(ContainerFormat(of: FaultySource(bytes))?.type == type)
      let audit = Auditor(Store(FaultySource(bytes))).audit()
      #expect(audit.verdict == .notAStore)
      guard case .container(let format) = audit.content?.kind else {
        Issue.record("\(type) is not recognised")
        continue
      }
      #expect(format.type == type && !format.advice.isEmpty)
    }
    #expect(ContainerFormat(of: FaultySource([0x51])) == nil)
  }

  @Test func `a store without its header is one, whatever its data looks like`() throws {
    // A file system's superblock in the first data chunk, where libblkid looks for one.
    var store = StoreBuilder(chunkSectors: 1).copying(0..<20).image()
    store.put([UInt8](repeating: 0, count: 512), at: 0)
    store.put([0x53, 0xef], at: 1024 + 56)
    let audit = Auditor(Store(FaultySource(store))).audit()
    #expect(audit.content == nil)
    #expect(audit.verdict == .damaged)
    #expect(audit.usableCount == 20)
  }

  @Test func `a disk with areas of a store somewhere in it is a disk`() throws {
    var disk = [UInt8](repeating: 0, count: 4 << 20)
    // One DOS partition from sector 2048 on.
    disk.put([0x80, 0, 0, 0, 6, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0], at: 446)
    disk.put([0x55, 0xaa], at: 510)
    disk.put(StoreBuilder().copying(0..<400).image(), at: (1 << 20) + 118_784)
    let store = Store(FaultySource(disk))
    let audit = Auditor(store).audit()
    guard case .disk(let table) = audit.content?.kind else {
      Issue.record("it is taken for \(audit.verdict)")
      return
    }
    #expect(table.partitions.map(\.byteOffset) == [1 << 20])
    #expect(throws: StoreError.self) { try SalvagePlan(store) }
    #expect(throws: StoreError.self) { try store.requireLoadable(.kernel) }
  }

  @Test func `surroundings are the file system around a byte, and none at its first`() throws {
    let filesystem = Signature(type: "vfat", usage: .filesystem)
    let partition = Partition(
      number: 1, byteOffset: 4096, byteCount: 8192, type: "0x06",
      content: Identity(signatures: [filesystem]))
    let disk = Identity(partitionTable: PartitionTable(type: "dos", partitions: [partition]))
    #expect(Surroundings(of: 4096, in: disk) == nil)
    #expect(Surroundings(of: 12_288, in: disk) == nil)
    let found = try #require(Surroundings(of: 8192, in: disk))
    #expect(found.type == "vfat" && found.byteOffset == 4096)
    let store = Store(FaultySource(StoreBuilder().copying(0..<10).image()), in: found)
    let audit = Auditor(store).audit()
    #expect(audit.findings.map(\.code) == [.insideFilesystem])
    #expect(audit.verdict == .usable)
  }

  @Test func `in a file system a store's areas elsewhere are fragments, and no loss of a copy`()
    throws
  {
    let builder = StoreBuilder(chunkSectors: 8).copying(0..<700)
    let image = builder.image()
    // As if another file's 40 KiB lay between two fragments of this one.
    let cut = 4096 * 100
    let apart = Array(image[..<cut] + Stamp.origin(byteCount: 40_960) + image[cut...])
    let surroundings = try #require(
      Surroundings(
        of: 4096,
        in: Identity(signatures: [Signature(type: "exfat", usage: .filesystem)])))
    #expect(try SalvagePlan(Store(FaultySource(apart))).gaps.count == 1)
    let plan = try SalvagePlan(Store(FaultySource(apart), in: surroundings))
    let generation = try plan.generation(0)
    #expect(plan.gaps.isEmpty && !generation.isComplete && generation.lostExceptionCount > 0)
    // Nothing confirms what lies behind area 0, so that none of it counts as certain.
    #expect(generation.exceptionCount == 256 && generation.doubtfulCount >= 157)
    let audit = Auditor(Store(FaultySource(apart), in: surroundings)).audit()
    #expect(audit.verdict == .damaged)
    #expect(try #require(Diagnosis(audit)).cause.contains("first fragment"))
  }
}
