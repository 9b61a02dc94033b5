import BlockIO
import FileSystemFormat

extension ExtFileSystem {
  /// The number of bytes of inode tables read at once.
  private static let pieceByteCount = 1 << 20
  private static let damageCountMax = 1000
  /// So many groups are lost in no file system of which anything can be read.
  private static let uselessCountMax = 1 << 16

  /// Calls `body` with each inode, in the order of their numbers, until it returns false.
  ///
  /// The inode tables are read from beginning to end, as far as they were ever used. Inodes
  /// reserved for the file system itself, or with values of attributes, are left out.
  ///
  /// - Parameter isDeletedIncluded: Whether to include inodes that have no name any more.
  /// - Returns: What could not be read.
  public func forEachInode(
    isDeletedIncluded: Bool, _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    var damage: [FileSystemDamage] = []
    var tables = ExtTableClaims(blockCount: superblock.tableBlockCount)
    let buffer = IOBuffer(
      byteCount: max(Self.pieceByteCount, superblock.blockByteCount))
    let groupCount = UInt32(truncatingIfNeeded: superblock.groupCount)
    var lostGroups: (first: UInt32, last: UInt32)?
    func report() {
      guard let (first, last) = lostGroups, damage.count < Self.damageCountMax else { return }
      damage.append(
        FileSystemDamage(
          first == last
            ? "descriptor of group \(first): lost" : "descriptors of groups \(first)-\(last): lost"
        ))
      lostGroups = nil
    }
    var uselessCount = 0
    for index in 0..<groupCount {
      guard uselessCount < Self.uselessCountMax else {
        damage.append(
          FileSystemDamage("groups from \(index) on: not read, too many before are damaged"))
        break
      }
      guard let group = try reader.group(index) else {
        lostGroups = (lostGroups?.first ?? index, index)
        uselessCount += 1
        continue
      }
      report()
      if let problem = group.damage { damage.append(problem, max: Self.damageCountMax) }
      let count = reader.usedInodeCount(group)
      if count == 0 { continue }
      let place = group.descriptor.inodeTable * reader.blockByteCount
      let isInside = place < reader.source.byteCount
      guard isInside, tables.claim(group.descriptor.inodeTable) else {
        damage.append(
          FileSystemDamage(
            "inode table of group \(index): "
              + (isInside ? "overlaps another" : "beyond the end of the source")),
          max: Self.damageCountMax)
        uselessCount += 1
        continue
      }
      let table = Table(
        place: place, first: index * superblock.inodesPerGroup + 1, count: Int(count))
      let goesOn = try read(
        table, isDeletedIncluded: isDeletedIncluded, buffer, &damage, body)
      if !goesOn { break }
    }
    report()
    return damage
  }

  /// The part of an inode table that was ever used.
  private struct Table {
    let place: UInt64
    let first: UInt32
    let count: Int
  }

  /// Reads a table; false if `body` does not want more.
  private func read(
    _ table: Table, isDeletedIncluded: Bool, _ buffer: IOBuffer,
    _ damage: inout [FileSystemDamage], _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let size = superblock.inodeByteCount
    let perPiece = buffer.byteCount / size
    var done = 0
    while done < table.count {
      let count = min(perPiece, table.count - done)
      let start = table.place + UInt64(done * size)
      guard start < reader.source.byteCount else {
        damage.append(
          FileSystemDamage(
            "inode table: beyond the end of the source",
            at: start..<start + UInt64((table.count - done) * size)),
          max: Self.damageCountMax)
        return true
      }
      let unreadable = try fill(buffer, count * size, at: start)
      for range in unreadable {
        damage.append(
          FileSystemDamage("inode table: cannot be read", at: range), max: Self.damageCountMax)
      }
      for index in 0..<count {
        let bytes = index * size..<(index + 1) * size
        let place = start + UInt64(bytes.lowerBound)
        if !unreadable.isEmpty, unreadable.overlaps(place..<place + UInt64(size)) { continue }
        let number = table.first + UInt32(done + index)
        switch verdict(buffer.bytes(bytes), number, at: place) {
        case .unused: continue
        case .damaged(let problem): damage.append(problem, max: Self.damageCountMax)
        case .inode(let inode):
          guard inode.isAllocated || isDeletedIncluded, isShown(inode) else { continue }
          if try !body(inode) { return false }
        }
      }
      done += count
    }
    return true
  }

  /// Reads the readable parts into a buffer; returns the unreadable ranges.
  private func fill(
    _ buffer: IOBuffer, _ byteCount: Int, at start: UInt64
  ) throws(FileSystemError) -> [Range<UInt64>] {
    let source = reader.source
    let inside = Int(min(UInt64(byteCount), source.byteCount - min(start, source.byteCount)))
    var unreadable = try wrapping(
      FileSystemError.io, try source.readAround(at: start, into: buffer, 0..<inside))
    if inside < byteCount {
      unreadable.append(mergingInto: start + UInt64(inside)..<start + UInt64(byteCount))
    }
    return unreadable
  }

  /// Whether an inode is a file, and not reserved for the file system itself.
  private func isShown(_ inode: Inode) -> Bool {
    let number = UInt32(truncatingIfNeeded: inode.id.number)
    if inode.id == root { return true }
    guard number >= superblock.firstInode, !superblock.hiddenInodes.contains(number) else {
      return false
    }
    return !Ext4InodeFields(decoding: inode.record.span).flags.contains(.isAttributeValue)
  }
}

/// The inode tables read so far: no byte is in two, whatever the descriptors say.
private struct ExtTableClaims {
  let blockCount: UInt64
  /// The first block of each, by where in units of a table it is: one of each fits there.
  private var starts: [UInt64: UInt64] = [:]

  init(blockCount: UInt64) { self.blockCount = blockCount }

  /// Takes a table; false if it overlaps one that was taken.
  mutating func claim(_ start: UInt64) -> Bool {
    let unit = start / blockCount
    for other in [unit == 0 ? 0 : unit - 1, unit, unit + 1] {
      if let taken = starts[other], max(taken, start) - min(taken, start) < blockCount {
        return false
      }
    }
    starts[unit] = start
    return true
  }
}

extension [Range<UInt64>] {
  /// Whether any of the ranges, which are ascending, has a byte of another.
  fileprivate func overlaps(_ range: Range<UInt64>) -> Bool {
    let index = indexOfFirst(endingAfter: range.lowerBound)
    return index < count && self[index].lowerBound < range.upperBound
  }
}

extension [FileSystemDamage] {
  /// Appends one, unless there are too many already.
  mutating func append(_ damage: FileSystemDamage, max: Int) {
    if count < max { append(damage) }
  }
}
