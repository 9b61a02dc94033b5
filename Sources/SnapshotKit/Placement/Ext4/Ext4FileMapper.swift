internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// The files of an ext4.
struct Ext4FileMapper: FileMapper {
  private let volume: Ext4Volume

  /// The files of the ext4 that begins at a byte of a view; nil without one whose metadata has
  /// checksums.
  init?(_ view: SnapshotView, start: UInt64 = 0) throws(BlockIOError) {
    guard let volume = try Ext4Volume(view, start: start),
      volume.superblock.blocksPerGroup == volume.superblock.clustersPerGroup
    else { return nil }
    self.volume = volume
  }

  var blockByteCount: Int { volume.blockByteCount }

  /// A file with more extents is left out.
  private static let extentCountMax = 1 << 16

  func forEachFile(
    of view: SnapshotView, _ body: (FileLayout) -> Void
  ) throws(BlockIOError) {
    let volume = try volume.with(groupsOf: view)
    let seed = volume.superblock.seed
    let size = UInt64(volume.blockByteCount)
    var found: [(number: UInt32, inode: Ext4Inode, map: [UInt8])] = []
    try volume.forEachInode(of: view) { number, bytes in
      let inode = Ext4Inode(decoding: bytes)
      guard inode.kind != .other, inode.hasExtents, !inode.hasInlineData,
        found.count < Self.fileCountMax, Ext4Inode.isRight(bytes, number: number, seed: seed)
      else { return }
      found.append((number, inode, Ext4Inode.map.map { bytes[$0] }))
    }
    for (number, inode, map) in found {
      let register = Ext4Inode.register(number: number, generation: inode.generation, seed: seed)
      let tree = try volume.extents(map, register: register, of: view, limit: Self.extentCountMax)
      guard tree.isWhole else { continue }
      body(
        FileLayout(
          inode: UInt64(number), isDirectory: inode.kind == .directory, byteCount: inode.byteCount,
          writeTime: inode.writeTime,
          extents: tree.extents.lazy.filter(\.isWritten).map {
            FileLayout.Extent(
              logicalByte: UInt64($0.logical) * size,
              physicalByte: volume.byteOffset(of: $0.physical),
              byteCount: UInt64($0.count) * size)
          }))
    }
  }

  /// More files are not looked at: 128 MiB.
  private static let fileCountMax = 1 << 20

  func freeRanges(of view: SnapshotView) throws(BlockIOError) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    let superblock = volume.superblock
    let origin = view.originView
    let groups = try volume.with(groupsOf: origin).groups
    let size = UInt64(volume.blockByteCount)
    for (index, group) in groups.enumerated() {
      let first =
        UInt64(superblock.firstDataBlock) + UInt64(index) * UInt64(superblock.blocksPerGroup)
      let count = min(UInt64(superblock.blocksPerGroup), superblock.blockCount - first)
      guard !group.isBlockBitmapUnused, let bitmap = try volume.read(group.blockBitmap, of: origin)
      else {
        // A group whose bitmap was never written is unused; its own metadata belongs to no file.
        if group.isBlockBitmapUnused {
          let start = volume.byteOffset(of: first)
          ranges.append(start..<start + count * size)
        }
        continue
      }
      var checksum = CRC32C(register: superblock.seed)
      checksum.add(bitmap.span.extracting(0..<Int(superblock.clustersPerGroup) / 8))
      guard checksum.register == group.blockBitmapChecksum || !group.hasWholeChecksums else {
        continue
      }
      for bit in 0..<Int(count) where bitmap[bit >> 3] >> UInt8(bit & 7) & 1 == 0 {
        let start = volume.byteOffset(of: first + UInt64(bit))
        if let last = ranges.last, last.upperBound == start {
          ranges[ranges.count - 1] = last.lowerBound..<start + size
        } else if ranges.count < Self.rangeCountMax {
          ranges.append(start..<start + size)
        }
      }
    }
    return ranges
  }

  func isNewer(_ view: SnapshotView) throws(BlockIOError) -> Bool {
    func isMapped(_ byteOffset: UInt64) -> Bool {
      view.table.newChunk(for: view.table.geometry.chunk(containing: byteOffset)) != nil
    }
    let byteOffset = volume.start + UInt64(Ext4Superblock.byteOffset)
    if isMapped(byteOffset),
      let now = try view.whole(at: byteOffset, count: Ext4Superblock.byteCount),
      let before = try view.origin.whole(at: byteOffset, count: Ext4Superblock.byteCount),
      let snapshot = Ext4Superblock(decoding: now.span),
      let origin = Ext4Superblock(decoding: before.span)
    {
      return snapshot.uuid == origin.uuid && snapshot.kilobytesWritten > origin.kilobytesWritten
        && snapshot.writeTime >= origin.writeTime
    }
    if let place = try Ext4JournalPlace(volume, view.origin),
      isMapped(volume.byteOffset(of: place.block(0))),
      let now = try volume.read(place.block(0), of: view),
      let journal = Ext4JournalSuperblock(decoding: now.span)
    {
      return journal.layout == place.superblock.layout
        && journal.sequence > place.superblock.sequence
    }
    return try lastChange(in: view) > lastChange(in: view.originView)
  }

  /// When any inode was changed last.
  private func lastChange(in view: SnapshotView) throws(BlockIOError) -> UInt64 {
    var last: UInt64 = 0
    let seed = volume.superblock.seed
    try volume.forEachInode(of: view) { number, bytes in
      let time = Ext4Inode(decoding: bytes).changeTime
      if time > last, Ext4Inode.isRight(bytes, number: number, seed: seed) { last = time }
    }
    return last
  }

  /// Whether a block belongs to a journal, an extent tree, or a directory with a checksum.
  func isStructure(_ block: Span<UInt8>) -> Bool {
    guard block.count >= 16 else { return false }
    if block.littleEndian(at: 0, as: UInt32.self) == 0x9839_3bc0 { return true }
    if block.littleEndian(at: 0, as: UInt16.self) == 0xf30a { return true }
    return block.littleEndian(at: block.count - 12, as: UInt64.self) == 0xde00_000c_0000_0000
  }

  /// More free ranges are not kept: 64 MiB.
  private static let rangeCountMax = 1 << 22
}
