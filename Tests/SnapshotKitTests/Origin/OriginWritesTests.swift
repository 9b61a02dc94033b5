import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// That an origin was written is said with what shows it, that it was not only where it cannot be.
@Suite struct OriginWritesTests {
  private static let builder = StoreBuilder(chunkSectors: 8, chunkCount: 80)

  /// What is said of an invalid snapshot with the chunks `olds` as in `shown`, over `own`.
  private func writes(
    _ shown: [UInt8], _ own: [UInt8], mapping olds: [Int] = [0], hasInFlightChunks: Bool = false
  ) throws -> OriginWrites? {
    let store = Self.builder.copying(olds)
    var bytes = store.image()
    for exception in store.exceptions {
      let start = Int(exception.old) * 4096
      bytes.put(Array(shown[start..<start + 4096]), at: Int(exception.new) * 4096)
    }
    let table = try LoadedTable(Store(bytes), reading: .kernel).table
    bytes.put([0], at: 4)
    let view = SnapshotView(
      of: FaultySource(own), through: table, of: FaultySource(bytes, name: "store.img"))
    return try OriginCheck(view, hasInFlightChunks: hasInFlightChunks).writes
  }

  private func evidence(
    _ shown: [UInt8], _ own: [UInt8], mapping olds: [Int] = [0], hasInFlightChunks: Bool = false
  ) throws -> [String] {
    let writes = try writes(shown, own, mapping: olds, hasInFlightChunks: hasInFlightChunks)
    if case .proved(let evidence) = writes { return evidence }
    #expect(writes == .unknown)
    return []
  }

  // MARK: - ext4

  /// An ext4 as far as it is looked at: its superblock, and a journal in block 5.
  private func ext4(
    written: UInt32 = 1000, mounted: UInt32 = 900, mounts: UInt8 = 3, kiB: UInt64 = 50,
    needsRecovery: Bool = false, sequence: UInt32 = 7, start: UInt32 = 0
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64 * 4096)
    let block = 1024
    bytes.put([2], at: block + 0x18)  // blocks of 4 KiB
    bytes.put(mounted.littleEndianBytes, at: block + 0x2c)
    bytes.put(written.littleEndianBytes, at: block + 0x30)
    bytes.put([mounts], at: block + 0x34)
    bytes.put([0x53, 0xef], at: block + 0x38)
    bytes.put([4], at: block + 0x5c)  // it has a journal
    bytes.put([needsRecovery ? 0x44 : 0x40], at: block + 0x60)
    bytes.put(Array(repeating: 0x11, count: 16), at: block + 0x68)
    bytes.put([1], at: block + 0xfd)  // the journal's map is here
    bytes.put([0x0a, 0xf3, 1, 0, 4, 0, 0, 0], at: block + 0x10c)
    bytes.put([5], at: block + 0x10c + 20)
    bytes.put(kiB.littleEndianBytes, at: block + 0x178)
    let journal = 5 * 4096
    bytes.put([0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4], at: journal)
    bytes.put(sequence.bigEndian.littleEndianBytes, at: journal + 0x18)
    bytes.put(start.bigEndian.littleEndianBytes, at: journal + 0x1c)
    return bytes
  }

  @Test func `equal superblocks of an ext4 prove nothing`() throws {
    #expect(try writes(ext4(), ext4(), mapping: [0, 5]) == .unknown)
    // Without a copy of it, the origin's is all there is.
    #expect(try writes(ext4(), ext4(written: 2000), mapping: [9]) == .unknown)
    #expect("\(OriginWrites.unknown)".hasPrefix("unknown; assume that it was written"))
  }

  @Test func `each note of an ext4 that is further in the origin shows that it was written`() throws
  {
    let before = ext4()
    for (own, words) in [
      (ext4(written: 1001), "last written"), (ext4(mounted: 901), "last mounted"),
      (ext4(mounts: 4), "mount count 4, in the snapshot 3"), (ext4(kiB: 51), "KiB ever written 51"),
      (ext4(needsRecovery: true), "its journal needs recovery"),
      (ext4(sequence: 9), "journal at transaction 9, in the snapshot at 7"),
      (ext4(start: 1), "transactions in its journal"),
    ] {
      let found = try evidence(before, own, mapping: [0, 5])
      #expect(found.count == 1 && found[0].hasPrefix(words), "\(found)")
    }
    // Sequence numbers wrap around.
    let found = try evidence(ext4(sequence: .max), ext4(sequence: 1), mapping: [0, 5])
    #expect(found.count == 1)
  }

  @Test func `a snapshot that was written itself shows nothing of its origin`() throws {
    for shown in [
      ext4(written: 1001, mounts: 0), ext4(mounted: 901, mounts: 4), ext4(sequence: 9),
    ] {
      let own = ext4(needsRecovery: shown[1024 + 0x34] != 3)
      #expect(try evidence(shown, own, mapping: [0, 5], hasInFlightChunks: true) == [])
    }
  }

  @Test func `copies under way show that writes went on`() throws {
    let found = try evidence(ext4(), ext4(), hasInFlightChunks: true)
    #expect(found == ["copies were under way when the snapshot became invalid"])
    let raw = Stamp.origin(byteCount: 64 * 4096)
    #expect(try evidence(raw, raw, hasInFlightChunks: true) == found)
    #expect(try evidence(raw, raw) == [])
  }

  // MARK: - Others

  @Test func `the sequence number of an XFS, and the rounds of its log`() throws {
    func xfs(sequence: UInt64, cycle: UInt8) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: 64 * 4096)
      bytes.put(Array("XFSB".utf8) + [0, 0, 0x10, 0], at: 0)
      bytes.put([16], at: 55)  // the log begins in block 16
      bytes.put([64], at: 87)  // blocks in a group
      bytes.put([16], at: 99)  // blocks of the log
      bytes.put([0xb4, 0xa5], at: 100)  // version 5
      bytes.put([6], at: 124)
      bytes.put(sequence.bigEndian.littleEndianBytes, at: 240)
      bytes.put([0xfe, 0xed, 0xba, 0xbe, 0, 0, 0, cycle], at: 17 * 4096 + 512)
      return bytes
    }
    let before = xfs(sequence: 0x1_0000_0005, cycle: 1)
    #expect(try evidence(before, before, mapping: [0, 17]) == [])
    #expect(
      try evidence(before, xfs(sequence: 0x1_0000_0006, cycle: 1), mapping: [0, 17]).count == 1)
    #expect(
      try evidence(before, xfs(sequence: 0x1_0000_0005, cycle: 2), mapping: [0, 17])
        == ["its log in round 2, in the snapshot in round 1"])
    #expect(try evidence(xfs(sequence: 0x1_0000_0005, cycle: 3), before, mapping: [17]) == [])
  }

  @Test func `the generation of a btrfs`() throws {
    func btrfs(_ generation: UInt64) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: 64 * 4096)
      bytes.put(Array("_BHRfS_M".utf8) + generation.littleEndianBytes, at: 65_536 + 64)
      return bytes
    }
    #expect(
      try evidence(btrfs(8), btrfs(9), mapping: [16]) == ["generation 9, in the snapshot 8"])
    #expect(try evidence(btrfs(9), btrfs(9), mapping: [16]) == [])
  }

  // MARK: - What cannot be written

  /// A squashfs of 16 KiB in an origin of 256.
  private var squashfs: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64 * 4096)
    bytes.put(Array("hsqs".utf8), at: 0)
    bytes.put([4, 0], at: 28)
    bytes.put(UInt64(16_384).littleEndianBytes, at: 40)
    return bytes
  }

  @Test func `an origin that is a squashfs and nothing else was not written`() throws {
    let own = squashfs
    for hasInFlightChunks in [false, true] {
      #expect(
        try writes(own, own, mapping: [9], hasInFlightChunks: hasInFlightChunks)
          == .impossible(type: "squashfs"))
    }
  }

  @Test func `behind a squashfs something that is written may begin`() throws {
    var own = squashfs
    own.put([1], at: own.count - 1)
    #expect(try writes(own, own, mapping: [9]) == .unknown)
    var short = squashfs
    short.put(UInt64(own.count + 1).littleEndianBytes, at: 40)
    #expect(try writes(short, short, mapping: [9]) == .unknown)
  }

  @Test func `a stick with a live system and a partition that is written`() throws {
    func stick(_ partitionType: UInt8?) throws -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: 128 * 4096)
      for (index, type) in [UInt8(1), 255].enumerated() {
        bytes.put([type] + Array("CD001".utf8) + [1], at: 32_768 + index * 2048)
      }
      bytes.put(UInt32(32).littleEndianBytes + [0, 0, 0, 32], at: 32_768 + 80)
      bytes.put([0, 8, 8, 0], at: 32_768 + 128)
      if let partitionType {
        bytes.put([0, 0, 0, 0, partitionType, 0, 0, 0, 0, 1], at: 446)
        bytes.put([0, 2, 0, 0], at: 458)
        bytes.put([0x55, 0xaa], at: 510)
      }
      return bytes
    }
    let image = try stick(nil)
    #expect(try writes(image, image, mapping: [60]) == .impossible(type: "iso9660"))
    let persistent = try stick(0x83)
    #expect(try writes(persistent, persistent, mapping: [60]) == .unknown)
  }

  @Test func `of a valid snapshot nothing is said`() throws {
    let origin = FaultySource(ext4())
    let view = try SnapshotView(Self.builder.copying([1]).image(), over: origin)
    #expect(try OriginCheck(view, hasInFlightChunks: false).writes == nil)
  }
}
