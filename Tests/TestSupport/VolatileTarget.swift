public import BlockIO
internal import SystemPackage

/// The power of a machine, which goes out before a certain write or flush of any of its disks.
public final class PowerSupply: @unchecked Sendable {
  /// How many writes and flushes were begun.
  public private(set) var operationCount = 0
  private let operationCountMax: Int

  /// Power that lasts for so many writes and flushes.
  public init(operationCountMax: Int = .max) { self.operationCountMax = operationCountMax }

  /// Whether it has gone out.
  public var isOut: Bool { operationCount > operationCountMax }

  /// Begins a write or a flush; false when that is as far as it gets.
  fileprivate func begin() -> Bool {
    if !isOut { operationCount += 1 }
    return !isOut
  }
}

/// A disk in memory with a volatile cache: what was written since the last flush is not safe.
public final class VolatileTarget: BlockTarget, @unchecked Sendable {
  public let name: String
  public let byteCount: UInt64
  private let power: PowerSupply
  private let content: IOBuffer
  private var durable: [UInt8]
  private var unflushed: [(byteOffset: Int, bytes: [UInt8])] = []

  /// Every write, in that order.
  public private(set) var writes: [Range<UInt64>] = []
  /// Writes to any of these fail.
  public var unwritable: [Range<UInt64>] = []

  public init(_ bytes: [UInt8], name: String = "target.img", power: PowerSupply = PowerSupply()) {
    self.name = name
    self.power = power
    byteCount = UInt64(bytes.count)
    content = IOBuffer(bytes)
    durable = bytes
  }

  /// What happens at a power cut to the writes that were not flushed, the one under way included.
  public enum Fate: CaseIterable, Sendable {
    /// All reach the medium.
    case kept
    /// None does.
    case lost
    /// All do but the last, of which the first half does.
    case torn
    /// Only the last does.
    case reordered
  }

  /// What is on the medium after a power cut.
  public func contentAfterPowerCut(_ fate: Fate) -> [UInt8] {
    var bytes = durable
    switch fate {
    case .kept: for write in unflushed { bytes.put(write.bytes, at: write.byteOffset) }
    case .lost: break
    case .torn:
      for write in unflushed.dropLast() { bytes.put(write.bytes, at: write.byteOffset) }
      if let last = unflushed.last {
        let half = (last.bytes.count / 2) / 512 * 512
        bytes.put(Array(last.bytes.prefix(half)), at: last.byteOffset)
      }
    case .reordered:
      if let last = unflushed.last { bytes.put(last.bytes, at: last.byteOffset) }
    }
    return bytes
  }

  /// What a reader sees.
  public var bytes: [UInt8] { content.bytes(0..<content.byteCount) }

  /// Whether all that was written is flushed.
  public var isFlushed: Bool { unflushed.isEmpty }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    if power.isOut { throw BlockIOError(name, .read, .system(.ioError), at: bytes) }
    buffer.copy(
      from: content, Int(byteOffset)..<Int(bytes.upperBound), to: range.lowerBound)
  }

  public func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    let wasOut = power.isOut
    let goesOn = power.begin()
    if wasOut || unwritable.contains(where: { $0.overlaps(bytes) }) {
      throw BlockIOError(name, .write, .system(.ioError), at: bytes)
    }
    unflushed.append((Int(byteOffset), buffer.bytes(range)))
    guard goesOn else { throw BlockIOError(name, .write, .system(.ioError), at: bytes) }
    writes.append(bytes)
    content.copy(from: buffer, range, to: Int(byteOffset))
  }

  public func flush() throws(BlockIOError) {
    guard power.begin() else { throw BlockIOError(name, .flush, .system(.ioError)) }
    for write in unflushed { durable.put(write.bytes, at: write.byteOffset) }
    unflushed = []
  }
}
