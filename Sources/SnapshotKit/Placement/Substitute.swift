internal import BlockIO
internal import SnapshotFormat

/// Chunks of a store that another source has as well: what cannot be read here can be read there.
struct Substitute: Sendable {
  /// The first chunk of the store.
  let new: UInt64
  /// How many there are.
  var count: UInt64
  /// What has them too.
  let source: any BlockSource
  /// Where the first begins there.
  let byteOffset: UInt64
}

/// A store of which what cannot be read is read from siblings.
///
/// A chunk is only taken from a sibling where all that can be read of it is the same in both, and
/// so is a chunk beside it.
final class SubstitutedSource: ForwardingSource {
  let base: any BlockSource
  private let geometry: StoreGeometry
  /// Ascending.
  private let substitutes: [Substitute]

  init(_ base: any BlockSource, _ geometry: StoreGeometry, _ substitutes: [Substitute]) {
    self.base = base
    self.geometry = geometry
    self.substitutes = substitutes.sorted { $0.new < $1.new }
  }

  var files: [FileSource] { base.files + substitutes.flatMap(\.source.files) }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    do throws(BlockIOError) {
      try base.read(at: byteOffset, into: buffer, range)
    } catch {
      try readChunks(at: byteOffset, into: buffer, range)
    }
  }

  func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    do throws(BlockIOError) {
      try base.readUncached(at: byteOffset, into: buffer, range)
    } catch {
      try readChunks(at: byteOffset, into: buffer, range)
    }
  }

  /// Reads what the store has, chunk by chunk, and the rest from siblings.
  private func readChunks(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let size = geometry.chunkSize.byteCount
    var done = 0
    while done < range.count {
      let position = byteOffset + UInt64(done)
      let count = Int(min(UInt64(range.count - done), size - position % size))
      let part = range.lowerBound + done..<range.lowerBound + done + count
      do throws(BlockIOError) {
        try base.readUncached(at: position, into: buffer, part)
      } catch {
        guard let (source, start) = try place(of: position / size) else { throw error }
        try source.read(at: start + position % size, into: buffer, part)
      }
      done += count
    }
  }

  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    let size = geometry.chunkSize.byteCount
    return base.knownUnreadable(in: range).flatMap { lost -> [Range<UInt64>] in
      var rest: [Range<UInt64>] = []
      var position = lost.lowerBound
      while position < lost.upperBound {
        let end = min(lost.upperBound, (position / size + 1) * size)
        // A sibling that cannot be read either replaces nothing.
        if (try? place(of: position / size)) == nil { rest.append(mergingInto: position..<end) }
        position = end
      }
      return rest
    }
  }

  /// Where a sibling has a chunk, if what can be compared is equal.
  private func place(
    of chunk: UInt64
  ) throws(BlockIOError) -> (source: any BlockSource, byteOffset: UInt64)? {
    let size = geometry.chunkSize.byteCount
    for substitute in substitutes
    where substitute.new <= chunk && chunk - substitute.new < substitute.count {
      guard try isEqual(chunk, substitute, whole: false) else { continue }
      let neighbours = [chunk &- 1, chunk + 1].filter {
        $0 >= substitute.new && $0 - substitute.new < substitute.count
      }
      for neighbour in neighbours where try isEqual(neighbour, substitute, whole: true) {
        return (substitute.source, substitute.byteOffset + (chunk - substitute.new) * size)
      }
    }
    return nil
  }

  /// Whether all that can be read of a chunk is the same in a sibling.
  ///
  /// - Parameter whole: Whether all of it must be readable.
  private func isEqual(
    _ chunk: UInt64, _ substitute: Substitute, whole: Bool
  ) throws(BlockIOError) -> Bool {
    let size = Int(geometry.chunkSize.byteCount)
    guard UInt64(size) <= OrphanReader.chunkByteCountMax else { return false }
    let (own, other) = (IOBuffer(byteCount: size), IOBuffer(byteCount: size))
    let start = chunk * UInt64(size)
    let unreadable = try base.readAround(at: start, into: own, 0..<size)
    if whole, !unreadable.isEmpty { return false }
    let place = substitute.byteOffset + (chunk - substitute.new) * UInt64(size)
    guard try substitute.source.readAround(at: place, into: other, 0..<size).isEmpty else {
      return false
    }
    for sector in stride(from: 0, to: size, by: 512) {
      let bytes = start + UInt64(sector)..<start + UInt64(sector + 512)
      if unreadable.contains(where: { $0.overlaps(bytes) }) { continue }
      if !own.equals(sector..<sector + 512, in: other, at: sector) { return false }
    }
    return true
  }
}
