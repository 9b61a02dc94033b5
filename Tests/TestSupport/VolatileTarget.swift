public import BlockIO
internal import Synchronization
internal import SystemPackage

/// A disk in memory behind a volatile cache: what was written since the last flush is not safe.
///
/// The cache is the disk's and the kernel's in one. Only a power cut empties it: a process that
/// comes after one that was killed, or that failed, reads what that one wrote, flushed or not.
public final class VolatileTarget: BlockTarget {
  private struct State {
    var cache: VolatileCache
    var writes: [Range<UInt64>] = []
  }

  public let name: String
  public let byteCount: UInt64
  private let power: PowerSupply
  private let state: Mutex<State>

  public init(_ bytes: [UInt8], name: String = "target.img", power: PowerSupply = PowerSupply()) {
    self.name = name
    self.power = power
    byteCount = UInt64(bytes.count)
    state = Mutex(State(cache: VolatileCache(bytes)))
  }

  /// A copy of a disk, cache and all, as another process finds it.
  public init(_ other: VolatileTarget, power: PowerSupply) {
    name = other.name
    self.power = power
    byteCount = other.byteCount
    state = Mutex(State(cache: other.cache))
  }

  private var cache: VolatileCache { state.withLock { $0.cache } }

  /// What a reader sees.
  public var bytes: [UInt8] { cache.content }

  /// Whether all that was written is flushed.
  public var isFlushed: Bool { cache.unflushed.isEmpty }

  /// Every write, in that order.
  public var writes: [Range<UInt64>] { state.withLock { $0.writes } }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    if let reason = power.beginRead() { throw BlockIOError(name, .read, reason, at: bytes) }
    let content = self.bytes
    buffer.put(content[Int(bytes.lowerBound)..<Int(bytes.upperBound)], at: range.lowerBound)
  }

  public func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count, to: .write)
    let written = buffer.bytes(range)
    let place = Int(bytes.lowerBound)..<Int(bytes.upperBound)
    var reason = BlockIOError.Reason.system(.ioError)
    switch power.beginOperation() {
    case .never: break
    case .done:
      return state.withLock {
        $0.cache.write(written, to: place)
        $0.writes.append(bytes)
      }
    case .cut: state.withLock { $0.cache.write(written, to: place) }
    case .failed(let why):
      reason = why
      fallthrough
    case .killed:
      var chance = power.chance
      let sectorCount = (written.count + 511) / 512
      let count = min(chance.below(sectorCount + 1) * 512, written.count)
      let done = place.lowerBound..<place.lowerBound + count
      state.withLock { $0.cache.write(Array(written.prefix(count)), to: done) }
    }
    throw BlockIOError(name, .write, reason, at: bytes)
  }

  public func flush() throws(BlockIOError) {
    var reason = BlockIOError.Reason.system(.ioError)
    switch power.beginOperation() {
    case .done:
      if power.ignoringFlushes { return }
      return state.withLock { $0.cache.flush() }
    case .failed(let why):
      reason = why
      state.withLock { $0.cache.failFlush(power.chance) }
    case .cut, .killed, .never: break
    }
    throw BlockIOError(name, .flush, reason)
  }
}

// MARK: - Power cuts

extension VolatileTarget {
  /// What happens at a power cut to the writes that were not flushed, the one under way included.
  ///
  /// A sector of 512 bytes is written whole or not at all. That writes change places needs no word:
  /// a sector is then as the write left it that came last, as if those that should have
  /// followed were lost.
  public enum Fate: Hashable, Sendable {
    /// All reach the medium.
    case kept
    /// None does.
    case lost
    /// Those do whose bits are set; bit 0 is the first that was not flushed.
    case writes(UInt64)
    /// So many sectors do, in the order in which they were written.
    case torn(sectorCount: Int)
    /// Each sector is as one of its writes left it, or as it was: of all the combinations, this one.
    case sectors(Int)
    /// Each write reaches the medium, or does not, or some of its sectors do, by lot.
    case random(seed: UInt64)
  }

  private static let fateCountMax = 64

  /// Every fate there is, where that is not too many; otherwise all or none of each write for few
  /// writes, all but one and one alone for more, then some that are torn, and some by lot.
  public func fates(using random: inout SplitMix64) -> [Fate] {
    let unflushed = cache.unflushed
    var combinationCount = 1
    for (_, versions) in unflushed.versions {
      combinationCount *= versions.count + 1
      if combinationCount > Self.fateCountMax { break }
    }
    if combinationCount <= Self.fateCountMax { return (0..<combinationCount).map { .sectors($0) } }
    var fates: [Fate] = [.lost, .kept]
    let count = unflushed.count
    if 2...6 ~= count {
      fates += (1..<(UInt64(1) << UInt64(count)) - 1).map { .writes($0) }
    } else if 7...64 ~= count {
      fates += (0..<UInt64(count)).flatMap { [.writes(1 << $0), .writes(~(1 << $0))] }
    }
    let sectorCount = unflushed.reduce(0) { $0 + $1.sectors.count }
    fates += (1..<sectorCount).shuffled(using: &random).prefix(Self.fateCountMax / 2).sorted()
      .map { .torn(sectorCount: $0) }
    return fates + (0..<Self.fateCountMax / 2).map { _ in .random(seed: random.next()) }
  }

  /// What is on the medium after a power cut.
  public func contentAfterPowerCut(_ fate: Fate) -> [UInt8] {
    cache.contentAfterPowerCut(fate)
  }
}
