internal import BlockIO
internal import Synchronization

/// A store's bytes, for reading areas: the first few mebibytes that were read are kept.
///
/// Damage raises several questions about one store: what Linux reads, where the areas are, what a
/// salvage finds. All of them see the same areas, even if the medium changes meanwhile, and a
/// failing disk reads each only once.
final class RememberedAreas: ForwardingSource {
  /// The areas of half a million exceptions.
  private static let byteCountMax = 8 << 20

  let base: any BlockSource
  private let kept = Mutex(Kept())

  private struct Kept {
    /// The pieces read, ascending, without overlaps.
    var pieces: [(start: UInt64, bytes: IOBuffer)] = []
    var byteCount = 0

    /// The index of the first piece that ends after a byte.
    func index(endingAfter byteOffset: UInt64) -> Int {
      pieces.partitioningIndex { $0.start + UInt64($0.bytes.byteCount) > byteOffset }
    }

    /// The piece that has a byte.
    func piece(at byteOffset: UInt64) -> (start: UInt64, bytes: IOBuffer)? {
      let index = index(endingAfter: byteOffset)
      return index < pieces.count && pieces[index].start <= byteOffset ? pieces[index] : nil
    }
  }

  /// - Parameter base: The store.
  init(_ base: any BlockSource) { self.base = base }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    if recall(byteOffset, into: buffer, range) { return }
    try base.read(at: byteOffset, into: buffer, range)
    keep(byteOffset, buffer, range)
  }

  func willRead(_ range: Range<UInt64>) {
    if !hasKept(at: range.lowerBound) { base.willRead(range) }
  }

  func hasCached(at byteOffset: UInt64) -> Bool {
    hasKept(at: byteOffset) || base.hasCached(at: byteOffset)
  }

  private func hasKept(at byteOffset: UInt64) -> Bool {
    kept.withLock { $0.piece(at: byteOffset) != nil }
  }

  /// Copies bytes from one kept piece; false if none has them all.
  private func recall(_ byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>) -> Bool {
    kept.withLock { kept in
      guard let (start, bytes) = kept.piece(at: byteOffset) else { return false }
      let first = Int(byteOffset - start)
      guard bytes.byteCount - first >= range.count else { return false }
      buffer.copy(from: bytes, first..<first + range.count, to: range.lowerBound)
      return true
    }
  }

  /// Keeps the bytes read, as long as there is room; shorter pieces give way to a longer one.
  private func keep(_ byteOffset: UInt64, _ buffer: IOBuffer, _ range: Range<Int>) {
    kept.withLock { kept in
      let first = kept.index(endingAfter: byteOffset)
      let end = byteOffset + UInt64(range.count)
      var last = first
      while last < kept.pieces.count, kept.pieces[last].start < end { last += 1 }
      let replaced = kept.pieces[first..<last].reduce(0) { $0 + $1.bytes.byteCount }
      guard replaced <= range.count,
        kept.byteCount - replaced + range.count <= Self.byteCountMax
      else { return }
      let bytes = IOBuffer(byteCount: range.count)
      bytes.copy(from: buffer, range, to: 0)
      kept.pieces.replaceSubrange(first..<last, with: [(byteOffset, bytes)])
      kept.byteCount += range.count - replaced
    }
  }
}
