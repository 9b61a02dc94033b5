internal import BlockIO
internal import FileSystemFormat

/// Puts nodes together that are longer than a chunk, from their beginning on.
///
/// The checksum at the start fixes the sum of the other pieces' registers. The search tries the
/// image's content at the node's places, and the orphans at the positions after those of known
/// pieces; one piece may be any orphan, because its register can be computed.
struct BtrfsPuzzle {
  /// A possible identity of a piece.
  private struct Option {
    let register: UInt32
    let source: Source

    enum Source {
      case image(place: Int)
      case orphan(Int)
    }
  }

  private static let combinationCountMax = 512

  private let image: BtrfsImage
  /// By piece, the shift by the pieces after it, and the one that undoes that.
  private let shifts: [(forward: CRC32CShift, back: CRC32CShift)]

  init(_ image: BtrfsImage) {
    self.image = image
    let size = image.layout.chunkByteCount
    let count = max(image.layout.nodeByteCount / size, 1)
    shifts = (0..<count).map { piece in
      let byteCount = (count - 1 - piece) * size
      return (CRC32CShift(byteCount: byteCount), CRC32CShift(undoing: byteCount))
    }
  }

  /// The bytes of a node that begins like this, at that position of the store's order.
  func solve(
    _ beginning: [UInt8], at position: UInt64?, _ places: [BtrfsNodeSearch.Place]
  ) throws(BlockIOError) -> [UInt8]? {
    guard let header = BtrfsNodeHeader(decoding: beginning.span) else { return nil }
    var checksum = CRC32C()
    checksum.add(
      beginning.span.extracting(BtrfsNodeHeader.checkedByteOffset..<beginning.count))
    let target = ~header.checksum ^ shifts[0].forward(checksum.register)
    for combination in combinations(at: position, places) {
      var rest = target
      for (piece, option) in combination.enumerated() {
        rest ^= shifts[piece + 1].forward(option.register)
      }
      if rest == 0 { return try bytes(beginning, combination, places) }
      for piece in combination.indices {
        let wanted = combination[piece].register ^ shifts[piece + 1].back(rest)
        guard let orphan = image.orphans.orphans(withChunk: wanted).first else { continue }
        var mended = combination
        mended[piece] = Option(register: wanted, source: .orphan(orphan))
        let bytes = try bytes(beginning, mended, places)
        if let bytes, BtrfsNode(checking: bytes) != nil { return bytes }
      }
    }
    return nil
  }

  /// The possible combinations of all pieces but the first.
  private func combinations(
    at position: UInt64?, _ places: [BtrfsNodeSearch.Place]
  ) -> [[Option]] {
    let bases = bases(position, places)
    let options = (1..<shifts.count).map { piece in
      var options: [Option] = []
      func add(_ option: Option) {
        if !options.contains(where: { $0.register == option.register }) { options.append(option) }
      }
      // Pieces before it that were not copied leave it at an earlier position.
      for base in bases {
        for step in (1...piece).reversed() { orphan(base, step).map(add) }
      }
      for place in places.indices { onImage(places, place, piece).map(add) }
      return options
    }
    let count = options.reduce(1) { min($0 * $1.count, Self.combinationCountMax + 1) }
    if count <= Self.combinationCountMax {
      return options.reduce([[]]) { combinations, options in
        combinations.flatMap { combination in options.map { combination + [$0] } }
      }
    }
    // For many pieces: all from one base, except for the part it lacks, which is from one place.
    return bases.flatMap { base in
      places.indices.compactMap { place in
        let combination = (1..<shifts.count).compactMap { piece in
          orphan(base, piece) ?? onImage(places, place, piece)
        }
        return combination.count == shifts.count - 1 ? combination : nil
      }
    }
  }

  /// The positions at which the first piece may be, as known pieces have it.
  private func bases(_ position: UInt64?, _ places: [BtrfsNodeSearch.Place]) -> [UInt64] {
    var bases = position.map { [$0] } ?? []
    for place in places {
      for piece in shifts.indices {
        let byteOffset = place.byteOffset + UInt64(piece * image.layout.chunkByteCount)
        guard let position = image.position(of: image.chunk(at: byteOffset)),
          position >= UInt64(piece), !bases.contains(position - UInt64(piece))
        else { continue }
        bases.append(position - UInt64(piece))
      }
    }
    return bases
  }

  private func orphan(_ base: UInt64, _ step: Int) -> Option? {
    image.orphan(at: base + UInt64(step)).map {
      Option(register: image.orphans.register(of: $0), source: .orphan($0))
    }
  }

  private func onImage(
    _ places: [BtrfsNodeSearch.Place], _ place: Int, _ piece: Int
  ) -> Option? {
    guard let bytes = places[place].bytes else { return nil }
    var checksum = CRC32C(register: 0)
    checksum.add(bytes.span.extracting(range(of: piece)))
    return Option(register: checksum.register, source: .image(place: place))
  }

  private func range(of piece: Int) -> Range<Int> {
    piece * image.layout.chunkByteCount..<(piece + 1) * image.layout.chunkByteCount
  }

  /// The bytes of a beginning and of its continuation; nil if any cannot be read.
  private func bytes(
    _ beginning: [UInt8], _ options: [Option], _ places: [BtrfsNodeSearch.Place]
  ) throws(BlockIOError) -> [UInt8]? {
    var bytes = beginning
    for (index, option) in options.enumerated() {
      switch option.source {
      case .image(let place):
        guard let content = places[place].bytes else { return nil }
        bytes += content[range(of: index + 1)]
      case .orphan(let orphan):
        guard let content = try image.content(of: orphan) else { return nil }
        bytes += content
      }
    }
    return bytes
  }
}
