/// What can happen to a store after Linux wrote it.
public enum Damage: Sendable {
  /// wipefs, or LVM: four zeroes at byte 0.
  case magicErased
  /// Sixteen zeroes at byte 0.
  case headerZeroed
  /// Another signature at byte 0.
  case magic(String)
  /// An overflow, or a failed write: the valid field is this.
  case valid(UInt32)
  case version(UInt32)
  case chunkSectors(UInt32)
  /// An exception stands where it should not, or is not what it was.
  case exception(area: Int = 0, slot: Int, old: UInt64, new: UInt64)
  /// Any bytes anywhere.
  case bytes([UInt8], at: Int)
  /// Random bytes in place of a chunk.
  case randomChunk(Int, seed: UInt64)
  /// Zeroes in place of a chunk.
  case zeroChunk(Int)
  /// The store ends here.
  case cut(byteCount: Int)
  /// So many bits are flipped anywhere.
  case flippedBits(Int, seed: UInt64)

  public func apply(to bytes: inout [UInt8], of builder: StoreBuilder) {
    let chunkByteCount = builder.chunkByteCount
    switch self {
    case .magicErased: bytes.put([0, 0, 0, 0], at: 0)
    case .headerZeroed: bytes.put([UInt8](repeating: 0, count: 16), at: 0)
    case .magic(let text): bytes.put(Array(text.utf8), at: 0)
    case .valid(let value): bytes.put(value.littleEndianBytes, at: 4)
    case .version(let value): bytes.put(value.littleEndianBytes, at: 8)
    case .chunkSectors(let value): bytes.put(value.littleEndianBytes, at: 12)
    case .exception(let area, let slot, let old, let new):
      bytes.put(
        old.littleEndianBytes + new.littleEndianBytes,
        at: builder.byteOffset(area: area, slot: slot))
    case .bytes(let replacement, let byteOffset): bytes.put(replacement, at: byteOffset)
    case .randomChunk(let chunk, let seed):
      var random = SplitMix64(seed: seed)
      bytes.put(random.bytes(chunkByteCount), at: chunk * chunkByteCount)
    case .zeroChunk(let chunk):
      bytes.put([UInt8](repeating: 0, count: chunkByteCount), at: chunk * chunkByteCount)
    case .cut(let byteCount): bytes.removeLast(bytes.count - byteCount)
    case .flippedBits(let count, let seed):
      var random = SplitMix64(seed: seed)
      for _ in 0..<count where !bytes.isEmpty {
        bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
      }
    }
  }
}
