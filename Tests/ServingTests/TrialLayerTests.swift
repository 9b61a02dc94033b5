import BlockIO
@testable import Serving
import SnapshotFormat
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// What is written to a served view is a COW store over it, whatever happens meanwhile.
@Suite struct TrialLayerTests {
  private let base = Stamp.origin(byteCount: 16 * 4096 + 1536)

  private func layer(
    chunkCount: Int = 400, _ chunkSize: ChunkSize = TrialLayer.chunkSize,
    power: PowerSupply = PowerSupply()
  ) throws -> (layer: TrialLayer, target: VolatileTarget) {
    let target = VolatileTarget(
      [UInt8](repeating: 0, count: chunkCount * Int(chunkSize.byteCount)), name: "layer.img",
      power: power)
    return (try TrialLayer(over: FaultySource(base), in: target, chunkSize: chunkSize), target)
  }

  /// What Linux shows of a store over the base.
  private func view(_ store: [UInt8]) throws -> [UInt8] {
    let reference = ReferenceDecoder(store)
    try #require(reference.verdict == .loads)
    let (bytes, unreadable) = reference.view(of: base)
    #expect(unreadable.isEmpty)
    return bytes
  }

  private static let sizes = [ChunkSize.all[0], ChunkSize.all[1], ChunkSize.all[3]]

  @Test(arguments: sizes, UInt64(1)...3)
  func `a thousand reads and writes are what a model does`(size: ChunkSize, seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let (layer, target) = try layer(chunkCount: 400 >> Int(size.shift), size)
    var model = base
    let buffer = IOBuffer(byteCount: 20_000)
    for _ in 0..<1000 {
      let count = 1 + random.below(random.oneIn(4) ? 20_000 : 3000)
      let start = random.below(base.count - count + 1)
      switch random.below(5) {
      case 0, 1:
        let bytes = random.bytes(count)
        buffer.put(bytes[...], at: 0)
        try layer.write(at: UInt64(start), from: buffer, 0..<count)
        model.put(bytes, at: start)
      case 2 where random.oneIn(8):
        try layer.flush()
        #expect(target.isFlushed)
        #expect(try view(target.bytes).firstDifference(from: model) == nil)
      default:
        try layer.read(at: UInt64(start), into: buffer, 0..<count)
        #expect(buffer.bytes(0..<count) == Array(model[start..<start + count]))
      }
    }
    try layer.flush()
    #expect(try view(target.bytes).firstDifference(from: model) == nil)
    let whole = try layer.allBytes()
    #expect(whole.firstDifference(from: Array(model.prefix(whole.count))) == nil)
  }

  @Test func `that a layer is full is told once`() throws {
    let told = Mutex(0)
    let layer = try TrialLayer(
      over: FaultySource(base), in: VolatileTarget([UInt8](repeating: 0, count: 8 * 512)),
      chunkSize: ChunkSize.all[0]
    ) { error in
      if error.reason == .system(.noSpace) { told.withLock { $0 += 1 } }
    }
    let buffer = IOBuffer(byteCount: 512)
    for chunk in 0..<20 { try? layer.write(at: UInt64(chunk * 512), from: buffer, 0..<512) }
    #expect(told.withLock { $0 } == 1 && layer.hasRefused)
  }

  @Test func `bytes after the last whole sector are not served`() throws {
    let target = VolatileTarget([UInt8](repeating: 0, count: 1 << 20))
    let layer = try TrialLayer(over: FaultySource(base + [1, 2, 3]), in: target)
    #expect(layer.byteCount == UInt64(base.count))
  }

  // MARK: - Full

  @Test(arguments: 3...40)
  func `a full layer takes no more, and keeps what it has`(chunkCount: Int) throws {
    let size = ChunkSize.all[0]  // 32 exceptions fill an area
    let (layer, target) = try layer(chunkCount: chunkCount, size)
    let (count, model) = try fill(layer, 0..<60)
    // Two chunks are the header and the first area. A full area needs the next one to end it.
    let room = chunkCount - 2
    #expect(count == (room < 32 ? room : room == 32 ? 31 : room - 1))
    try layer.flush()
    #expect(try view(target.bytes).firstDifference(from: model) == nil)
    // What was written can be written again.
    try layer.write(at: 0, from: IOBuffer(byteCount: 512), 0..<512)
  }

  /// Writes chunks, and says how many found room, and what the layer has then.
  private func fill(
    _ layer: TrialLayer, _ chunks: Range<Int>
  ) throws -> (count: Int, model: [UInt8]) {
    var (count, model) = (0, base)
    let buffer = IOBuffer(byteCount: 512)
    for chunk in chunks {
      let bytes = [UInt8](repeating: UInt8(chunk + 1), count: 512)
      buffer.put(bytes[...], at: 0)
      do throws(BlockIOError) {
        try layer.write(at: UInt64(chunk * 512), from: buffer, 0..<512)
      } catch {
        #expect(error.reason == .system(.noSpace))
        continue
      }
      model.put(bytes, at: chunk * 512)
      count += 1
    }
    return (count, model)
  }

  @Test func `a layer without room for a chunk is refused`() {
    #expect(throws: BlockIOError.self) { try layer(chunkCount: 2) }
  }

  /// On a disk that is shorter than the layer may become.
  @Test(arguments: 2...80)
  func `a full disk refuses what it has no room for, and nothing else`(roomCount: Int) throws {
    let (layer, target) = try fullLayer(roomCount: roomCount)
    let (count, model) = try fill(layer, 0..<90)
    // The header, and an area for each 32 chunks.
    #expect(count == roomCount - 1 - (roomCount - 1 + 32) / 33)
    try layer.flush()
    #expect(try view(target.bytes).firstDifference(from: model) == nil)
    try layer.close()
  }

  private func fullLayer(roomCount: Int) throws -> (layer: TrialLayer, target: FullDisk) {
    let target = FullDisk(roomCount: roomCount)
    let size = ChunkSize.all[0]  // 32 exceptions fill an area
    return (try TrialLayer(over: FaultySource(base), in: target, chunkSize: size), target)
  }

  // MARK: - Errors

  @Test(arguments: 2...60)
  func `after an error of the medium, nothing is called flushed that is not`(count: Int) throws {
    let power = PowerSupply(.failure(afterOperations: count, .system(.ioError)), seed: 5)
    let (layer, target) = try layer(ChunkSize.all[0], power: power)
    let buffer = IOBuffer(byteCount: 512)
    var model = base
    var torn: Set<Int> = []  // sectors of which nobody knows whether they were written
    var random = SplitMix64(seed: UInt64(count))
    var isFlushLost = false
    for number in 0..<120 {
      let sector = random.below(40)
      let place = sector * 512..<(sector + 1) * 512
      let isFlush = random.oneIn(6)
      do throws(BlockIOError) {
        if isFlush {
          try layer.flush()
        } else {
          let bytes = [UInt8](repeating: UInt8(number + 1), count: 512)
          buffer.put(bytes[...], at: 0)
          try layer.write(at: UInt64(place.lowerBound), from: buffer, 0..<512)
          model.put(bytes, at: place.lowerBound)
          torn.remove(sector)
        }
      } catch {
        #expect(error.reason == .system(.ioError))
        if !isFlush { torn.insert(sector) }
        // The kernel says once that a flush failed; what was lost then, no later one writes.
        isFlushLost = isFlushLost || error.operation == .flush
        continue
      }
      #expect(!isFlushLost)
      guard isFlush else { continue }
      #expect(target.isFlushed)
      let left = try view(target.bytes)
      for sector in 0..<40 where !torn.contains(sector) {
        let place = sector * 512..<(sector + 1) * 512
        #expect(left[place] == model[place], "sector \(sector)")
      }
    }
    #expect(power.wasInterrupted)
    #expect(layer.hasRefused != isFlushLost)
    if isFlushLost { #expect(throws: BlockIOError.self) { try layer.flush() } }
  }

  @Test func `a flush with nothing to flush leaves the medium alone`() throws {
    let power = PowerSupply()
    let (layer, target) = try layer(power: power)
    let buffer = IOBuffer(byteCount: 512)
    var count = power.operationCount
    try layer.flush()
    #expect(power.operationCount == count)
    try layer.write(at: 0, from: buffer, 0..<512)
    try layer.flush()
    #expect(target.isFlushed && power.operationCount > count)
    count = power.operationCount
    try layer.flush()
    #expect(power.operationCount == count)
    // What overwrites a chunk is flushed too.
    try layer.write(at: 512, from: buffer, 0..<512)
    #expect(!target.isFlushed)
    try layer.flush()
    #expect(target.isFlushed)
  }

  @Test func `a closed layer has all that was written, and takes no more`() throws {
    let (layer, target) = try layer()
    let buffer = IOBuffer([UInt8](repeating: 7, count: 512))
    try layer.write(at: 512, from: buffer, 0..<512)
    try layer.close()
    var model = base
    model.put([UInt8](repeating: 7, count: 512), at: 512)
    #expect(target.isFlushed)
    #expect(try view(target.bytes).firstDifference(from: model) == nil)
    #expect(throws: BlockIOError.self) { try layer.write(at: 0, from: buffer, 0..<512) }
    try layer.flush()
    #expect(try view(target.bytes).firstDifference(from: model) == nil)
  }

  // MARK: - Losses beneath it

  @Test func `what is overwritten is not read`() throws {
    let lost = UInt64(3 * 4096)..<UInt64(3 * 4096 + 512)
    let source = FaultySource(base, unreadable: [lost])
    let target = VolatileTarget([UInt8](repeating: 0, count: 1 << 20))
    let layer = try TrialLayer(over: source, in: target)
    let buffer = IOBuffer(byteCount: 4096)
    #expect(throws: BlockIOError.self) {
      try layer.write(at: 3 * 4096 + 1024, from: buffer, 0..<512)
    }
    try layer.write(at: 3 * 4096, from: buffer, 0..<4096)
    try layer.read(at: 3 * 4096, into: buffer, 0..<4096)
    #expect(buffer.bytes(0..<4096).allSatisfy { $0 == 0 })
  }

  // MARK: - Crashes

  /// Writes numbered blocks at random, and says after each what everything should be.
  private func write(
    _ layer: TrialLayer, seed: UInt64, _ step: (_ model: [UInt8], _ isFlushed: Bool) throws -> Void
  ) throws {
    var random = SplitMix64(seed: seed)
    var model = base
    let buffer = IOBuffer(byteCount: 1024)
    for number in 0..<80 {
      if random.oneIn(9) {
        try layer.flush()
        try step(model, true)
        continue
      }
      // One sector, so that a write is not torn.
      let sector = random.below(20) * 3
      let bytes = [UInt8](repeating: UInt8(number + 1), count: 512)
      buffer.put(bytes[...], at: 0)
      try layer.write(at: UInt64(sector * 512), from: buffer, 0..<512)
      model.put(bytes, at: sector * 512)
      try step(model, false)
    }
  }

  @Test(arguments: sizes, UInt64(1)...4)
  func `a killed process leaves the writes up to some point`(
    size: ChunkSize, seed: UInt64
  ) throws {
    let (layer, target) = try layer(chunkCount: 200 >> Int(size.shift), size)
    var states = [base]
    var flushed = 0
    try write(layer, seed: seed) { model, isFlushed in
      states.append(model)
      if isFlushed { flushed = states.count - 1 }
      let left = try view(target.bytes)
      #expect(states[flushed...].contains(left), "after \(states.count - 1) steps")
    }
  }

  @Test(arguments: sizes, UInt64(1)...3)
  func `a power cut leaves what was flushed, and nothing that was never written`(
    size: ChunkSize, seed: UInt64
  ) throws {
    let (layer, target) = try layer(chunkCount: 200 >> Int(size.shift), size)
    var random = SplitMix64(seed: seed)
    var safe = base
    // Of each sector, what may be there: as it was flushed, or as a write since left it.
    var versions: [Int: [[UInt8]]] = [:]
    var last = base
    try write(layer, seed: seed) { model, isFlushed in
      if isFlushed { (safe, versions) = (model, [:]) }
      for sector in 0..<60 {
        let now = Array(model[sector * 512..<(sector + 1) * 512])
        if now != Array(last[sector * 512..<(sector + 1) * 512]) {
          versions[sector, default: []].append(now)
        }
      }
      last = model
      guard random.oneIn(3) else { return }
      for fate in target.fates(using: &random) {
        let left = try view(target.contentAfterPowerCut(fate))
        #expect(left[(60 * 512)...] == safe[(60 * 512)...])
        for sector in 0..<60 {
          let bytes = Array(left[sector * 512..<(sector + 1) * 512])
          let isKnown =
            bytes == Array(safe[sector * 512..<(sector + 1) * 512])
            || versions[sector]?.contains(bytes) == true
          #expect(isKnown, "sector \(sector) after \(fate)")
        }
      }
    }
  }
}

/// A sparse file on a disk that becomes full: each sector takes room when it is first written.
private final class FullDisk: BlockTarget {
  let name = "layer.img"
  let byteCount: UInt64 = 400 * 512
  private let disk = VolatileTarget([UInt8](repeating: 0, count: 400 * 512))
  private let taken = Mutex<Set<UInt64>>([])
  private let roomCount: Int

  init(roomCount: Int) { self.roomCount = roomCount }

  var bytes: [UInt8] { disk.bytes }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try disk.read(at: byteOffset, into: buffer, range)
  }

  func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let sectors = byteOffset / 512..<(byteOffset + UInt64(range.count) + 511) / 512
    let hasRoom = taken.withLock { taken in
      let all = taken.union(sectors)
      if all.count <= roomCount { taken = all }
      return all.count <= roomCount
    }
    guard hasRoom else {
      let end = byteOffset + UInt64(range.count)
      throw BlockIOError(name, .write, .system(.noSpace), at: byteOffset..<end)
    }
    try disk.write(at: byteOffset, from: buffer, range)
  }

  func flush() throws(BlockIOError) { try disk.flush() }
}
