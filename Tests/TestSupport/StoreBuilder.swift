/// A COW store in the making. What is not said otherwise is as Linux would have written it.
///
/// It has its own idea of the format, so that the library does not check itself.
public struct StoreBuilder: Sendable {
  /// Chunk 0's first sixteen bytes; `chunkSectors` as everything else has it, unless set apart.
  public struct Header: Sendable {
    public var magic: UInt32 = 0x7041_6e53
    public var valid: UInt32 = 1
    public var version: UInt32 = 1
    public var chunkSectors: UInt32
  }

  public struct Exception: Hashable, Sendable {
    public var old: UInt64
    public var new: UInt64

    public init(_ old: UInt64, _ new: UInt64) { (self.old, self.new) = (old, new) }
  }

  public let chunkSectors: Int
  public var header: Header
  public var exceptions: [Exception] = []
  /// How many whole chunks the store has; nil: as many as it needs, and four more.
  public var chunkCount: Int?
  /// How many bytes follow the last whole chunk.
  public var extraByteCount = 0

  public init(chunkSectors: Int = 8, chunkCount: Int? = nil) {
    self.chunkSectors = chunkSectors
    self.chunkCount = chunkCount
    header = Header(chunkSectors: UInt32(chunkSectors))
  }

  public var chunkByteCount: Int { chunkSectors * 512 }
  public var exceptionsPerArea: Int { chunkByteCount / 16 }

  /// The chunk in which an area lies.
  public func chunk(ofArea area: Int) -> Int { 1 + area * (exceptionsPerArea + 1) }

  /// The chunk that Linux gives to the exception of that position in the table.
  public func dataChunk(_ position: Int) -> Int {
    position + 2 + position / exceptionsPerArea
  }

  /// The bytes of a chunk of the store.
  public func bytes(ofChunk chunk: Int) -> Range<UInt64> {
    UInt64(chunk * chunkByteCount)..<UInt64((chunk + 1) * chunkByteCount)
  }

  /// Where an exception stands.
  public func byteOffset(area: Int = 0, slot: Int) -> Int {
    chunk(ofArea: area) * chunkByteCount + slot * 16
  }

  /// With exceptions for these old chunks, in this order, as Linux makes them.
  public func copying(_ olds: some Sequence<Int>) -> StoreBuilder {
    var copy = self
    var chunk = dataChunk(exceptions.count)
    for old in olds {
      copy.exceptions.append(Exception(UInt64(old), UInt64(chunk)))
      chunk += (chunk + 1) % (exceptionsPerArea + 1) == 1 ? 2 : 1
    }
    return copy
  }

  /// With exceptions of any kind.
  public func adding(_ pairs: (UInt64, UInt64)...) -> StoreBuilder {
    var copy = self
    copy.exceptions += pairs.map { Exception($0.0, $0.1) }
    return copy
  }

  /// With another length: whole chunks, and bytes behind them.
  public func sized(_ chunkCount: Int, extra extraByteCount: Int = 0) -> StoreBuilder {
    var copy = self
    (copy.chunkCount, copy.extraByteCount) = (chunkCount, extraByteCount)
    return copy
  }

  /// How many whole chunks the store has.
  public var wholeChunkCount: Int { chunkCount ?? neededChunkCount + 4 }

  /// Up to the last data chunk, and the area that follows a full one.
  private var neededChunkCount: Int {
    let areaEnd = chunk(ofArea: exceptions.count / exceptionsPerArea) + 1
    return max(areaEnd, exceptions.isEmpty ? 0 : dataChunk(exceptions.count - 1) + 1)
  }

  /// The store's bytes, before anything damages them.
  public func image() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: wholeChunkCount * chunkByteCount + extraByteCount)
    bytes.put(
      [header.magic, header.valid, header.version, header.chunkSectors]
        .flatMap(\.littleEndianBytes), at: 0)
    for (position, exception) in exceptions.enumerated() {
      let (area, slot) = position.quotientAndRemainder(dividingBy: exceptionsPerArea)
      bytes.put(
        exception.old.littleEndianBytes + exception.new.littleEndianBytes,
        at: byteOffset(area: area, slot: slot))
      stampData(of: exception, in: &bytes)
    }
    return bytes
  }

  private func stampData(of exception: Exception, in bytes: inout [UInt8]) {
    guard exception.new > 1, exception.new < UInt64(wholeChunkCount),
      Int(exception.new) % (exceptionsPerArea + 1) != 1
    else { return }
    let first = Int(exception.new) * chunkSectors
    bytes.replaceSubrange(
      first * 512..<(first + chunkSectors) * 512,
      with: Stamp.sectors(first..<first + chunkSectors, by: "store gen 0"))
  }

  /// The store's bytes with damage done to them, one after the other.
  public func image(_ damages: Damage...) -> [UInt8] {
    damages.reduce(into: image()) { $1.apply(to: &$0, of: self) }
  }
}
