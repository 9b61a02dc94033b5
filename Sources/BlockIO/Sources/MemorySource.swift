/// Bytes in memory.
public final class MemorySource: BlockSource {
  public let name: String
  private let bytes: [UInt8]

  /// A source of those bytes; the name is for messages.
  public init(name: String = "memory", _ bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  public var byteCount: UInt64 { UInt64(bytes.count) }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let start = Int(try checkBounds(at: byteOffset, count: range.count).lowerBound)
    buffer.withMutableBytes(range) { target in
      for index in target.indices { target[index] = bytes[start + index] }
    }
  }
}
