@testable import BlockIO
import TestSupport
import Testing

/// Writing a volume changes the bytes of all its copies, and no other.
@Suite struct VolumeTargetTests {
  @Test(arguments: 0..<100 as Range<UInt64>)
  func `bytes are written to all their places, and nowhere else`(seed: UInt64) throws {
    let extents = RandomExtents(seed: seed, isWritable: true)
    var random = SplitMix64(seed: seed ^ 0x3217e)
    // No shorter than what the map knows of them: of a volume below it counts all.
    let disks = extents.ends.enumerated().map { index, end in
      let needed = Int(extents.map.deviceEnds[index] ?? 0)
      return MemoryTarget(random.bytes(max(end, needed) + random.below(9)))
    }
    var model = disks.map(\.bytes)
    let target = try VolumeTarget("volume", extents.map, of: disks)
    for _ in 0..<15 {
      let start = random.below(extents.places.count)
      let bytes = random.bytes(1 + random.below(extents.places.count - start))
      try target.write(bytes, at: UInt64(start))
      for (index, byte) in bytes.enumerated() {
        let places = extents.places[start + index]
        for case .device(let disk, let offset) in places.current + places.stale {
          model[disk][offset] = byte
        }
      }
      for (disk, expected) in zip(disks, model) {
        #expect(disk.bytes.firstDifference(from: expected) == nil, "seed \(seed)")
      }
      #expect(try target.bytes(at: UInt64(start), count: bytes.count) == bytes)
      for copy in target.readingBack() {
        #expect(try copy.bytes(at: UInt64(start), count: bytes.count) == bytes)
      }
    }
    try target.flush()
    #expect(disks.allSatisfy { $0.flushCount == 1 })
  }

  @Test func `what could not be written is refused at once`() throws {
    let disk = MemoryTarget(pattern(1000))
    let place = ExtentLayout.place(.device(0, byteOffset: 0))
    func error(_ layout: ExtentLayout) throws -> BlockIOError {
      try #require(throws: BlockIOError.self) {
        _ = try VolumeTarget("volume", VolumeMap([.init(0..<100, layout)]), of: [disk])
      }
    }
    #expect(
      try error(.copies([place, .place(.missing("a disk"))], currentCount: 1)).description
        == "volume: a part of it is missing, and cannot be written")
    #expect(
      try error(.place(.zeroes)).description
        == "volume: its layout can be read, but not written")
    let rotation = ParityRotation(parityCount: 1, .left, .symmetric)
    #expect(try error(.rotating([place, place], stripeByteCount: 10, rotation)).operation == .open)
  }

  @Test func `no write goes behind the end`() throws {
    let disk = MemoryTarget(pattern(1000))
    let map = VolumeMap([.init(0..<100, .place(.device(0, byteOffset: 0)))])
    let target = try VolumeTarget("volume", map, of: [disk])
    let error = try #require(throws: BlockIOError.self) { try target.write([1, 2], at: 99) }
    #expect(error == BlockIOError("volume", .write, .beyondEnd(byteCount: 100), at: 99..<101))
    #expect(disk.bytes == pattern(1000))
  }

  @Test func `what will not be written again is announced where it lies, up to the end`() throws {
    let disk = MemoryTarget(pattern(1000))
    let legs = [0, 500].map { ExtentLayout.place(.device(0, byteOffset: $0)) }
    let map = VolumeMap([.init(0..<100, .copies(legs, currentCount: 1))])
    let target = try VolumeTarget("volume", map, of: [disk])
    target.startWriting(10..<20)
    target.startWriting(90..<2000)
    target.startWriting(500..<2000)
    #expect(disk.started == [10..<20, 510..<520, 90..<100, 590..<600])
    try VolumeTarget("empty", VolumeMap([]), of: []).startWriting(0..<10)
  }
}

/// Bytes in memory that can be written.
private final class MemoryTarget: BlockTarget, @unchecked Sendable {
  let name = "memory"
  private(set) var bytes: [UInt8]
  private(set) var flushCount = 0
  private(set) var started: [Range<UInt64>] = []

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var byteCount: UInt64 { UInt64(bytes.count) }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let own = try checkBounds(at: byteOffset, count: range.count)
    buffer.put(bytes[Int(own.lowerBound)..<Int(own.upperBound)], at: range.lowerBound)
  }

  func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let own = try checkBounds(at: byteOffset, count: range.count, to: .write)
    bytes.put(buffer.bytes(range), at: Int(own.lowerBound))
  }

  func startWriting(_ range: Range<UInt64>) { started.append(range) }

  func flush() throws(BlockIOError) { flushCount += 1 }
}
