internal import BlockIO
internal import FileSystemFormat

extension BtrfsFileSystem {
  private static let windowByteCount: UInt64 = 1 << 20

  /// The parts of ranges of the source that are right by their checksums, and those that are not.
  ///
  /// Data is right if its checksum is. So is a node that has the right checksum and is not newer
  /// than the superblock: a node written in its place later has a later transaction's number.
  public func verified(
    _ ranges: [Range<UInt64>]
  ) throws(FileSystemError) -> (right: [Range<UInt64>], wrong: [Range<UInt64>]) {
    guard superblock.checksum.isComputed else { return ([], []) }
    var found: (right: [Range<UInt64>], wrong: [Range<UInt64>]) = ([], [])
    for chunk in nodes.chunks.chunks where chunk.profile == .copies {
      for place in nodes.places(of: chunk.logical, count: chunk.byteCount) {
        for range in ranges.parts(in: place..<place + chunk.byteCount) {
          let start = chunk.logical + (range.lowerBound - place)
          let addresses = start..<start + (range.upperBound - range.lowerBound)
          var right: [Range<UInt64>] = []
          var wrong: [Range<UInt64>] = []
          if chunk.holdsData { (right, wrong) = try data(at: addresses) }
          if chunk.holdsNodes { right += try nodes(at: addresses) }
          func source(_ pieces: [Range<UInt64>]) -> [Range<UInt64>] {
            pieces.map {
              let piece = $0.clamped(to: addresses)
              let first = place + (piece.lowerBound - chunk.logical)
              return first..<first + (piece.upperBound - piece.lowerBound)
            }
          }
          found.right += source(right)
          found.wrong += source(wrong)
        }
      }
    }
    return (found.right.union, found.wrong.union)
  }

  /// The parts of data at logical addresses in one chunk that are right, and those that are not, by
  /// whole sectors.
  private func data(
    at addresses: Range<UInt64>
  ) throws(FileSystemError) -> (right: [Range<UInt64>], wrong: [Range<UInt64>]) {
    let data = BtrfsData(nodes, checksums)
    guard data.hasChecksums else { return ([], []) }
    let sectors = addresses.wholeUnits(of: superblock.sectorByteCount)
    let buffer = IOBuffer(byteCount: Int(min(UInt64(sectors.count), Self.windowByteCount)))
    var found: (right: [Range<UInt64>], wrong: [Range<UInt64>]) = ([], [])
    var position = sectors.lowerBound
    while position < sectors.upperBound {
      let (start, count) = (position, min(sectors.upperBound - position, Self.windowByteCount))
      let (right, wrong) = try wrapping(
        FileSystemError.io, try data.verdicts(at: start, into: buffer, 0..<Int(count)))
      found.right += right
      found.wrong += wrong
      position += count
    }
    return found
  }

  /// The places of past nodes at logical addresses in one chunk.
  private func nodes(at addresses: Range<UInt64>) throws(FileSystemError) -> [Range<UInt64>] {
    let places = addresses.wholeUnits(of: superblock.nodeByteCount)
    let buffer = IOBuffer(byteCount: superblock.nodeByteCount)
    var found: [Range<UInt64>] = []
    for start in stride(
      from: places.lowerBound, to: places.upperBound, by: superblock.nodeByteCount)
    where try isNode(at: start, buffer) {
      found.append(mergingInto: start..<start + UInt64(superblock.nodeByteCount))
    }
    return found
  }

  /// Whether a node of this file system's past is at a logical address.
  private func isNode(
    at address: UInt64, _ buffer: IOBuffer
  ) throws(FileSystemError) -> Bool {
    for place in nodes.places(of: address, count: UInt64(buffer.byteCount)) {
      do throws(BlockIOError) {
        try source.read(at: place, into: buffer, 0..<buffer.byteCount)
      } catch {
        guard error.isUnreadableMedium else { throw .io(error) }
        continue
      }
      let bytes = buffer.bytes(0..<buffer.byteCount)
      if let node = BtrfsNode(checking: bytes, by: superblock.checksum),
        node.header.address == address, node.header.uuid == superblock.nodeUUID,
        node.header.generation <= superblock.generation
      {
        return true
      }
    }
    return false
  }
}

extension Range<UInt64> {
  /// It with the rest of the units that it begins and ends in.
  fileprivate func wholeUnits(of byteCount: Int) -> Range<UInt64> {
    let unit = UInt64(byteCount)
    return lowerBound / unit * unit..<(upperBound + unit - 1) / unit * unit
  }
}
