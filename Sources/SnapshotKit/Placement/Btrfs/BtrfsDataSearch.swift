internal import BlockIO
internal import FileSystemFormat

/// Finds data by the checksums that the file system has of each sector.
///
/// A sector's checksum has 32 bits. It is looked up among the orphans first, and only if one has
/// it, the sector is read, to see whether it is there already. Of a chunk with several sectors, all
/// that have checksums must agree.
struct BtrfsDataSearch {
  /// A chunk of the origin that lacks data.
  private struct Need {
    let old: UInt64
    /// The number of the content that it needs.
    let content: Int
    /// Whether each sector of the chunk either has a checksum, or is in the image as in the first
    /// orphan that has the others.
    let isWhole: Bool
    let strength: Evidence.Strength
  }

  /// The registers that some sectors of a chunk must have.
  private struct Wanted: Hashable {
    let firstPiece: Int
    let registers: [UInt32]
  }

  /// The orphans with the wanted content: once, however many chunks of the origin need it.
  private struct Candidates {
    /// The orphans, ascending.
    let orphans: [Int]
    /// The number of chunks of the origin that need it.
    var needCount = 0
    /// The number of orphans, from the first on, that are known to have a place.
    var placedCount = 0
    /// Whether they are the same, byte for byte; nil if they were not compared yet.
    var areSame: Bool?

    func contains(_ orphan: Int) -> Bool {
      let index = orphans.partitioningIndex { $0 >= orphan }
      return index < orphans.count && orphans[index] == orphan
    }
  }

  private let image: BtrfsImage
  /// The register that a sector leads to from all ones, if it is zeroes.
  private let seed: UInt32
  private let splitSectors: BtrfsSplitSectors
  private var needs: [Need] = []
  private var contents: [Candidates] = []
  private var contentIndexes: [Wanted: Int] = [:]
  private var lastChunk: UInt64?
  /// The number of further bytes of the image to look at: each once, unless hostile checksums ask
  /// for more.
  private var budget: UInt64

  init(_ image: BtrfsImage) {
    self.image = image
    budget = image.scene.view.byteCount
    seed = CRC32CShift(byteCount: image.layout.sectorByteCount)(~0)
    splitSectors = BtrfsSplitSectors(image)
  }

  // MARK: - Looking for what is needed

  /// Looks at checksums of consecutive sectors.
  mutating func look(
    at checksums: [UInt32], from logical: UInt64, _ map: BtrfsChunkMap,
    _ strength: Evidence.Strength
  ) throws(BlockIOError) {
    let layout = image.layout
    let sector = UInt64(layout.sectorByteCount)
    guard !logical.addingReportingOverflow(UInt64(checksums.count) * sector).overflow else {
      return
    }
    if layout.chunkByteCount < layout.sectorByteCount {
      return try splitSectors.look(at: checksums, from: logical, map, strength)
    }
    for (index, checksum) in checksums.enumerated()
    where image.orphans.mayHavePiece(~checksum ^ seed) {
      let address = logical + UInt64(index) * sector
      guard let chunk = map.index(containing: address).map({ map.chunks[$0] }) else { continue }
      for place in chunk.places(of: address, count: sector, on: layout.device)
      where image.contains(place, count: layout.sectorByteCount) {
        let old = image.chunk(at: place)
        guard old != lastChunk, image.isOpen(old) else { continue }
        lastChunk = old
        // The sectors of this chunk that these checksums are of; a chunk of the store is never
        // longer than a piece of a striped one that it begins in, or they are not all found.
        let before = min(UInt64(image.offsetInChunk(place)) / sector, UInt64(index))
        let firstIndex = index - Int(before)
        let firstPiece = image.offsetInChunk(place) / layout.sectorByteCount - Int(before)
        let count = min(layout.pieceCount - firstPiece, checksums.count - firstIndex)
        let wanted = Wanted(
          firstPiece: firstPiece,
          registers: checksums[firstIndex..<firstIndex + count].map { ~$0 ^ seed })
        try look(for: wanted, in: old, strength)
      }
    }
  }

  /// Looks for the content that some sectors of a chunk of the origin must have.
  private mutating func look(
    for wanted: Wanted, in old: UInt64, _ strength: Evidence.Strength
  ) throws(BlockIOError) {
    let layout = image.layout
    // Reading comes last: most checksums that pass the filter are no orphan's.
    guard let content = content(wanted), let candidate = contents[content].orphans.first,
      budget >= layout.chunkByteCount, let present = try imageChunk(old)
    else { return }
    budget -= UInt64(layout.chunkByteCount)
    func register(_ piece: Int) -> UInt32 {
      let start = piece * layout.pieceByteCount
      var checksum = CRC32C(register: 0)
      checksum.add(present.span.extracting(start..<start + layout.pieceByteCount))
      return checksum.register
    }
    let checked = wanted.firstPiece..<wanted.firstPiece + wanted.registers.count
    guard checked.contains(where: { wanted.registers[$0 - checked.lowerBound] != register($0) })
    else { return }
    let isWhole = (0..<layout.pieceCount).allSatisfy {
      checked.contains($0) || image.orphans.register(of: candidate, piece: $0) == register($0)
    }
    contents[content].needCount += 1
    needs.append(Need(old: old, content: content, isWhole: isWhole, strength: strength))
  }

  /// The number of the wanted content; nil if no orphan has it.
  private mutating func content(_ wanted: Wanted) -> Int? {
    if let known = contentIndexes[wanted] { return known }
    // Most chunks have some content of their own; zeroes are the content that most share.
    let index = wanted.registers.firstIndex { $0 != 0 } ?? 0
    let orphans = image.orphans
      .orphans(withPiece: wanted.registers[index], at: wanted.firstPiece + index)
      .filter { orphan in
        wanted.registers.indices.allSatisfy {
          image.orphans.register(of: orphan, piece: wanted.firstPiece + $0) == wanted.registers[$0]
        }
      }
    if orphans.isEmpty { return nil }
    contentIndexes[wanted] = contents.count
    contents.append(Candidates(orphans: orphans))
    return contents.count - 1
  }

  /// The image's content for a chunk of the origin; zeroes where it cannot be read.
  private func imageChunk(_ old: UInt64) throws(BlockIOError) -> [UInt8]? {
    let size = UInt64(image.layout.chunkByteCount)
    guard old * size >= image.layout.start else { return nil }
    let byteOffset = old * size - image.layout.start
    guard image.contains(byteOffset, count: Int(size)) else { return nil }
    return try image.read(byteOffset, count: Int(size)) ?? Array(repeating: 0, count: Int(size))
  }

  // MARK: - Placing

  /// Places orphans that have the needed content.
  mutating func place() throws(BlockIOError) {
    needs.sort { $0.old < $1.old }
    var claimCounts: [Int: Int] = [:]
    for content in contents {
      for orphan in content.orphans { claimCounts[orphan, default: 0] += content.needCount }
    }
    // Chance matches: as many as there are pairs of a place and an orphan, in 2^32.
    let isByChance = needs.count.multipliedReportingOverflow(by: image.orphans.count)
    let isRare = !isByChance.overflow && isByChance.partialValue < Self.pairCountMax
    var last: (old: UInt64, position: UInt64)?
    for (index, need) in needs.enumerated() where image.isOpen(need.old) {
      let follower = last.flatMap { $0.old &+ 1 == need.old ? $0.position &+ 1 : nil }
      guard let orphan = freeOrphan(need.content, at: follower) else { continue }
      let position = image.position(of: orphan)
      let isInOrder =
        position != nil && position == follower
        || position.map { isFollowed(index, position: $0) } ?? false
      let isSame = try haveSameContent(need.content)
      // If some sectors have no checksum, there must be exactly one orphan and one place. The right
      // orphan is not among them if its data is lost; zeroes may be all that is left of it. A chunk
      // that may not have been copied for this store may belong to another snapshot of the same
      // data.
      let isCertain =
        need.isWhole
        || image.orphans.reasons[orphan] == .exceptionLost
          && contents[need.content].orphans.count == 1 && claimCounts[orphan] == 1
          && (isInOrder || !image.orphans.hasZeroes)
      let strength: Evidence.Strength =
        isSame && isCertain && (isRare || isInOrder) ? need.strength : .likely
      if !isSame && !isInOrder { continue }
      image.place(orphan, at: need.old, .btrfsData, strength)
      last = position.map { (need.old, $0) }
    }
    (needs, contents, contentIndexes) = ([], [], [:])
  }

  private static let pairCountMax = 1 << 24

  /// An orphan with a content that has no place yet: the one at a position, or else the first.
  private mutating func freeOrphan(_ content: Int, at position: UInt64?) -> Int? {
    if let orphan = position.flatMap({ image.orphan(at: $0) }), !image.isPlaced(orphan),
      contents[content].contains(orphan)
    {
      return orphan
    }
    var index = contents[content].placedCount
    let orphans = contents[content].orphans
    while index < orphans.count, image.isPlaced(orphans[index]) { index += 1 }
    contents[content].placedCount = index
    return index < orphans.count ? orphans[index] : nil
  }

  /// Whether the next chunk needs the orphan at the next position.
  private func isFollowed(_ index: Int, position: UInt64) -> Bool {
    guard index + 1 < needs.count, needs[index + 1].old == needs[index].old &+ 1,
      let orphan = image.orphan(at: position + 1)
    else { return false }
    return contents[needs[index + 1].content].contains(orphan)
  }

  /// Whether all orphans with a content are the same, byte for byte.
  private mutating func haveSameContent(_ content: Int) throws(BlockIOError) -> Bool {
    if let known = contents[content].areSame { return known }
    let areSame = try areSame(contents[content].orphans)
    contents[content].areSame = areSame
    return areSame
  }

  private func areSame(_ orphans: [Int]) throws(BlockIOError) -> Bool {
    guard let first = orphans.first, orphans.count > 1 else { return true }
    let content = try image.content(of: first)
    for orphan in orphans.dropFirst() where try image.content(of: orphan) != content {
      return false
    }
    return true
  }
}
