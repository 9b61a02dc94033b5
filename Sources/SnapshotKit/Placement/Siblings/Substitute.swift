internal import BlockIO
internal import SnapshotFormat

/// Chunks of a store that another source has as well, to read where the store is unreadable.
struct Substitute: Sendable {
  /// The first chunk of the store.
  let new: UInt64
  /// The number of chunks.
  var count: UInt64
  /// The other source.
  let source: any BlockSource
  /// The start of the first there.
  let byteOffset: UInt64
  /// The strength of the evidence: a likely substitute needs no confirmation by the store's own
  /// content.
  let strength: Evidence.Strength
}

/// A store whose unreadable bytes are read from siblings.
///
/// A chunk is only taken from a sibling where all that can be read of it is the same in both, and
/// so is one of the next chunks that both have.
final class SubstitutedSource: ForwardingSource {
  let base: any BlockSource
  private let geometry: StoreGeometry
  /// The chunks of each sibling, ascending.
  private let bySibling: [[Substitute]]

  init(_ base: any BlockSource, _ geometry: StoreGeometry, _ substitutes: [Substitute]) {
    self.base = base
    self.geometry = geometry
    let siblings = Dictionary(grouping: substitutes) { ObjectIdentifier($0.source) }
    bySibling = siblings.values.map { $0.sorted { $0.new < $1.new } }
      .sorted { $0[0].source.name < $1[0].source.name }
  }

  var files: [FileSource] { base.files + bySibling.flatMap { $0[0].source.files } }

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

  /// Reads the chunks that the store has, chunk by chunk, and the rest from siblings.
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
        // An unreadable sibling replaces nothing.
        if (try? place(of: position / size)) == nil { rest.append(mergingInto: position..<end) }
        position = end
      }
      return rest
    }
  }

  /// The place of a chunk in a sibling.
  ///
  /// Part of the chunk itself must have been compared: data written through one of the snapshots is
  /// in no other, and a wholly unreadable chunk does not show it.
  private func place(
    of chunk: UInt64
  ) throws(BlockIOError) -> (source: any BlockSource, byteOffset: UInt64)? {
    let size = geometry.chunkSize.byteCount
    for substitutes in bySibling {
      let index = substitutes.partitioningIndex { $0.new + $0.count > chunk }
      guard index < substitutes.count, substitutes[index].new <= chunk else { continue }
      let substitute = substitutes[index]
      let byteOffset = substitute.byteOffset + (chunk - substitute.new) * size
      if substitute.strength == .likely { return (substitute.source, byteOffset) }
      guard let comparison = ChunkComparison(base, substitute.source, chunkByteCount: size) else {
        continue
      }
      let own = try comparison.compare(chunk * size, byteOffset)
      guard own.isEqual, own.hasContent else { continue }
      let place = Place(index: index, within: chunk - substitute.new)
      if try isConfirmed(place, in: substitutes, comparison) {
        return (substitute.source, byteOffset)
      }
    }
    return nil
  }

  /// A chunk among those of a sibling.
  private struct Place {
    var index: Int
    var within: UInt64

    func next(in substitutes: [Substitute]) -> Place? {
      if within + 1 < substitutes[index].count { return Place(index: index, within: within + 1) }
      return index + 1 < substitutes.count ? Place(index: index + 1, within: 0) : nil
    }

    func previous(in substitutes: [Substitute]) -> Place? {
      if within > 0 { return Place(index: index, within: within - 1) }
      return index > 0 ? Place(index: index - 1, within: substitutes[index - 1].count - 1) : nil
    }
  }

  /// So many that can be compared are looked at on each side of a chunk: one may have been written
  /// through a snapshot.
  private static let reach = 2
  /// The number of chunks examined to find these: there may be many zeroes, which show nothing.
  private static let lookCount = 512

  /// Whether one of the next chunks that both have, on either side, is the same in both.
  private func isConfirmed(
    _ place: Place, in substitutes: [Substitute], _ comparison: ChunkComparison
  ) throws(BlockIOError) -> Bool {
    let size = geometry.chunkSize.byteCount
    for step in [Place.previous, Place.next] {
      var (next, comparedCount) = (step(place)(substitutes), 0)
      for _ in 0..<Self.lookCount {
        guard let here = next, comparedCount < Self.reach else { break }
        next = step(here)(substitutes)
        let substitute = substitutes[here.index]
        guard substitute.strength == .proven else { continue }
        let found = try comparison.compare(
          (substitute.new + here.within) * size, substitute.byteOffset + here.within * size)
        if found.isEqual, found.hasContent { return true }
        comparedCount += found.isDifferent ? 1 : 0
      }
    }
    return false
  }
}
