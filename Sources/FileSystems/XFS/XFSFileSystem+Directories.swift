import BlockIO
import FileSystemFormat

extension XFSFileSystem {
  /// Calls `body` with each entry of a directory but `.` and `..`, in the order of the disk, until
  /// it returns false.
  ///
  /// Names that were removed are among them, as far as their bytes are left (not in a directory
  /// that fits into its inode). Of their inode's number only the lower 32 bits are left; the
  /// upper ones are the directory's.
  public func forEachEntry(
    of directory: Inode, _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    guard directory.kind == .directory else {
      throw .wrongKind(name(of: directory), "a directory")
    }
    let decoded = try decoded(directory)
    if decoded.data.format == .local { return try shortEntries(of: directory, decoded, body) }
    var walk = XFSDirectoryWalk(self, directory.id.number)
    try walk.forEachEntry(decoded, directory.record, body)
    return walk.damage
  }

  private func shortEntries(
    of directory: Inode, _ decoded: XFSInode,
    _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    let number = directory.id.number
    let range = decoded.data.bytes
    let end = range.lowerBound + Int(min(directory.byteCount, UInt64(range.count)))
    var damage: [FileSystemDamage] = []
    let isWhole = try XFSDirectory.forEachName(
      short: directory.record.span.extracting(range.lowerBound..<end),
      hasFileTypes: reader.superblock.hasFileTypes
    ) { name throws(FileSystemError) in
      guard let entry = entry(name, of: number) else {
        damage.append(FileSystemDamage("directory \(number): a name of an impossible inode"))
        return true
      }
      return try body(entry)
    }
    if !isWhole { damage.append(FileSystemDamage("directory \(number): its names are cut")) }
    return damage
  }

  /// An entry; nil if no inode has its number.
  func entry(_ name: XFSDirectoryName, of directory: UInt64) -> DirectoryEntry? {
    guard reader.geometry.byteOffset(ofInode: name.inode) != nil else { return nil }
    let kind = FileKind(mode: name.mode)
    return DirectoryEntry(
      name: name.name, id: FileID(name.inode), kind: kind == .unknown ? nil : kind,
      isDeleted: name.isDeleted)
  }
}

/// A walk over the blocks of a directory that have its names.
struct XFSDirectoryWalk {
  private static let bufferByteCount = 256 << 10
  private static let damageCountMax = 100

  private let system: XFSFileSystem
  private let number: UInt64
  private(set) var damage: [FileSystemDamage] = []

  init(_ system: XFSFileSystem, _ number: UInt64) { (self.system, self.number) = (system, number) }

  private var blockByteCount: Int { system.reader.geometry.directoryBlockByteCount }

  private mutating func note(_ problem: String, at bytes: Range<UInt64>? = nil) {
    damage.append(
      FileSystemDamage("directory \(number): \(problem)", at: bytes), max: Self.damageCountMax)
  }

  mutating func forEachEntry(
    _ decoded: XFSInode, _ record: [UInt8],
    _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) {
    let map = try XFSForkMap(system.reader, decoded.data, of: number, record)
    damage = map.damage
    // Hostile: blocks that occur again and again would have no end.
    guard map.extents.repetitions.isEmpty else { return note("has blocks that occur twice") }
    let size = UInt64(blockByteCount)
    let buffer = IOBuffer(byteCount: max(Self.bufferByteCount, blockByteCount))
    var position: UInt64 = 0
    for extent in map.extents {
      guard case .data(let start) = extent.place else { continue }
      let end = min(extent.file.upperBound, XFSDirectory.leafStart)
      position = max(position, extent.file.lowerBound / size * size)
      while position < end {
        // As many whole blocks as are in the extent, or one that is in several.
        let first = extent.file.lowerBound
        let whole = position >= first ? (end - position) / size * size : 0
        let count = min(max(whole, size), UInt64(buffer.byteCount) / size * size)
        if count == UInt64(buffer.byteCount), whole > 0,
          case let hole = min(
            try system.reader.source.holeByteCount(from: start + (position - first)), whole),
          hole >= UInt64(Self.bufferByteCount)
        {
          note("some of it is nowhere")
          position += hole / size * size
          continue
        }
        let file = position..<position + count
        position = file.upperBound
        if whole > 0 {
          let place = start + (file.lowerBound - first)
          guard try read(place..<place + count, buffer, body) else { return }
        } else if let places = map.places(file) {
          guard try read(pieces: places, buffer, body) else { return }
        } else {
          note("a block of which only a part is there")
        }
      }
    }
  }

  /// Reads blocks that lie in a row.
  private mutating func read(
    _ place: Range<UInt64>, _ buffer: IOBuffer,
    _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let isRead = try system.reader.read(at: place.lowerBound, into: buffer, 0..<place.count)
    for offset in stride(from: 0, to: place.count, by: blockByteCount) {
      let start = place.lowerBound + UInt64(offset)
      let range = start..<start + UInt64(blockByteCount)
      let part = offset..<offset + blockByteCount
      if !isRead, try !system.reader.read(at: start, into: buffer, part) {
        note("a block cannot be read", at: range)
        continue
      }
      guard try entries(in: buffer, part, at: range, body) else { return false }
    }
    return true
  }

  /// Reads a block that lies in several pieces.
  private mutating func read(
    pieces: [Range<UInt64>], _ buffer: IOBuffer,
    _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    var offset = 0
    for piece in pieces {
      let part = offset..<offset + piece.count
      guard try system.reader.read(at: piece.lowerBound, into: buffer, part) else {
        note("a block cannot be read", at: piece)
        return true
      }
      offset = part.upperBound
    }
    return try entries(in: buffer, 0..<offset, at: pieces[0], body)
  }

  private mutating func entries(
    in buffer: IOBuffer, _ part: Range<Int>, at place: Range<UInt64>,
    _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let (superblock, system, number) = (system.reader.superblock, system, number)
    var problems: [String] = []
    let goesOn = try buffer.withBytes(part) { bytes throws(FileSystemError) -> Bool in
      var kind: XFSBlock.Kind
      if superblock.hasChecksums {
        kind = bytes.big(at: 0, as: UInt32.self) == 0x5844_4233 ? .directory : .directoryData
        switch system.reader.verdict(bytes, [kind], at: place.lowerBound, owner: number) {
        case .intact: break
        // Its kind, its place and its owner are right: its names are all that is left of the
        // directory.
        case .wrongChecksum: problems.append("a block has a wrong checksum")
        case .wrong(let problem):
          problems.append("a block \(problem)")
          return true
        }
      } else if let old = XFSDirectory.oldKind(bytes) {
        kind = old
      } else {
        problems.append("a block is something else")
        return true
      }
      var impossible = 0
      let (problem, goesOn) = try XFSDirectory.forEachName(
        in: bytes, kind: kind, of: number, hasChecksums: superblock.hasChecksums,
        hasFileTypes: superblock.hasFileTypes
      ) { name throws(FileSystemError) in
        // Itself and its parent are no entries; nor is a removed name that leads nowhere.
        if name.name == [0x2e] || name.name == [0x2e, 0x2e] { return true }
        guard let entry = system.entry(name, of: number) else {
          if !name.isDeleted { impossible += 1 }
          return true
        }
        return try body(entry)
      }
      if let problem { problems.append("a block is damaged from its byte \(problem) on") }
      if impossible > 0 { problems.append("\(impossible) names of impossible inodes") }
      return goesOn
    }
    for problem in problems { note(problem, at: place) }
    return goesOn
  }
}
