/// How Linux reads and merges a store: a second opinion, which shares no code with dmsnap.
///
/// It is written from docs/format.md, is slow, and holds everything in arrays; all arithmetic wraps
/// around, as the kernel's does. Where the table line's chunk size matters it is the header's.
public struct ReferenceDecoder {
  public enum Kernel: String, CaseIterable, Sendable {
    case linux61 = "6.1"
    case linux612 = "6.12"
  }

  public enum Verdict: String, Sendable {
    case loads, invalid, refuses, new, crashes
  }

  /// An exception in the kernel's memory: `further` chunks follow it in the same run.
  public struct Entry: Equatable, Sendable {
    public var old: UInt64
    public var new: UInt64
    public var further: UInt64

    func covers(_ chunk: UInt64) -> Bool { old <= chunk && chunk <= old &+ further }
  }

  private static let numberMask: UInt64 = (1 << 56) - 1

  public private(set) var verdict = Verdict.refuses
  /// What `dmsetup status` prints, where it prints anything.
  public private(set) var status: String?
  /// The table as it stands on disk, up to its terminator.
  public private(set) var exceptions: [(old: UInt64, new: UInt64)] = []

  private let kernel: Kernel
  private var store: [UInt8]
  private var chunkSectors: UInt64 = 0
  private var buckets: [[Entry]] = []
  private var nextFree: UInt64 = 2
  private var area = 0
  private var committed = 0

  public init(_ store: [UInt8], _ kernel: Kernel = .linux61) {
    self.store = store
    self.kernel = kernel
    guard store.count >= 16 else { return }
    let magic = store.u32(0)
    let sectors = UInt64(store.u32(12))
    if magic == 0 { verdict = .new }
    guard magic == 0x7041_6e53 else { return }
    guard sectors.nonzeroBitCount == 1, sectors <= 1 << 21 else { return }
    chunkSectors = sectors
    guard chunk(0) != nil, store.u32(8) == 1 else { return }
    guard store.u32(4) != 0 else {
      (verdict, status) = (.invalid, "Invalid")
      return
    }
    // As many lists as fit in 2 MiB; 6.12 has a lock beside each.
    let bucketCountMax: UInt64 = kernel == .linux61 ? 262_144 : 131_072
    var bucketCount: UInt64 = 64
    while bucketCount * 2 <= min(storeSectors / chunkSectors, bucketCountMax) { bucketCount *= 2 }
    buckets = [[Entry]](repeating: [], count: Int(bucketCount))
    verdict = load()
    if verdict == .loads {
      status = "\(nextFree &* chunkSectors)/\(storeSectors) \((UInt64(area) + 2) * chunkSectors)"
    }
  }

  // MARK: - The store

  private var storeSectors: UInt64 { UInt64(store.count / 512) }
  private var chunkBytes: Int { Int(chunkSectors) * 512 }
  private var perArea: Int { chunkBytes / 16 }

  private func chunkOfArea(_ area: Int) -> Int { 1 + area * (perArea + 1) }

  /// Where a whole chunk lies, or nil past the end.
  private func chunk(_ number: Int) -> Range<Int>? {
    let bytes = number * chunkBytes..<(number + 1) * chunkBytes
    return bytes.upperBound <= Int(storeSectors) * 512 ? bytes : nil
  }

  private func pairs(ofArea area: Int) -> [(old: UInt64, new: UInt64)]? {
    guard let bytes = chunk(chunkOfArea(area)) else { return nil }
    return stride(from: bytes.lowerBound, to: bytes.upperBound, by: 16).map {
      (store.u64($0), store.u64($0 + 8))
    }
  }

  private mutating func load() -> Verdict {
    while true {
      guard let pairs = pairs(ofArea: area) else { return .refuses }
      for (slot, pair) in pairs.enumerated() {
        if pair.new == 0 {
          committed = slot
          if nextFree % UInt64(perArea + 1) == 1 { nextFree += 1 }
          return .loads
        }
        if nextFree <= pair.new { nextFree = pair.new &+ 1 }
        exceptions.append(pair)
        guard insert(pair.old, pair.new) else { return .crashes }
      }
      area += 1
    }
  }

  // MARK: - The table in memory

  private func bucket(of old: UInt64) -> Int { Int((old >> 8) & UInt64(buckets.count - 1)) }

  /// False at the kernel's BUG_ON.
  private mutating func insert(_ old: UInt64, _ new: UInt64) -> Bool {
    var list = buckets[bucket(of: old)]
    defer { buckets[bucket(of: old)] = list }
    for index in list.indices {
      let entry = list[index]
      if old == entry.old &+ entry.further &+ 1, new == entry.new &+ entry.further &+ 1 {
        list[index].further += 1
        return entry.further < 255
      }
      if old == entry.old &- 1, new == entry.new &- 1 {
        list[index] = Entry(old: old, new: new, further: entry.further + 1)
        return entry.further < 255
      }
      if old < entry.old {
        list.insert(Entry(old, new), at: index)
        return true
      }
    }
    // Behind all others: 6.1 puts it last, 6.12 first.
    list.insert(Entry(old, new), at: kernel == .linux61 ? list.count : 0)
    return true
  }

  /// The chunk of the store that a chunk of the origin is read from; nil: the origin.
  public func newChunk(for old: UInt64) -> UInt64? {
    buckets[bucket(of: old)].first { $0.covers(old) }.map { $0.new &+ (old &- $0.old) }
  }

  private mutating func remove(_ old: UInt64) -> Bool {
    let bucket = bucket(of: old)
    guard let index = buckets[bucket].firstIndex(where: { $0.covers(old) }) else { return false }
    let entry = buckets[bucket][index]
    if entry.further == 0 {
      buckets[bucket].remove(at: index)
    } else if old == entry.old {
      buckets[bucket][index] = Entry(
        old: old &+ 1, new: entry.new &+ 1, further: entry.further - 1)
    } else if old == entry.old &+ entry.further {
      buckets[bucket][index].further -= 1
    } else {
      return false
    }
    return true
  }

  // MARK: - The snapshot

  /// The snapshot's bytes, zeroes for what Linux cannot read, and which those are.
  public func view(of origin: [UInt8]) -> (bytes: [UInt8], unreadable: [Range<UInt64>]) {
    var bytes = origin
    var unreadable: [Range<UInt64>] = []
    for sector in 0..<UInt64(origin.count / 512) {
      guard let new = newChunk(for: sector / chunkSectors) else { continue }
      let source = new &* chunkSectors &+ sector % chunkSectors
      let target = Int(sector) * 512
      if source < storeSectors {
        bytes.put(Array(store[Int(source) * 512..<Int(source + 1) * 512]), at: target)
      } else {
        bytes.put([UInt8](repeating: 0, count: 512), at: target)
        if let last = unreadable.last, last.upperBound == UInt64(target) {
          unreadable[unreadable.count - 1] = last.lowerBound..<UInt64(target + 512)
        } else {
          unreadable.append(UInt64(target)..<UInt64(target + 512))
        }
      }
    }
    return (bytes, unreadable)
  }

  /// What Linux's own merge makes of the origin, or nil if it says "Merge failed".
  public func merge(into origin: [UInt8]) -> [UInt8]? {
    var copy = self
    return copy.mergeInPlace(origin)
  }

  private mutating func mergeInPlace(_ origin: [UInt8]) -> [UInt8]? {
    var origin = origin
    guard verdict == .loads, var pairs = pairs(ofArea: area) else { return nil }
    while true {
      if committed == 0 {
        if area == 0 { return origin }
        area -= 1
        guard let previous = self.pairs(ofArea: area) else { return nil }
        (pairs, committed) = (previous, perArea)
      }
      let last = committed - 1
      var count = 1
      while count <= last, pairs[last - count].old == pairs[last].old &- UInt64(count),
        pairs[last - count].new == pairs[last].new &- UInt64(count)
      {
        count += 1
      }
      let first = pairs[committed - count]
      guard copyBack(first, count, to: &origin) else { return nil }
      for slot in committed - count..<committed { pairs[slot] = (0, 0) }
      committed -= count
      if let bytes = chunk(chunkOfArea(area)) {
        store.put(
          pairs.flatMap { $0.old.littleEndianBytes + $0.new.littleEndianBytes },
          at: bytes.lowerBound)
      }
      for index in (0..<UInt64(count)).reversed() where !remove(first.old &+ index) { return nil }
    }
  }

  /// One run, cut short by the origin's end unless it begins behind it.
  private func copyBack(
    _ first: (old: UInt64, new: UInt64), _ count: Int, to origin: inout [UInt8]
  ) -> Bool {
    let originSectors = UInt64(origin.count / 512)
    let (target, source) = (first.old &* chunkSectors, first.new &* chunkSectors)
    let sectors = min(UInt64(count) * chunkSectors, originSectors &- target)
    if sectors == 0 { return true }
    guard target < originSectors, sectors <= originSectors - target,
      source < storeSectors, sectors <= storeSectors - source
    else { return false }
    origin.put(
      Array(store[Int(source) * 512..<Int(source + sectors) * 512]), at: Int(target) * 512)
    return true
  }
}

extension ReferenceDecoder.Entry {
  fileprivate init(_ old: UInt64, _ new: UInt64) {
    self.init(old: old, new: new & ((1 << 56) - 1), further: new >> 56)
  }
}

extension [UInt8] {
  fileprivate func u32(_ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(self[offset + $1]) << UInt32(8 * $1) }
  }

  fileprivate func u64(_ offset: Int) -> UInt64 {
    UInt64(u32(offset)) | UInt64(u32(offset + 4)) << 32
  }
}
