import BlockIO
import FileSystemFormat

/// A pass over the inodes of one group after another, in large reads.
struct XFSInodeScan {
  private static let bufferByteCount = 1 << 20

  private let system: XFSFileSystem
  private let isDeletedIncluded: Bool
  private let buffer = IOBuffer(byteCount: Self.bufferByteCount)
  /// Damage met so far.
  private(set) var damage: [FileSystemDamage] = []

  /// Inodes that lie in a row on the disk.
  private struct Run {
    /// Their numbers within the group.
    var inodes: Range<UInt64>
    /// The group's chunks that they are in.
    var chunks: Range<Int>
  }

  init(_ system: XFSFileSystem, isDeletedIncluded: Bool) {
    (self.system, self.isDeletedIncluded) = (system, isDeletedIncluded)
  }

  private var geometry: XFSGeometry { system.reader.geometry }
  private var inodeByteCount: UInt64 { UInt64(geometry.inodeByteCount) }

  /// Scans a group.
  ///
  /// - Returns: Whether to go on.
  mutating func scan(
    group: UInt64, _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let known = try system.groupChunks(group)
    damage += known.damage
    guard let start = geometry.byteOffset(ofGroup: group) else { return true }
    let runs = runs(of: known.chunks)
    for (index, run) in runs.enumerated() {
      if index % 8 == 0 {
        system.reader.source.willRead(
          runs[index..<min(index + 8, runs.count)].map { bytes($0.inodes, from: start) })
      }
      guard try scan(run, known, group, from: start, body) else { return false }
    }
    guard !known.damage.isEmpty, system.reader.superblock.hasChecksums else { return true }
    return try search(group, from: start, known, body)
  }

  private func bytes(_ inodes: Range<UInt64>, from start: UInt64) -> Range<UInt64> {
    start + inodes.lowerBound * inodeByteCount..<start + inodes.upperBound * inodeByteCount
  }

  /// The runs to read at once: at most a buffer.
  private func runs(of chunks: [XFSInodeChunk]) -> [Run] {
    let countMax = UInt64(Self.bufferByteCount) / inodeByteCount
    var runs: [Run] = []
    for (index, chunk) in chunks.enumerated() {
      if !isDeletedIncluded, chunk.free | ~chunk.present == .max { continue }
      var bit: UInt64 = 0
      while bit < 64 {
        let rest = chunk.present >> bit
        guard rest != 0 else { break }
        bit += UInt64(rest.trailingZeroBitCount)
        let length = UInt64(min((~(chunk.present >> bit)).trailingZeroBitCount, Int(64 - bit)))
        let inodes = chunk.first + bit..<chunk.first + bit + length
        if let last = runs.last, last.inodes.upperBound == inodes.lowerBound,
          inodes.upperBound - last.inodes.lowerBound <= countMax
        {
          runs[runs.count - 1].inodes = last.inodes.lowerBound..<inodes.upperBound
          runs[runs.count - 1].chunks = last.chunks.lowerBound..<index + 1
        } else {
          runs.append(Run(inodes: inodes, chunks: index..<index + 1))
        }
        bit += length
      }
    }
    return runs
  }

  private mutating func scan(
    _ run: Run, _ known: XFSGroupChunks, _ group: UInt64, from start: UInt64,
    _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let place = bytes(run.inodes, from: start)
    guard place.upperBound <= geometry.byteCount else {
      damage.append(FileSystemDamage("inodes of group \(group): are beyond the end", at: place))
      return true
    }
    let unreadable = try readAround(place)
    for bytes in unreadable {
      damage.append(FileSystemDamage("inodes of group \(group): cannot be read", at: bytes))
    }
    var index = run.chunks.lowerBound
    for inode in run.inodes {
      while inode >= known.chunks[index].first + 64 { index += 1 }
      let chunk = known.chunks[index]
      let isFree = chunk.free >> (inode - chunk.first) & 1 != 0
      if isFree, !isDeletedIncluded { continue }
      let slot = bytes(inode..<inode + 1, from: start)
      if unreadable.contains(where: { $0.overlaps(slot) }) { continue }
      let offset = Int(slot.lowerBound - place.lowerBound)
      let record = buffer.bytes(offset..<offset + geometry.inodeByteCount)
      let number = group << system.groupInodeBits | inode
      switch system.decode(record, number, at: slot, !isFree, true) {
      case .success(let found?): if try !body(found) { return false }
      case .success(nil): break
      // Inodes that are free and were never written are not damaged.
      case .failure(let failure): if !isFree { damage.append(failure.damage) }
      }
    }
    return true
  }

  private func readAround(_ place: Range<UInt64>) throws(FileSystemError) -> [Range<UInt64>] {
    do throws(BlockIOError) {
      return try system.reader.source.readAround(
        at: place.lowerBound, into: buffer, 0..<place.count)
    } catch { throw .io(error) }
  }

  // MARK: - Without a btree

  /// Looks for inodes at every place of a group where its chunks have none.
  private mutating func search(
    _ group: UInt64, from start: UInt64, _ known: XFSGroupChunks,
    _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let blocks = min(
      geometry.groupBlockCount, geometry.blockCount - group * geometry.groupBlockCount)
    let end = start + blocks * UInt64(geometry.blockByteCount)
    var position = start
    while position < end {
      let next: Range<UInt64>?
      do throws(BlockIOError) { next = try system.reader.source.nextData(from: position) } catch {
        throw .io(error)
      }
      guard let data = next, data.lowerBound < end else { break }
      // Aligned to blocks, so that no inode is cut.
      let block = UInt64(geometry.blockByteCount)
      position = max(
        position, start + (max(data.lowerBound, start) - start) / block * block)
      let stop = min(end, system.reader.source.byteCount, position + UInt64(Self.bufferByteCount))
      guard stop > position else { break }
      guard try search(position..<stop, group, from: start, known, body) else { return false }
      position = stop
    }
    return true
  }

  private mutating func search(
    _ place: Range<UInt64>, _ group: UInt64, from start: UInt64, _ known: XFSGroupChunks,
    _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let unreadable = try readAround(place)
    let size = geometry.inodeByteCount
    for offset in stride(from: 0, through: place.count - size, by: size) {
      let isInode = buffer.withBytes(offset..<offset + 8) {
        $0[0] == 0x49 && $0[1] == 0x4e && $0[4] == 3
      }
      let slot = place.lowerBound + UInt64(offset)..<place.lowerBound + UInt64(offset + size)
      guard isInode, !unreadable.contains(where: { $0.overlaps(slot) }) else { continue }
      let inode = (slot.lowerBound - start) / inodeByteCount
      guard known.isAllocated(inode) == nil else { continue }
      let number = group << system.groupInodeBits | inode
      let record = buffer.bytes(offset..<offset + size)
      switch system.decode(record, number, at: slot, nil, false) {
      case .success(let found?):
        if found.isAllocated || isDeletedIncluded { if try !body(found) { return false } }
      case .success(nil): break
      case .failure(let failure):
        // Only bytes that claim to be this inode are a damaged inode; others may be anything.
        if system.reader.verdict(record.span, [.inode], at: slot.lowerBound, owner: number)
          == .wrongChecksum
        {
          damage.append(failure.damage)
        }
      }
    }
    return true
  }
}
