import BlockIO
import LVM2
import TestSupport
import Testing

/// Labels, sound and broken, in every sector where one may lie.
@Suite struct PhysicalVolumeLabelTests {
  private func find(_ bytes: [UInt8]) throws -> PhysicalVolumeLabel? {
    try PhysicalVolumeLabel.find(in: MemorySource(bytes))
  }

  /// What lvm2 2.03.16 writes for a device of 100 MiB in use, with two metadata areas.
  private static let written: [UInt8] =
    Array("LABELONE".utf8) + UInt64(1).littleEndianBytes + [0x67, 0x02, 0x92, 0x39]
    + UInt32(32).littleEndianBytes + Array("LVM2 001".utf8)
    + Array("loPlovoEk2vuhAPvAmj4kCXpQcuNW9EL".utf8) + UInt64(100 << 20).littleEndianBytes
    + [1 << 20, 0, 0, 0, 4096, (1 << 20) - 4096, 99 << 20, 1 << 20, 0, 0].flatMap {
      UInt64($0).littleEndianBytes
    } + UInt32(2).littleEndianBytes + UInt32(1).littleEndianBytes

  @Test func `a label that lvm2 wrote`() throws {
    var disk: [UInt8] = Array(repeating: 0, count: 4096)
    disk.put(Self.written, at: 512)
    let label = try #require(try find(disk))
    #expect(label.isSound)
    #expect(label.sector == 1)
    #expect(label.uuid.description == "loPlov-oEk2-vuhA-PvAm-j4kC-XpQc-uNW9EL")
    #expect(label.byteCount == 100 << 20)
    #expect(label.dataAreas == [PhysicalVolumeLabel.Area(byteOffset: 1 << 20, byteCount: 0)])
    #expect(
      label.metadataAreas == [
        PhysicalVolumeLabel.Area(byteOffset: 4096, byteCount: (1 << 20) - 4096),
        PhysicalVolumeLabel.Area(byteOffset: 99 << 20, byteCount: 1 << 20),
      ])
    #expect(label.bootLoaderAreas.isEmpty)
    #expect(label.isUsed == true)
  }

  @Test(arguments: 0..<6) func `one of the first four sectors`(sector: Int) throws {
    var disk: [UInt8] = Array(repeating: 0xee, count: 4096)
    disk.put(LabelBuilder(sector: UInt64(sector)).bytes, at: sector * 512)
    #expect(try find(disk)?.sector == (sector < 4 ? UInt64(sector) : nil))
  }

  @Test(arguments: 0..<512) func `any bit that is wrong is noticed`(byte: Int) throws {
    var disk: [UInt8] = Array(repeating: 0, count: 2048)
    disk.put(LabelBuilder().bytes, at: 512)
    disk[512 + byte] ^= 1 << UInt8(byte % 8)
    #expect(try find(disk)?.isSound != true)
  }

  @Test func `a sound label is preferred, and an unsound one is better than none`() throws {
    var disk: [UInt8] = Array(repeating: 0, count: 2048)
    disk.put(LabelBuilder(sector: 3).bytes, at: 512)
    let moved = try #require(try find(disk))
    #expect((moved.sector, moved.statedSector, moved.isAtItsSector) == (1, 3, false))
    #expect(moved.isChecksumRight && !moved.isSound)

    var damaged = LabelBuilder(sector: 0).bytes
    damaged[500] = 1
    disk.put(damaged, at: 0)
    #expect(try find(disk)?.isChecksumRight == false)
    #expect(try find(disk)?.isAtItsSector == true)

    disk.put(LabelBuilder(sector: 2).bytes, at: 1024)
    #expect(try find(disk)?.sector == 2)
  }

  @Test func `extensions, older and newer`() throws {
    func label(_ builder: LabelBuilder) throws -> PhysicalVolumeLabel? {
      var disk: [UInt8] = Array(repeating: 0, count: 2048)
      disk.put(builder.bytes, at: 512)
      return try find(disk)
    }
    #expect(try label(LabelBuilder(version: 0))?.isUsed == nil)
    #expect(try label(LabelBuilder(version: 1, flags: 1))?.isUsed == nil)
    #expect(try label(LabelBuilder(version: 2, flags: 0))?.isUsed == false)
    #expect(try label(LabelBuilder(version: 2, flags: 3))?.isUsed == true)
    let loader = PhysicalVolumeLabel.Area(byteOffset: 1 << 20, byteCount: 1 << 20)
    #expect(try label(LabelBuilder(bootLoaderAreas: [loader]))?.bootLoaderAreas == [loader])
    #expect(try label(LabelBuilder(version: 0, bootLoaderAreas: [loader]))?.bootLoaderAreas == [])
  }

  @Test func `lists without end, and a sector that is too far`() throws {
    for (position, bytes) in [
      (20, UInt32(513).littleEndianBytes), (20, UInt32(31).littleEndianBytes),
      (20, UInt32(450).littleEndianBytes), (20, UInt32.max.littleEndianBytes),
      (32, [0x20]), (72, Array(repeating: 1, count: 440)), (24, Array("LVM2 002".utf8)),
    ] {
      var disk: [UInt8] = Array(repeating: 0, count: 2048)
      disk.put(LabelBuilder().bytes, at: 512)
      disk.put(bytes, at: 512 + position)
      #expect(try find(disk) == nil, "\(position)")
    }
  }

  @Test func `a device that is shorter than its label may lie`() throws {
    let disk = Array(repeating: UInt8(0), count: 512) + LabelBuilder().bytes
    for count in [0, 1, 511, 512, 1023] { #expect(try find(Array(disk.prefix(count))) == nil) }
    #expect(try find(disk)?.isSound == true)
  }

  @Test func `sectors that cannot be read have no label`() throws {
    var disk: [UInt8] = Array(repeating: 0, count: 4096)
    disk.put(LabelBuilder().bytes, at: 512)
    let source = FaultySource(disk, unreadable: [0..<512, 1024..<1025])
    #expect(try PhysicalVolumeLabel.find(in: source)?.sector == 1)
    source.unreadable = [600..<601]
    #expect(try PhysicalVolumeLabel.find(in: source) == nil)
    source.failure = .refused("no")
    #expect(throws: BlockIOError.self) { try PhysicalVolumeLabel.find(in: source) }
  }
}
