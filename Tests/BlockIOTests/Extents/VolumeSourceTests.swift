import BlockIO
import SystemPackage
import TestSupport
import Testing

/// A volume reads what its parts have, and fails where no copy can be read, and nowhere else.
@Suite struct VolumeSourceTests {
  /// A random volume with content, on devices with bad sectors, some of which are known.
  private struct Volume {
    let extents: RandomExtents
    let source: VolumeSource
    /// nil where a byte cannot be read.
    private(set) var content: [UInt8?] = []
    /// Whether it is known that a byte cannot be read.
    private(set) var isKnownLost: [Bool] = []
    /// Whether a byte of any copy cannot be read.
    private(set) var isTouched: [Bool] = []

    init(seed: UInt64) throws {
      extents = RandomExtents(seed: seed)
      var random = SplitMix64(seed: seed ^ 0xc0de)
      var disks = extents.ends.map { [UInt8](repeating: 0, count: $0 + random.below(9)) }
      var isZero = random.oneIn(2)
      var written: [UInt8] = []
      for places in extents.places {
        if random.oneIn(60) { isZero.toggle() }
        let byte =
          isZero || places.current.contains(.zero) ? 0 : UInt8(1 + random.below(255))
        written.append(byte)
        for case .device(let disk, let offset) in places.current { disks[disk][offset] = byte }
        // What is out of date is never what it should be.
        for case .device(let disk, let offset) in places.stale { disks[disk][offset] = ~byte }
      }
      var isBad: [[Bool]] = []
      var isKnown: [Bool] = []
      var sources: [any BlockSource] = []
      for disk in disks {
        // A disk may end before its extents do.
        let bytes = random.oneIn(4) ? Array(disk.prefix(random.below(disk.count + 1))) : disk
        var bad = Array(repeating: false, count: disk.count)
        var ranges: [Range<UInt64>] = []
        for _ in 0..<random.below(4) where !bytes.isEmpty {
          let start = random.below(bytes.count)
          let end = min(start + 1 + random.below(100), bytes.count)
          for byte in start..<end { bad[byte] = true }
          ranges.append(UInt64(start)..<UInt64(end))
        }
        for byte in bytes.count..<disk.count { bad[byte] = true }
        isBad.append(bad)
        isKnown.append(random.oneIn(2))
        let holey = FaultySource(byteCount: UInt64(bytes.count), pieces: Self.pieces(of: bytes))
        if isKnown.last == true, !bytes.isEmpty {
          sources.append(RescuedSource(holey, try Self.badSectors(bad.prefix(bytes.count))))
        } else {
          holey.unreadable = ranges
          sources.append(holey)
        }
      }
      source = VolumeSource("volume", extents.map, of: sources)
      for (index, places) in extents.places.enumerated() {
        func isLost(_ cell: RandomExtents.Cell) -> Bool {
          switch cell {
          case .zero: false
          case .missing: true
          case .device(let disk, let offset): isBad[disk][offset]
          }
        }
        func isKnownLost(_ cell: RandomExtents.Cell) -> Bool {
          guard case .device(let disk, let offset) = cell else { return cell == .missing }
          return isBad[disk][offset] && (isKnown[disk] || offset >= sources[disk].byteCount)
        }
        content.append(places.current.allSatisfy(isLost) ? nil : written[index])
        self.isKnownLost.append(places.current.allSatisfy(isKnownLost))
        isTouched.append(places.current.contains(where: isLost))
      }
    }

    /// The runs of bytes that are not zero.
    private static func pieces(of bytes: [UInt8]) -> [(byteOffset: UInt64, bytes: [UInt8])] {
      var pieces: [(byteOffset: UInt64, bytes: [UInt8])] = []
      for (offset, byte) in bytes.enumerated() where byte != 0 {
        if let last = pieces.last, Int(last.byteOffset) + last.bytes.count == offset {
          pieces[pieces.count - 1].bytes.append(byte)
        } else {
          pieces.append((UInt64(offset), [byte]))
        }
      }
      return pieces
    }

    private static func badSectors(_ isBad: ArraySlice<Bool>) throws -> BadSectorMap {
      var text = "0 - 1\n"
      for (offset, bad) in isBad.enumerated() { text += "\(offset) 1 \(bad ? "-" : "+")\n" }
      return try BadSectorMap(text)
    }
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func `each byte is what its place has, or cannot be read`(seed: UInt64) throws {
    let volume = try Volume(seed: seed)
    #expect(volume.source.byteCount == UInt64(volume.content.count))
    for (offset, byte) in volume.content.enumerated() {
      let found = try? volume.source.bytes(at: UInt64(offset), count: 1)[0]
      guard found != byte else { continue }
      Issue.record("seed \(seed), byte \(offset): \(found as Any) instead of \(byte as Any)")
      return
    }
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func `long reads are all right, or fail because of a byte that cannot be read`(
    seed: UInt64
  ) throws {
    let volume = try Volume(seed: seed)
    var random = SplitMix64(seed: seed ^ 0x1092)
    for _ in 0..<40 {
      let start = random.below(volume.content.count)
      let range = start..<start + 1 + random.below(volume.content.count - start)
      let read = random.oneIn(2) ? volume.source.read : volume.source.readUncached
      let buffer = IOBuffer(byteCount: range.count + 8)
      do throws(BlockIOError) {
        try read(UInt64(start), buffer, 5..<5 + range.count)
        let found = buffer.bytes(5..<5 + range.count).map(Optional.some)
        #expect(found == Array(volume.content[range]))
      } catch {
        #expect(error.isUnreadableMedium)
        #expect(volume.isTouched[range].contains(true))
      }
    }
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func `reading around loses no sector that can be read`(seed: UInt64) throws {
    let volume = try Volume(seed: seed)
    let count = volume.content.count
    let buffer = IOBuffer(byteCount: count)
    let lost = try volume.source.readAround(at: 0, into: buffer, 0..<count)
    for sector in stride(from: 0, to: count, by: 512) {
      let range = sector..<min(sector + 512, count)
      let bytes = UInt64(range.lowerBound)..<UInt64(range.upperBound)
      if lost.contains(where: { $0.overlaps(bytes) }) {
        #expect(volume.isTouched[range].contains(true), "seed \(seed), sector \(sector / 512)")
      } else {
        #expect(
          buffer.bytes(range).map(Optional.some) == Array(volume.content[range]),
          "seed \(seed), sector \(sector / 512)")
      }
    }
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func `what is known to be unreadable is all that is, and no more`(seed: UInt64) throws {
    let volume = try Volume(seed: seed)
    var random = SplitMix64(seed: seed ^ 0x4a0b)
    for _ in 0..<10 {
      let start = random.below(volume.content.count)
      let end = start + 1 + random.below(volume.content.count + 100 - start)
      var expected: [Range<UInt64>] = []
      for byte in start..<min(end, volume.content.count) where volume.isKnownLost[byte] {
        expected.append(mergingInto: UInt64(byte)..<UInt64(byte) + 1)
      }
      #expect(
        volume.source.knownUnreadable(in: UInt64(start)..<UInt64(end)) == expected, "seed \(seed)")
    }
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func `no data is skipped, and no byte that is known to be lost`(seed: UInt64) throws {
    let volume = try Volume(seed: seed)
    let byteCount = volume.source.byteCount
    var random = SplitMix64(seed: seed ^ 0xda7a)
    for start in [0] + (0..<20).map({ _ in UInt64(random.below(Int(byteCount))) }) {
      var position = start
      while position < byteCount {
        let data = try volume.source.nextData(from: position)
        let end = data?.lowerBound ?? byteCount
        try #require(end >= position && end <= byteCount)
        for byte in Int(position)..<Int(end) {
          let isSkippable = (volume.content[byte] ?? 0) == 0 && !volume.isKnownLost[byte]
          try #require(isSkippable, "seed \(seed), byte \(byte) of \(position)..<\(end)")
        }
        guard let data else { break }
        try #require(!data.isEmpty && data.upperBound <= byteCount)
        position = data.upperBound
      }
    }
    #expect(try volume.source.nextData(from: byteCount) == nil)
    #expect(try volume.source.nextData(from: .max) == nil)
  }

  // MARK: - Copies

  /// A mirror of two disks of 64 KiB, of which the second may be out of date.
  private func mirror(
    _ first: any BlockSource, _ second: any BlockSource, currentCount: Int = 2
  ) -> VolumeSource {
    let legs = [0, 1].map { ExtentLayout.place(.device($0, byteOffset: 0)) }
    return VolumeSource(
      "mirror", VolumeMap([.init(0..<65536, .copies(legs, currentCount: currentCount))]),
      of: [first, second])
  }

  @Test func `the second copy is read where the first cannot be, and only there`() throws {
    let first = FaultySource(pattern(65536), unreadable: [1000..<1001])
    let second = FaultySource(pattern(65536))
    let source = mirror(first, second)
    #expect(try source.bytes(at: 2000, count: 100) == pattern(100, from: 2000))
    #expect(second.reads.isEmpty)
    #expect(try source.bytes(at: 900, count: 200) == pattern(200, from: 900))
    #expect(second.reads == [900..<1100])
  }

  @Test func `a copy that is out of date is never read`() throws {
    let first = FaultySource(pattern(65536), unreadable: [1000..<1001])
    let second = FaultySource([UInt8](repeating: 9, count: 65536))
    let source = mirror(first, second, currentCount: 1)
    let error = try #require(throws: BlockIOError.self) { try source.bytes(at: 900, count: 200) }
    #expect(error.reason == .system(.ioError))
    let buffer = IOBuffer(byteCount: 4096)
    #expect(try source.readAround(at: 0, into: buffer, 0..<4096) == [512..<1024])
    #expect(second.reads.isEmpty)
  }

  @Test func `what is no bad medium is not hidden by another copy`() throws {
    let first = FaultySource(pattern(65536), unreadable: [1000..<1001])
    first.failure = .system(.noMemory)
    let source = mirror(first, FaultySource(pattern(65536)))
    let error = try #require(throws: BlockIOError.self) { try source.bytes(at: 900, count: 200) }
    #expect(error.reason == .system(.noMemory))
  }

  @Test func `bad sectors in different places of both copies cost nothing`() throws {
    let first = FaultySource(pattern(65536), unreadable: [1000..<1001, 40_000..<40_001])
    let source = mirror(first, FaultySource(pattern(65536), unreadable: [30_000..<30_001]))
    let buffer = IOBuffer(byteCount: 65536)
    #expect(try source.readAround(at: 0, into: buffer, 0..<65536) == [])
    #expect(buffer.bytes(0..<65536).firstDifference(from: pattern(65536)) == nil)
  }

  @Test func `a bad sector beside a copy that is missing costs that sector only`() throws {
    let disk = FaultySource(pattern(65536), unreadable: [1000..<1001])
    for legs in [0, 1].map({ first in
      let legs = [ExtentLayout.place(.missing("a disk")), .place(.device(0, byteOffset: 0))]
      return first == 0 ? legs : legs.reversed()
    }) {
      let map = VolumeMap([.init(0..<65536, .copies(legs, currentCount: 2))])
      let source = VolumeSource("mirror", map, of: [disk])
      #expect(source.knownUnreadable(in: 0..<65536) == [])
      let buffer = IOBuffer(byteCount: 65536)
      #expect(try source.readAround(at: 0, into: buffer, 0..<65536) == [512..<1024])
      #expect(buffer.bytes(1024..<65536).firstDifference(from: pattern(64512, from: 1024)) == nil)
    }
  }

  @Test func `a bad sector beside a copy that a map says was never read costs that sector only`()
    throws
  {
    let unread = RescuedSource(FaultySource(pattern(65536)), try BadSectorMap("0 ? 1\n0 1 +\n"))
    let source = mirror(unread, FaultySource(pattern(65536), unreadable: [1000..<1001]))
    let buffer = IOBuffer(byteCount: 32768)
    #expect(try source.readAround(at: 512, into: buffer, 0..<32768) == [512..<1024])
  }

  @Test func `a volume that is missing throughout is given up at once`() throws {
    let map = VolumeMap([.init(0..<1 << 40, .place(.missing("a disk")))])
    let source = VolumeSource("volume", map, of: [])
    let buffer = IOBuffer(byteCount: 1 << 20)
    #expect(try source.readAround(at: 5, into: buffer, 0..<1 << 20) == [5..<5 + 1 << 20])
    #expect(source.knownUnreadable(in: 0..<1 << 40) == [0..<1 << 40])
    #expect(try source.nextData(from: 7) == 7..<1 << 40)
    let error = try #require(throws: BlockIOError.self) { try source.bytes(at: 5, count: 10) }
    #expect(error == BlockIOError("volume", .read, .missing("a disk", 5..<15), at: 5..<15))
  }

  @Test func `behind the end of a disk that is too short nothing can be read`() throws {
    let disk = FaultySource(pattern(1000))
    let map = VolumeMap([.init(0..<2000, .place(.device(0, byteOffset: 300)))])
    let source = VolumeSource("volume", map, of: [disk])
    #expect(source.knownUnreadable(in: 0..<2000) == [700..<2000])
    #expect(try source.bytes(at: 0, count: 700) == pattern(700, from: 300))
    #expect(throws: BlockIOError.self) { try source.bytes(at: 0, count: 701) }
    #expect(try source.nextData(from: 0) == 0..<2000)
  }

  // MARK: - The file below

  @Test func `a volume in one place is backed by the file there`() throws {
    let scratch = try TemporaryDirectory()
    let path = try scratch.write(pattern(10_000), to: "disk.img")
    let disk = try FileSource(path: FilePath(path))
    func backing(_ segments: VolumeMap.Segment..., of devices: [any BlockSource]) -> Range<UInt64>?
    {
      FileBacking(of: VolumeSource("volume", VolumeMap(segments), of: devices))?.range
    }
    let place = ExtentLayout.place(.device(0, byteOffset: 1000))
    #expect(backing(.init(0..<2000, place), of: [disk]) == 1000..<3000)
    let slice = try SliceSource(disk, 500..<4500)
    #expect(backing(.init(0..<2000, place), of: [slice]) == 1500..<3500)
    #expect(backing(.init(0..<3001, place), of: [slice]) == nil)
    #expect(backing(.init(0..<9001, place), of: [disk]) == nil)
    #expect(backing(.init(0..<2000, place), .init(2000..<2001, place), of: [disk]) == nil)
    #expect(backing(.init(0..<2000, .place(.zeroes)), of: [disk]) == nil)
    #expect(backing(.init(0..<2000, place), of: [MemorySource(pattern(10_000))]) == nil)
    let source = VolumeSource("volume", VolumeMap([.init(0..<2000, place)]), of: [disk])
    #expect(source.files.count == 1)
  }

  @Test func `what will be read is announced where it lies, and zeroes are at hand`() {
    let disk = FaultySource(pattern(1000))
    let map = VolumeMap([
      .init(0..<100, .place(.device(0, byteOffset: 300))), .init(100..<200, .place(.zeroes)),
      .init(200..<300, .place(.device(0, byteOffset: 0))),
    ])
    let source = VolumeSource("volume", map, of: [disk])
    source.willRead(50..<1000)
    #expect(disk.announced == [350..<400, 0..<100])
    #expect([0, 150, 250, 300].map { source.hasCached(at: $0) } == [false, true, false, false])
  }
}
