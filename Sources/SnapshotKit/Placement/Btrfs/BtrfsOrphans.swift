internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// The facts kept about orphans: checksums of their pieces, and which nodes begin in them.
///
/// Checksums are kept as the register that the bytes lead to from zero, which can be shifted and
/// added up. Eight bytes a piece, and twelve a chunk.
struct BtrfsOrphans {
  /// A node that begins in an orphan, or seems to.
  struct Head {
    /// The index of the orphan.
    let orphan: Int
    /// Its start in the orphan.
    let byteOffset: Int
    let header: BtrfsNodeHeader
  }

  let layout: BtrfsLayout
  /// The chunks of the store, ascending.
  private(set) var chunks: [UInt64] = []
  private(set) var reasons: [Orphan.Reason] = []
  /// The heads, ascending by the node's address.
  private(set) var heads: [Head] = []
  /// Superblocks: the index of the orphan, and the content.
  private(set) var superblocks: [(orphan: Int, superblock: BtrfsDiskSuperblock)] = []

  private var pieceRegisters: [UInt32] = []
  private var chunkRegisters: [UInt32] = []
  /// Indexes of pieces, by their registers.
  private var pieceOrder: [Int32] = []
  /// Indexes of orphans, by their registers.
  private var chunkOrder: [Int32] = []
  /// A bit for each value of the top bits of pieces' registers that there is.
  private var filter: [UInt64] = []
  private static let filterShift: UInt32 = 8
  /// More orphans that are the same, like those of zeroes, are not distinguished.
  private static let matchCountMax = 4096

  init(_ layout: BtrfsLayout) { self.layout = layout }

  var count: Int { chunks.count }

  // MARK: - Collecting

  /// Makes room for that many orphans.
  mutating func reserve(_ count: Int) {
    chunks.reserveCapacity(count)
    chunkRegisters.reserveCapacity(count)
    pieceRegisters.reserveCapacity(count * layout.pieceCount)
  }

  /// Adds an orphan.
  mutating func add(_ new: UInt64, _ content: Span<UInt8>) {
    guard content.count == layout.chunkByteCount, chunks.count < Int(Int32.max) / layout.pieceCount
    else { return }
    let first = pieceRegisters.count
    for piece in 0..<layout.pieceCount {
      let start = piece * layout.pieceByteCount
      var checksum = CRC32C(register: 0)
      checksum.add(content.extracting(start..<start + layout.pieceByteCount))
      pieceRegisters.append(checksum.register)
    }
    chunkRegisters.append(layout.register(of: pieceRegisters[first...]))
    addHeads(content)
    addSuperblock(content)
    chunks.append(new)
  }

  private mutating func addHeads(_ content: Span<UInt8>) {
    // Where nodes are aligned to in the chunk is not known: any piece may begin one.
    for piece in 0..<layout.pieceCount {
      let start = piece * layout.pieceByteCount
      guard let header = BtrfsNodeHeader(decoding: content.extracting(start..<content.count)),
        header.uuid == layout.uuid
      else { continue }
      if content.count - start >= layout.nodeByteCount {
        var checksum = CRC32C()
        checksum.add(
          content.extracting(
            start + BtrfsNodeHeader.checkedByteOffset..<start + layout.nodeByteCount))
        guard checksum.inverted == header.checksum else { continue }
      } else if start > 0 {
        continue
      }
      heads.append(Head(orphan: chunks.count, byteOffset: start, header: header))
    }
  }

  private mutating func addSuperblock(_ content: Span<UInt8>) {
    for place in BtrfsDiskSuperblock.places {
      let start = Int((layout.start &+ place) % UInt64(layout.chunkByteCount))
      guard start + BtrfsDiskSuperblock.byteCount <= content.count,
        let superblock = BtrfsDiskSuperblock(
          decoding: content.extracting(start..<start + BtrfsDiskSuperblock.byteCount)),
        superblock.byteOffset == place, superblock.nodeUUID == layout.uuid
      else { continue }
      superblocks.append((chunks.count, superblock))
    }
  }

  /// Sorts the collected facts, and notes why the chunks are orphans.
  mutating func finish(_ orphans: [Orphan]) {
    var index = 0
    reasons = chunks.map { chunk in
      while index < orphans.count, orphans[index].new + orphans[index].count <= chunk { index += 1 }
      return index < orphans.count && orphans[index].new <= chunk
        ? orphans[index].reason : .leaked
    }
    heads = heads.filter { reasons[$0.orphan] != .leaked }
      .sorted { ($0.header.address, $0.orphan) < ($1.header.address, $1.orphan) }
    superblocks = superblocks.filter { reasons[$0.orphan] == .exceptionLost }
    pieceOrder = pieceRegisters.indices.map { Int32($0) }
      .filter { reasons[Int($0) / layout.pieceCount] != .leaked }
    chunkOrder = chunks.indices.map { Int32($0) }.filter { reasons[Int($0)] != .leaked }
    pieceOrder.sort { [pieceRegisters] in
      (pieceRegisters[Int($0)], $0) < (pieceRegisters[Int($1)], $1)
    }
    chunkOrder.sort { [chunkRegisters] in
      (chunkRegisters[Int($0)], $0) < (chunkRegisters[Int($1)], $1)
    }
    filter = Array(repeating: 0, count: 1 << (32 - Self.filterShift - 6))
    for piece in pieceOrder {
      let bit = pieceRegisters[Int(piece)] >> Self.filterShift
      filter[Int(bit >> 6)] |= 1 << UInt64(bit & 63)
    }
  }

  // MARK: - Looking up

  /// Whether any orphan is all zeroes.
  var hasZeroes: Bool { !orphans(withChunk: 0).isEmpty }

  /// Whether any piece may have a register.
  func mayHavePiece(_ register: UInt32) -> Bool {
    let bit = register >> Self.filterShift
    return filter[Int(bit >> 6)] & 1 << UInt64(bit & 63) != 0
  }

  /// The orphans that have a register at a piece, ascending.
  func orphans(withPiece register: UInt32, at piece: Int) -> [Int] {
    guard mayHavePiece(register) else { return [] }
    var found: [Int] = []
    var index = pieceOrder.partitioningIndex { pieceRegisters[Int($0)] >= register }
    while index < pieceOrder.count, pieceRegisters[Int(pieceOrder[index])] == register,
      found.count < Self.matchCountMax
    {
      let (orphan, place) = Int(pieceOrder[index]).quotientAndRemainder(
        dividingBy: layout.pieceCount)
      if place == piece { found.append(orphan) }
      index += 1
    }
    return found
  }

  /// The orphans whose register as a whole is this, ascending.
  func orphans(withChunk register: UInt32) -> [Int] {
    var found: [Int] = []
    var index = chunkOrder.partitioningIndex { chunkRegisters[Int($0)] >= register }
    while index < chunkOrder.count, chunkRegisters[Int(chunkOrder[index])] == register,
      found.count < Self.matchCountMax
    {
      found.append(Int(chunkOrder[index]))
      index += 1
    }
    return found
  }

  /// The register of a piece of an orphan.
  func register(of orphan: Int, piece: Int) -> UInt32 {
    pieceRegisters[orphan * layout.pieceCount + piece]
  }

  /// The register of an orphan as a whole.
  func register(of orphan: Int) -> UInt32 { chunkRegisters[orphan] }

  /// The heads of nodes with a logical address.
  func heads(at address: UInt64) -> ArraySlice<Head> {
    let start = heads.partitioningIndex { $0.header.address >= address }
    let end = heads.partitioningIndex { $0.header.address > address }
    return heads[start..<max(start, end)]
  }

  /// The index of an orphan.
  func index(of new: UInt64) -> Int? {
    let index = chunks.partitioningIndex { $0 >= new }
    return index < chunks.count && chunks[index] == new ? index : nil
  }
}
