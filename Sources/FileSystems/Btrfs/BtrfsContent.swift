internal import BlockIO
internal import Compression
internal import FileSystemFormat
internal import Synchronization

/// The content of a file of a btrfs.
final class BtrfsContent: BlockSource {
  let name: String
  let byteCount: UInt64
  private let pieces: [BtrfsPiece]
  private let data: BtrfsData
  private let state = Mutex(State())

  private struct State {
    /// The extent that was decompressed last, and its bytes.
    var extent: (address: UInt64, bytes: IOBuffer)?
    /// The ranges found unreadable so far, ascending.
    var unreadable: [Range<UInt64>] = []
  }

  /// More ranges are not remembered.
  private static let unreadableCountMax = 4096

  init(_ name: String, byteCount: UInt64, _ pieces: [BtrfsPiece], _ data: BtrfsData) {
    (self.name, self.byteCount) = (name, byteCount)
    (self.pieces, self.data) = (pieces, data)
  }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let end = try checkBounds(at: byteOffset, count: range.count).upperBound
    var position = byteOffset
    var index = pieces.index(endingAfter: position)
    while position < end {
      let start = range.lowerBound + Int(position - byteOffset)
      guard index < pieces.count, pieces[index].file.lowerBound < end else {
        return buffer.zero(start..<range.upperBound)
      }
      let piece = pieces[index]
      if piece.file.lowerBound > position {
        let count = Int(piece.file.lowerBound - position)
        buffer.zero(start..<start + count)
        position += UInt64(count)
        continue
      }
      let count = Int(min(end, piece.file.upperBound) - position)
      try read(piece, from: position, into: buffer, start..<start + count)
      position += UInt64(count)
      index += 1
    }
  }

  private func read(
    _ piece: BtrfsPiece, from position: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let within = position - piece.file.lowerBound
    let bytes = position..<position + UInt64(range.count)
    switch piece.place {
    case .preallocated: buffer.zero(range)
    case .lost(let problem): throw BlockIOError(name, .read, .missing(problem, bytes), at: bytes)
    case .data(let address):
      let bad = try data.read(at: address + within, into: buffer, range)
      guard let first = bad.first else { return }
      let found = bad.map { position + $0.lowerBound..<position + $0.upperBound }
      remember(found)
      let all = bad.count == 1 && first.upperBound - first.lowerBound == UInt64(range.count)
      throw BlockIOError(
        name, .read, .missing("sectors whose checksums are wrong", all ? bytes : found[0]),
        at: bytes)
    case .inline, .compressed:
      let isRead = try state.withLock { state throws(BlockIOError) -> Bool in
        guard let whole = try decompressed(piece, &state),
          let offset = Int(exactly: self.offset(in: piece) + within),
          offset + range.count <= whole.byteCount
        else { return false }
        buffer.copy(from: whole, offset..<offset + range.count, to: range.lowerBound)
        return true
      }
      guard !isRead else { return }
      remember([piece.file])
      throw BlockIOError(
        name, .read, .missing("a compressed extent that is damaged", bytes), at: bytes)
    }
  }

  /// The start of a piece in its extent, decompressed.
  private func offset(in piece: BtrfsPiece) -> UInt64 {
    if case .compressed(let extent) = piece.place { extent.offset } else { 0 }
  }

  /// The whole of an extent as it was before it was compressed; nil if it is damaged.
  private func decompressed(
    _ piece: BtrfsPiece, _ state: inout State
  ) throws(BlockIOError) -> IOBuffer? {
    switch piece.place {
    case .compressed(let extent):
      if let known = state.extent, known.address == extent.address { return known.bytes }
      let input = IOBuffer(byteCount: Int(extent.diskByteCount))
      guard try data.read(at: extent.address, into: input, 0..<input.byteCount).isEmpty else {
        return nil
      }
      let output = IOBuffer(byteCount: Int(extent.byteCount))
      let isWhole = input.withBytes(0..<input.byteCount) { bytes in
        decompress(bytes, extent.method, into: output)
      }
      guard isWhole else { return nil }
      state.extent = (extent.address, output)
      return output
    case .inline(let bytes, _, let method):
      let output = IOBuffer(byteCount: Int(piece.file.upperBound - piece.file.lowerBound))
      if let method { return decompress(bytes.span, method, into: output) ? output : nil }
      output.withMutableBytes(0..<bytes.count) { target in
        for index in bytes.indices { target[index] = bytes[index] }
      }
      return output
    default: return nil
    }
  }

  /// Decompresses an extent; the rest after a shorter one is zero, as in Linux.
  private func decompress(
    _ input: Span<UInt8>, _ method: Compression, into output: IOBuffer
  ) -> Bool {
    let sector = data.nodes.superblock.sectorByteCount
    let count = output.withMutableBytes(0..<output.byteCount) { target in
      method == .lzo
        ? BtrfsLZO.decompress(input, sectorByteCount: sector, into: &target)
        : method.decompress(input, into: &target, 0..<output.byteCount)
    }
    guard let count else { return false }
    output.zero(count..<output.byteCount)
    return true
  }

  private func remember(_ ranges: [Range<UInt64>]) {
    state.withLock { state in
      for range in ranges where state.unreadable.count < Self.unreadableCountMax {
        let index = state.unreadable.firstIndex { $0.lowerBound >= range.lowerBound }
        if let index, state.unreadable[index] == range { continue }
        state.unreadable.insert(range, at: index ?? state.unreadable.count)
      }
    }
  }
}

// MARK: - What is known without reading

extension BtrfsContent {
  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    var found: Range<UInt64>?
    for piece in pieces[pieces.index(endingAfter: byteOffset)...] {
      if case .preallocated = piece.place { continue }
      let start = max(piece.file.lowerBound, byteOffset)
      let end = min(piece.file.upperBound, byteCount)
      guard start < end else { break }
      guard let before = found else {
        found = start..<end
        continue
      }
      guard before.upperBound == start else { break }
      found = before.lowerBound..<end
    }
    return found
  }

  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    var known = state.withLock { $0.unreadable }
    for piece in pieces[pieces.index(endingAfter: range.lowerBound)...] {
      guard piece.file.lowerBound < range.upperBound else { break }
      known += unreadable(of: piece)
    }
    var merged: [Range<UInt64>] = []
    let wanted = range.clamped(to: 0..<byteCount)
    for part in known.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      let part = part.clamped(to: wanted)
      guard !part.isEmpty else { continue }
      if let last = merged.last, part.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, part.upperBound)
      } else {
        merged.append(part)
      }
    }
    return merged
  }

  /// The bytes of a piece that are known to be unreadable in the source, in every copy.
  private func unreadable(of piece: BtrfsPiece) -> [Range<UInt64>] {
    let source = data.nodes.source
    switch piece.place {
    case .inline(_, _, let method): return method?.isSupported ?? true ? [] : [piece.file]
    case .preallocated: return []
    case .lost: return [piece.file]
    case .compressed(let extent):
      let places = data.nodes.places(of: extent.address, count: extent.diskByteCount)
      let isLost = places.allSatisfy {
        !source.knownUnreadable(in: $0..<$0 + extent.diskByteCount).isEmpty
      }
      return isLost || !extent.method.isSupported ? [piece.file] : []
    case .data(let address):
      let count = piece.file.upperBound - piece.file.lowerBound
      var common: [Range<UInt64>]?
      for place in data.nodes.places(of: address, count: count) {
        let lost = source.knownUnreadable(in: place..<place + count).map {
          piece.file.lowerBound + ($0.lowerBound - place)..<piece.file.lowerBound
            + ($0.upperBound - place)
        }
        common =
          common.map { known in
            known.flatMap { range in lost.map { $0.clamped(to: range) }.filter { !$0.isEmpty } }
          } ?? lost
        if common?.isEmpty ?? false { break }
      }
      return common ?? [piece.file]
    }
  }

  func willRead(_ range: Range<UInt64>) {
    for piece in pieces[pieces.index(endingAfter: range.lowerBound)...] {
      guard piece.file.lowerBound < range.upperBound else { return }
      switch piece.place {
      case .data(let address):
        let part = range.clamped(to: piece.file)
        announce(
          address + (part.lowerBound - piece.file.lowerBound), part.upperBound - part.lowerBound)
      case .compressed(let extent): announce(extent.address, extent.diskByteCount)
      default: continue
      }
    }
  }

  private func announce(_ address: UInt64, _ count: UInt64) {
    guard let place = data.nodes.places(of: address, count: count).first else { return }
    data.nodes.source.willRead(place..<place + count)
  }

  var files: [FileSource] { data.nodes.source.files }
}
