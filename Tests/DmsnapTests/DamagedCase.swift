import Foundation
import TestSupport

/// A store as Linux left it, and all that is true of it.
struct PristineStore: Sendable {
  let bytes: [UInt8]
  let origin: [UInt8]
  /// The geometry of it, as the tests have it.
  let builder: StoreBuilder
  let exceptions: [StoreBuilder.Exception]

  init(_ name: String) throws {
    let facts = try Corpus.read(name)
    bytes = try Corpus.unpack(facts.store, of: name)
    origin = try Corpus.unpack(facts.origin, of: name)
    var valid = bytes
    valid.put(UInt32(0x7041_6e53).littleEndianBytes + UInt32(1).littleEndianBytes, at: 0)
    exceptions = ReferenceDecoder(valid).exceptions.map { StoreBuilder.Exception($0.old, $0.new) }
    builder = StoreBuilder(chunkSectors: Int(bytes[12]) | Int(bytes[13]) << 8)
  }

  /// Where the exception of that position in the table stands.
  func byteOffset(_ position: Int) -> Int {
    let (area, slot) = position.quotientAndRemainder(dividingBy: builder.exceptionsPerArea)
    return builder.byteOffset(area: area, slot: slot)
  }
}

/// A store of the corpus after something happened to it.
struct DamagedCase {
  let pristine: PristineStore
  let kind: DamageKind
  private(set) var store: [UInt8]
  /// The bytes that cannot be read, zeroes in the image, and what a mapfile says of them.
  private(set) var unreadable: [(bytes: Range<Int>, status: String)] = []

  init(_ pristine: PristineStore, _ kind: DamageKind) {
    self.pristine = pristine
    self.kind = kind
    store = pristine.bytes
    var random = SplitMix64(seed: UInt64(pristine.exceptions.count))
    apply(&random)
  }

  private var chunkByteCount: Int { pristine.builder.chunkByteCount }
  private var lastArea: Int {
    (pristine.exceptions.count - 1) / pristine.builder.exceptionsPerArea
  }

  private mutating func apply(_ random: inout SplitMix64) {
    let builder = pristine.builder
    let (area, last) = ((lastArea + 1) / 2, lastArea)
    let start = builder.chunk(ofArea: area)
    let first = area * builder.exceptionsPerArea
    let count = min(builder.exceptionsPerArea, pristine.exceptions.count - first)
    let half = [UInt8](repeating: 0, count: count / 2 * 16)
    switch kind {
    case .validZero: damage(.valid(0))
    case .magicErased: damage(.magicErased)
    case .headerZeroed: damage(.headerZeroed)
    case .headerRandom: damage(.bytes(random.bytes(512), at: 0))
    case .headerOfExceptions:
      damage(.bytes(Array(store[builder.chunkByteCount..<builder.chunkByteCount + 512]), at: 0))
    case .otherChunkSize: damage(.chunkSectors(UInt32(builder.chunkSectors * 4)))
    case .oddChunkSize: damage(.chunkSectors(3))
    case .firstFourKiBZeroed: damage(.bytes([UInt8](repeating: 0, count: 4096), at: 0))
    case .first64KiBZeroed: damage(.bytes([UInt8](repeating: 0, count: 65_536), at: 0))
    case .firstAreaRandom: damage(.randomChunk(1, seed: random.next()))
    case .middleAreaRandom: damage(.randomChunk(start, seed: random.next()))
    case .lastAreaRandom: damage(.randomChunk(builder.chunk(ofArea: last), seed: random.next()))
    case .areaZeroed: damage(.zeroChunk(start))
    case .areaOfText:
      damage(.bytes(Stamp.origin(byteCount: chunkByteCount), at: start * chunkByteCount))
    case .areaOfNumbers:
      let numbers = UInt64(1 << 20)..<UInt64(1 << 20) + UInt64(chunkByteCount / 8)
      damage(.bytes(numbers.flatMap(\.littleEndianBytes), at: start * chunkByteCount))
    case .firstAreaUnreadable: lose(chunk: 1, "-")
    case .middleAreaUntried: lose(chunk: start, "?")
    case .lastAreaUntrimmed: lose(chunk: builder.chunk(ofArea: last), "*")
    case .areaUnscraped: lose(chunk: start, "/")
    case .secondHalfZeroed:
      let kept = count - count / 2
      let rest = (builder.exceptionsPerArea - kept) * 16
      damage(
        .bytes([UInt8](repeating: 0, count: rest), at: builder.byteOffset(area: area, slot: kept)))
    case .firstHalfZeroed: damage(.bytes(half, at: start * chunkByteCount))
    case .gapZeroed:
      damage(.bytes(Array(half.dropFirst(16)), at: builder.byteOffset(area: area, slot: 2)))
    case .prefixRandom: damage(.bytes(random.bytes(half.count), at: start * chunkByteCount))
    case .sectorRandom:
      let sector = random.below((count + 31) / 32)
      damage(.bytes(random.bytes(512), at: start * chunkByteCount + sector * 512))
    case .cutAtChunk: damage(.cut(byteCount: someChunk(&random) * chunkByteCount))
    case .cutInChunk:
      let sectors = 1 + random.below(builder.chunkSectors)
      damage(.cut(byteCount: someChunk(&random) * chunkByteCount + sectors * 512))
    case .cutInArea:
      damage(.cut(byteCount: start * chunkByteCount + builder.chunkSectors / 2 * 512))
    case .cutAfterArea: damage(.cut(byteCount: (start + 1) * chunkByteCount))
    case .dataUnreadable:
      for status in ["-", "?", "*", "/"] {
        let exception = pristine.exceptions[random.below(pristine.exceptions.count)]
        let sector = Int(exception.new) * builder.chunkSectors + random.below(builder.chunkSectors)
        lose(sector * 512..<sector * 512 + 512, status)
      }
    }
  }

  /// A data chunk of an exception in the second half of the table.
  private func someChunk(_ random: inout SplitMix64) -> Int {
    let count = pristine.exceptions.count
    return Int(pristine.exceptions[count / 2 + random.below(count - count / 2)].new)
  }

  private mutating func damage(_ damage: Damage) { damage.apply(to: &store, of: pristine.builder) }

  private mutating func lose(chunk: Int, _ status: String) {
    lose(chunk * chunkByteCount..<(chunk + 1) * chunkByteCount, status)
  }

  private mutating func lose(_ bytes: Range<Int>, _ status: String) {
    damage(.bytes([UInt8](repeating: 0, count: bytes.count), at: bytes.lowerBound))
    unreadable.removeAll { $0.bytes == bytes }
    unreadable.append((bytes, status))
  }

  /// What ddrescue would write; nil when all can be read.
  var mapfile: String? {
    if unreadable.isEmpty { return nil }
    var lines = ["# Mapfile. Created by GNU ddrescue version 1.27", "0x0 + 1"]
    var position = 0
    for piece in unreadable.sorted(by: { $0.bytes.lowerBound < $1.bytes.lowerBound }) {
      if position < piece.bytes.lowerBound {
        lines.append("\(position) \(piece.bytes.lowerBound - position) +")
      }
      lines.append("\(piece.bytes.lowerBound) \(piece.bytes.count) \(piece.status)")
      position = piece.bytes.upperBound
    }
    if position < store.count { lines.append("\(position) \(store.count - position) +") }
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: - What is true of it

  /// The positions of the exceptions whose sixteen bytes are still there.
  var survivors: [Int] {
    pristine.exceptions.indices.filter { position in
      let bytes = pristine.byteOffset(position)..<pristine.byteOffset(position) + 16
      return bytes.upperBound <= store.count && pristine.bytes[bytes] == store[bytes]
        && !unreadable.contains { $0.bytes.overlaps(bytes) }
    }
  }

  /// What must be saved: the survivors whose data lie in the store, at least their beginning.
  var kept: [StoreBuilder.Exception] {
    survivors.map { pristine.exceptions[$0] }.filter { Int($0.new) * chunkByteCount < store.count }
  }

  /// Whether there is too little to go by: then nothing is demanded but that nothing is made up.
  var isHopeless: Bool { kept.isEmpty || (kind.hidesHeader && kept.count < 4) }

  /// Whether data behind the table may be the snapshot's: of an invalid store, or one whose header does
  /// not tell, and where the table ends with a sector or an area.
  var mayHaveGoneOn: Bool {
    let builder = pristine.builder
    let count = pristine.exceptions.count
    let isBehind = builder.dataChunk(count) * chunkByteCount < store.count
    let isMarkedValid =
      !kind.hidesHeader && Array(store.prefix(8)) == Array("SnAp".utf8) + [1, 0, 0, 0]
    let isAtEnd = count % min(32, builder.exceptionsPerArea / 2) == 0
    return isBehind && (!isMarkedValid || isAtEnd)
  }

  /// Whether the damage cost nothing but the header.
  var isWhole: Bool {
    store.count == pristine.bytes.count && kept.count == pristine.exceptions.count && lost.isEmpty
  }

  /// Calls `body` with every sector of the origin that an exception has, and where in a store it
  /// is: nil if it cannot be had.
  private func forEachSector(
    of exception: StoreBuilder.Exception, _ body: (_ sector: Int, _ byteOffset: Int?) -> Void
  ) {
    for index in 0..<pristine.builder.chunkSectors {
      let sector = Int(exception.old) * pristine.builder.chunkSectors + index
      if (sector + 1) * 512 > pristine.origin.count { return }
      let start = Int(exception.new) * chunkByteCount + index * 512
      let isThere =
        start + 512 <= store.count
        && !unreadable.contains { $0.bytes.overlaps(start..<start + 512) }
      body(sector, isThere ? start : nil)
    }
  }

  /// The origin overlaid with the data of exceptions; zeroes for what cannot be had.
  func view(of exceptions: [StoreBuilder.Exception]) -> Data {
    var image = Data(pristine.origin)
    for exception in exceptions {
      forEachSector(of: exception) { sector, byteOffset in
        let data = byteOffset.map { Data(store[$0..<$0 + 512]) } ?? Data(count: 512)
        image.replaceSubrange(sector * 512..<sector * 512 + 512, with: data)
      }
    }
    return image
  }

  /// The sectors of the origin of which a salvage must say that they are lost.
  var lost: IndexSet {
    var sectors = IndexSet()
    for exception in kept {
      forEachSector(of: exception) { sector, byteOffset in
        if byteOffset == nil { sectors.insert(sector) }
      }
    }
    let survivors = survivors
    for position in survivors {
      let exception = pristine.exceptions[position]
      if Int(exception.new) * chunkByteCount >= store.count { insert(exception.old, 1, &sectors) }
    }
    for (before, next) in zip(survivors, survivors.dropFirst()) where next - before > 1 {
      let (low, high) = (pristine.exceptions[before].old, pristine.exceptions[next].old)
      if high > low, high - low == UInt64(next - before) {
        insert(low + 1, next - before - 1, &sectors)
      }
    }
    return sectors
  }

  private func insert(_ old: UInt64, _ count: Int, _ sectors: inout IndexSet) {
    let first = Int(old) * pristine.builder.chunkSectors
    let end = min(first + count * pristine.builder.chunkSectors, pristine.origin.count / 512)
    if first < end { sectors.insert(integersIn: first..<end) }
  }
}
