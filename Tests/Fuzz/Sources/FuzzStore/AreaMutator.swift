import Fuzzing

/// Does to the areas of an input what media, copies and bugs do to those of a store: they come twice,
/// change places, are lost, or hold something else.
struct AreaMutator {
  private typealias Recipe = CompactStore.Recipe

  private static let slotByteCount = 16

  private var random: Lot
  private let byteCountMax: Int

  init(seed: UInt32, byteCountMax: Int) {
    random = Lot(seed: UInt64(seed))
    self.byteCountMax = byteCountMax
  }

  /// Changes an input in some way.
  mutating func mutate(_ input: inout [UInt8]) {
    while input.count < Recipe.byteCount { input.append(0) }
    if random.below(3) == 0 {
      Fuzzing.mutate(&input, byteCountMax: byteCountMax)
      while input.count < Recipe.byteCount { input.append(0) }
    } else {
      for _ in 0...random.below(3) { change(&input) }
    }
    // What is slow is done now and then, and not wherever it has once led to something new.
    input[Recipe.Field.extent] = random.below(128) == 0 ? 0 : 1
  }

  private mutating func change(_ input: inout [UInt8]) {
    let areaByteCount = Int(Recipe(input).chunkSize.byteCount)
    let count = (input.count - Recipe.byteCount) / areaByteCount
    switch random.below(16) {
    case 0: changeHeader(&input)
    case 1: changeRecipe(&input)
    case _ where count == 0: insert(Lawful(&random).area(0, areaByteCount), at: 0, in: &input)
    case 2: put(area(random.below(count), of: input), at: random.below(count), in: &input)
    case 3:
      let (first, second) = (random.below(count), random.below(count))
      let (one, other) = (area(first, of: input), area(second, of: input))
      put(other, at: first, in: &input)
      put(one, at: second, in: &input)
    case 4: rotate(&input, count, areaByteCount)
    case 5: put(filling(areaByteCount), at: random.below(count), in: &input)
    case 6: input.removeSubrange(bytes(ofArea: random.below(count), areaByteCount))
    case 7: insert(area(random.below(count), of: input), at: random.below(count + 1), in: &input)
    case 8, 9:
      let index = random.below(count)
      put(Lawful(&random).area(index, areaByteCount), at: index, in: &input)
    case 10: insert(Lawful(&random).area(count, areaByteCount), at: count, in: &input)
    case 11, 12: copySlots(&input, count, areaByteCount)
    case 13: shift(&input, count, areaByteCount)
    case 14:  // the table ends here, or a sector was zeroed
      let slot = random.below(count * areaByteCount / Self.slotByteCount)
      let start = Recipe.byteCount + slot * Self.slotByteCount
      let area = slot * Self.slotByteCount / areaByteCount
      let areaEnd = Recipe.byteCount + (area + 1) * areaByteCount
      let end = random.below(2) == 0 ? areaEnd : min(start / 512 * 512 + 544, areaEnd)
      for index in start..<end { input[index] = 0 }
    default:
      let slot = random.below(count * areaByteCount / Self.slotByteCount)
      let word = Recipe.byteCount + slot * Self.slotByteCount + 8 * random.below(2)
      put(random.number(), at: word, in: &input)
    }
  }

  private mutating func changeHeader(_ input: inout [UInt8]) {
    let sizes: [UInt64] = [1, 2, 4, 8, 16, 32, 2048, 1 << 21, 1 << 22, 3]
    switch random.below(6) {
    case 0:
      for index in 0..<16 { input[index] = 0 }
    case 1:  // "SnAp", valid or not, of this chunk size
      let valid = UInt64(random.below(2)) << 32
      put(0x7041_6e53 | valid, at: 0, in: &input)
      put(1 | UInt64(Recipe(input).chunkSize.sectorCount) << 32, at: 8, in: &input)
    case 2: put(1 | sizes[random.below(sizes.count)] << 32, at: 8, in: &input)
    case 3: put(random.next() & 0xffff_ffff_0000_0000 | 0x7041_6e53, at: 0, in: &input)
    default: input[random.below(16)] = UInt8(random.below(256))
    }
  }

  private mutating func changeRecipe(_ input: inout [UInt8]) {
    let field = Recipe.Field.layout + random.below(10)
    let values: [UInt8] = [0, 1, 2, 8, 127, 128, 254, 255, UInt8(random.below(256))]
    input[field] = values[random.below(values.count)]
    if field == Recipe.Field.layout {
      input[field] = UInt8(random.below(256)) & (random.below(8) == 0 ? 0xff : 0xef)
    }
  }

  private mutating func rotate(_ input: inout [UInt8], _ count: Int, _ areaByteCount: Int) {
    let first = random.below(count)
    let last = first + random.below(count - first)
    let moved = area(first, of: input)
    for index in first..<last { put(area(index + 1, of: input), at: index, in: &input) }
    put(moved, at: last, in: &input)
  }

  /// Exceptions of one place at another.
  private mutating func copySlots(_ input: inout [UInt8], _ count: Int, _ areaByteCount: Int) {
    let slotCount = count * areaByteCount / Self.slotByteCount
    let (from, to) = (random.below(slotCount), random.below(slotCount))
    let length = min(1 + random.below(64), slotCount - max(from, to))
    let start = Recipe.byteCount
    let copied = Array(
      input[start + from * Self.slotByteCount..<start + (from + length) * Self.slotByteCount])
    input.replaceSubrange(
      start + to * Self.slotByteCount..<start + (to + length) * Self.slotByteCount, with: copied)
  }

  /// The new chunks from a slot on are others, as where chunks leaked.
  private mutating func shift(_ input: inout [UInt8], _ count: Int, _ areaByteCount: Int) {
    let slotCount = count * areaByteCount / Self.slotByteCount
    let first = random.below(slotCount)
    let end = random.below(2) == 0 ? slotCount : min(first + random.below(64) + 1, slotCount)
    let delta = random.below(4) == 0 ? random.number() : UInt64(random.below(600)) &- 300
    let isOld = random.below(4) == 0
    for slot in first..<end {
      let word = Recipe.byteCount + slot * Self.slotByteCount + (isOld ? 0 : 8)
      put(number(at: word, in: input) &+ delta, at: word, in: &input)
    }
  }

  /// Something else than exceptions.
  private mutating func filling(_ byteCount: Int) -> [UInt8] {
    switch random.below(4) {
    case 0: [UInt8](repeating: 0, count: byteCount)
    case 1: [UInt8](repeating: 0xff, count: byteCount)
    case 2: (0..<byteCount).map { UInt8($0 % 95 + 32) }
    default: (0..<byteCount).map { _ in UInt8(random.below(256)) }
    }
  }

  // MARK: - Areas as bytes

  private func bytes(ofArea index: Int, _ areaByteCount: Int) -> Range<Int> {
    let start = Recipe.byteCount + index * areaByteCount
    return start..<start + areaByteCount
  }

  private func area(_ index: Int, of input: [UInt8]) -> [UInt8] {
    Array(input[bytes(ofArea: index, Int(Recipe(input).chunkSize.byteCount))])
  }

  private func put(_ area: [UInt8], at index: Int, in input: inout [UInt8]) {
    input.replaceSubrange(bytes(ofArea: index, area.count), with: area)
  }

  private func insert(_ area: [UInt8], at index: Int, in input: inout [UInt8]) {
    if input.count + area.count > byteCountMax { return }
    input.insert(contentsOf: area, at: Recipe.byteCount + index * area.count)
  }

  private func number(at byteOffset: Int, in input: [UInt8]) -> UInt64 {
    input[byteOffset..<byteOffset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func put(_ number: UInt64, at byteOffset: Int, in input: inout [UInt8]) {
    for index in 0..<8 {
      input[byteOffset + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index))
    }
  }
}

/// Areas as Linux would write them, of tables of some kind.
private struct Lawful {
  private let old: UInt64
  private let step: UInt64
  private let shift: UInt64
  private let part: Int

  init(_ random: inout Lot) {
    old = random.below(8) == 0 ? random.number() : UInt64(random.below(4096))
    step = [1, 1, 1, 2, 7, 0, .max, 1 << 40][random.below(8)]
    shift = random.below(3) == 0 ? UInt64(random.below(300)) : 0
    part = random.below(3) == 0 ? random.below(256) : 255
  }

  /// The area of that number.
  func area(_ index: Int, _ byteCount: Int) -> [UInt8] {
    let perArea = UInt64(byteCount / 16)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    for slot in 0..<perArea {
      if slot * 255 > perArea * UInt64(part) { break }
      let position = UInt64(index) * perArea + slot + shift
      let new = position + position / perArea + 2
      for word in [old &+ (UInt64(index) * perArea + slot) &* step, new] {
        for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))) }
      }
    }
    bytes += [UInt8](repeating: 0, count: byteCount - bytes.count)
    return bytes
  }
}

/// Numbers by lot, the same again from the same seed (SplitMix64).
private struct Lot {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }

  /// A number below one that is not 0.
  mutating func below(_ end: Int) -> Int { Int(next() % UInt64(end)) }

  /// A number as damage makes them: small, next to a power of two, or any.
  mutating func number() -> UInt64 {
    switch below(3) {
    case 0: UInt64(below(1024))
    case 1: (1 << UInt64(below(64))) &+ UInt64(below(5)) &- 2
    default: next()
    }
  }
}
