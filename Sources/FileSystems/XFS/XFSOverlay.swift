import BlockIO

/// A source in which some sectors are in memory: the file system as its log has it.
final class XFSOverlay: ForwardingSource {
  let base: any BlockSource
  /// Sectors in a row, by where they begin; ascending, and no two touch.
  private let pieces: [(start: UInt64, bytes: [UInt8])]

  /// - Parameter sectors: By their numbers, each of 512 bytes; all within the source.
  init(_ base: any BlockSource, _ sectors: [UInt64: [UInt8]]) {
    self.base = base
    var pieces: [(start: UInt64, bytes: [UInt8])] = []
    for sector in sectors.keys.sorted() {
      let bytes = sectors[sector] ?? []
      if let last = pieces.last, last.start + UInt64(last.bytes.count) == sector * 512 {
        pieces[pieces.count - 1].bytes += bytes
      } else {
        pieces.append((sector * 512, bytes))
      }
    }
    self.pieces = pieces
  }

  /// The first piece that ends after a byte.
  private func index(of byteOffset: UInt64) -> Int {
    pieces.partitioningIndex { $0.start + UInt64($0.bytes.count) > byteOffset }
  }

  private func range(_ index: Int) -> Range<UInt64> {
    pieces[index].start..<pieces[index].start + UInt64(pieces[index].bytes.count)
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
      let piece = index < pieces.count ? self.range(index) : nil
      let isInside = piece?.contains(position) ?? false
      let limit = isInside ? piece?.upperBound : piece?.lowerBound
      let end = min(limit ?? bytes.upperBound, bytes.upperBound)
      let part = target..<target + Int(end - position)
      if isInside {
        let first = Int(position - pieces[index].start)
        let source = pieces[index].bytes
        buffer.withMutableBytes(part) { target in
          for offset in target.indices { target[offset] = source[first + offset] }
        }
        index += 1
      } else if isCached {
        try base.read(at: position, into: buffer, part)
      } else {
        try base.readUncached(at: position, into: buffer, part)
      }
      (position, target) = (end, part.upperBound)
    }
  }

  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    let data = try base.nextData(from: byteOffset)
    let index = index(of: byteOffset)
    guard index < pieces.count else { return data }
    let piece = max(pieces[index].start, byteOffset)..<range(index).upperBound
    if let data, data.lowerBound <= piece.lowerBound { return data }
    return piece
  }

  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    var unreadable = RangeSet(base.knownUnreadable(in: range))
    var index = index(of: range.lowerBound)
    while index < pieces.count, pieces[index].start < range.upperBound {
      unreadable.remove(contentsOf: self.range(index))
      index += 1
    }
    return Array(unreadable.ranges)
  }

  func hasCached(at byteOffset: UInt64) -> Bool {
    let index = index(of: byteOffset)
    if index < pieces.count, range(index).contains(byteOffset) { return true }
    return base.hasCached(at: byteOffset)
  }
}
