import BlockIO

/// A source in which some blocks are read from elsewhere: the file system as its journal has it.
final class ExtOverlay: ForwardingSource {
  /// The place of a block's newer copy.
  struct Block {
    /// Its bytes in the source begin there.
    let home: UInt64
    /// They are read from there.
    let place: UInt64
    /// Whether its first four bytes are the journal's magic, for which the journal has zeroes.
    let isEscaped: Bool
  }

  let base: any BlockSource
  private let blockByteCount: UInt64
  /// By their homes.
  private let blocks: [Block]

  /// - Parameter blocks: No two have the same home; all are within the source.
  init(_ base: any BlockSource, blockByteCount: UInt64, _ blocks: [Block]) {
    (self.base, self.blockByteCount) = (base, blockByteCount)
    self.blocks = blocks.sorted { $0.home < $1.home }
  }

  private static let magic: [UInt8] = [0xc0, 0x3b, 0x39, 0x98]

  private func index(of byteOffset: UInt64) -> Int {
    blocks.partitioningIndex { $0.home + blockByteCount > byteOffset }
  }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range, isCached: true)
  }

  func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range, isCached: false)
  }

  private func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>, isCached: Bool
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    var (position, target, index) = (byteOffset, range.lowerBound, self.index(of: byteOffset))
    while position < bytes.upperBound {
      let block = index < blocks.count ? blocks[index] : nil
      let isInside = block.map { $0.home <= position } ?? false
      let limit = block.map { isInside ? $0.home + blockByteCount : $0.home }
      let end = min(limit ?? bytes.upperBound, bytes.upperBound)
      let part = target..<target + Int(end - position)
      let place = isInside ? block.map { $0.place + position - $0.home } ?? position : position
      if isCached {
        try base.read(at: place, into: buffer, part)
      } else {
        try base.readUncached(at: place, into: buffer, part)
      }
      if isInside, let block {
        if block.isEscaped { unescape(buffer, part, from: position - block.home) }
        index += 1
      }
      (position, target) = (end, part.upperBound)
    }
  }

  /// Puts the magic back where it was, into a part of a block.
  private func unescape(_ buffer: IOBuffer, _ part: Range<Int>, from offset: UInt64) {
    guard offset < 4 else { return }
    let magic = Self.magic[Int(offset)...].prefix(part.count)
    buffer.withMutableBytes(part) { bytes in
      for (index, byte) in magic.enumerated() { bytes[index] = byte }
    }
  }

  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    let data = try base.nextData(from: byteOffset)
    let index = index(of: byteOffset)
    guard index < blocks.count else { return data }
    let block = max(blocks[index].home, byteOffset)..<blocks[index].home + blockByteCount
    if let data, data.lowerBound <= block.lowerBound { return data }
    return block.clamped(to: 0..<byteCount)
  }

  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    var unreadable = RangeSet(base.knownUnreadable(in: range))
    var index = index(of: range.lowerBound)
    while index < blocks.count, blocks[index].home < range.upperBound {
      let block = blocks[index]
      unreadable.remove(contentsOf: block.home..<block.home + blockByteCount)
      for lost in base.knownUnreadable(in: block.place..<block.place + blockByteCount) {
        unreadable.insert(
          contentsOf: lost.lowerBound - block.place + block.home..<lost.upperBound - block.place
            + block.home)
      }
      index += 1
    }
    return Array(unreadable.ranges)
  }

  func hasCached(at byteOffset: UInt64) -> Bool {
    let index = index(of: byteOffset)
    guard index < blocks.count, blocks[index].home <= byteOffset else {
      return base.hasCached(at: byteOffset)
    }
    return base.hasCached(at: blocks[index].place + byteOffset - blocks[index].home)
  }
}
