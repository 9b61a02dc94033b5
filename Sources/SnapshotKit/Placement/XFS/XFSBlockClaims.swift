internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Orphans with metadata blocks of XFS that name their place.
struct XFSBlockClaims {
  /// Orphans whose intact blocks all agree.
  private(set) var claims: [XFSClaim] = []
  /// Orphans with nothing but a superblock.
  ///
  /// It does not name its group; only the first group's changes.
  private(set) var superblocks: [XFSClaim] = []
  /// Orphans in which a block begins that goes on in other chunks.
  private var beginnings: [Beginning] = []
  private let volume: XFSVolume

  private struct Beginning {
    let new: UInt64
    let old: UInt64
    let position: Int
    let block: XFSBlock
  }

  init(_ volume: XFSVolume) { self.volume = volume }

  /// Notes the contents of an orphan's blocks.
  mutating func look(at new: UInt64, _ content: Span<UInt8>) {
    var claim: XFSClaim?
    var superblock: XFSClaim?
    var beginning: Beginning?
    var position = 0
    while position + XFSBlock.headerByteCount <= content.count {
      let rest = content.extracting(position..<content.count)
      guard let block = XFSBlock(beginning: rest, of: volume.geometry) else {
        position += 512
        continue
      }
      let place = volume.chunk(
        block.address ?? 0, at: position, chunkByteCount: content.count)
      if let count = block.intactByteCount(rest) {
        if let place {
          let found = XFSClaim(new: new, old: place)
          if block.address == nil {
            superblock = found
          } else if let claim, claim.old != place {
            return
          } else {
            claim = claim ?? found
          }
        } else if block.address != nil {
          // An intact block that is not where it claims to be: the chunk is a copy, in a file.
          return
        }
        position += max(count / 512 * 512, 512)
        continue
      }
      if let place, block.byteCount > rest.count, beginning == nil {
        beginning = Beginning(new: new, old: place, position: position, block: block)
      }
      position += 512
    }
    if let claim {
      claims.append(claim)
    } else if let beginning {
      beginnings.append(beginning)
    } else if let superblock {
      superblocks.append(superblock)
    }
  }

  /// Claims of orphans that together are a block that is larger than a chunk, or lies across two.
  func assembled(in scene: PlacementScene) throws(BlockIOError) -> [XFSClaim] {
    if beginnings.isEmpty { return [] }
    let named = Set(claims.map(\.new) + beginnings.map(\.new))
    let order = XFSOrphanOrder(scene)
    var assembled: [XFSClaim] = []
    for beginning in beginnings {
      let block = beginning.block
      for byteCount in [block.byteCount, block.otherByteCount ?? 0] where byteCount > 0 {
        let pieces = try assemble(beginning, byteCount, order, named, scene)
        assembled += pieces
        if !pieces.isEmpty { break }
      }
    }
    return assembled
  }

  /// The orphans of which a block is made, if its checksum holds.
  ///
  /// They follow its beginning in the store, where the table has no other chunk; otherwise the
  /// snapshot's own bytes are tried.
  private func assemble(
    _ beginning: Beginning, _ byteCount: Int, _ order: XFSOrphanOrder, _ named: Set<UInt64>,
    _ scene: PlacementScene
  ) throws(BlockIOError) -> [XFSClaim] {
    let size = Int(scene.chunkByteCount)
    let chunkCount = (beginning.position + byteCount + size - 1) / size
    guard beginning.old + UInt64(chunkCount) <= scene.originChunkCount else { return [] }
    let buffer = IOBuffer(byteCount: chunkCount * size)
    let place = beginning.position..<beginning.position + byteCount
    for usesOrphans in [true, false] {
      var used = [(index: 0, new: beginning.new)]
      for index in 0..<chunkCount {
        let old = beginning.old + UInt64(index)
        var new = index == 0 ? beginning.new : nil
        if index > 0, usesOrphans, !scene.isMapped(old), let last = used.last {
          new = order.first(after: last.new) { !named.contains($0) }
          if let new { used.append((index, new)) }
        }
        try scene.read(old, from: new, into: buffer, at: index * size)
      }
      let isIntact = buffer.withBytes(place) { bytes in
        XFSBlock(beginning: bytes, of: volume.geometry) == beginning.block
          && beginning.block.intactByteCount(bytes) == byteCount
      }
      guard isIntact else { continue }
      return used.map { index, new in XFSClaim(new: new, old: beginning.old + UInt64(index)) }
    }
    return []
  }
}

/// Orphans, one after another, as Linux handed them out.
struct XFSOrphanOrder {
  private let ranges: [Range<UInt64>]

  init(_ scene: PlacementScene) {
    let end = scene.geometry.wholeChunkCount
    ranges = scene.orphans.filter { $0.reason != .leaked && $0.new < end }
      .map { $0.new..<min($0.new + $0.count, end) }
  }

  /// The first orphan after `new` for which `condition` holds, among the next few.
  func first(after new: UInt64, where condition: (UInt64) -> Bool) -> UInt64? {
    var index = ranges.indexOfFirst(endingAfter: new + 1)
    var next = new + 1
    for _ in 0..<64 {
      guard index < ranges.count else { return nil }
      next = max(next, ranges[index].lowerBound)
      if condition(next) { return next }
      next += 1
      if next >= ranges[index].upperBound { index += 1 }
    }
    return nil
  }
}
