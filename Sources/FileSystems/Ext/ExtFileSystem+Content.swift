public import BlockIO
import FileSystemFormat

extension ExtFileSystem {
  /// Where the content of a file is.
  ///
  /// In whole blocks, also beyond the file's end: blocks reserved there, or the Merkle tree of a
  /// file with fs-verity. Of a deleted file, the blocks still in its inode, which may belong to
  /// other files since. Where data is journaled, its last version may be in the journal, and not
  /// yet there.
  public func map(of inode: Inode) throws(FileSystemError) -> FileMap {
    let fields = try fields(of: inode)
    var map = FileMap()
    switch inode.kind {
    case .regular, .directory, .link:
      if hasContentInInode(inode, fields) {
        let pieces = try inlinePieces(of: inode, fields)
        map.extents = pieces.extents
        map.damage = pieces.damage
      } else {
        let size = reader.blockByteCount
        var blocks = ExtMap(
          reader, number: UInt32(truncatingIfNeeded: inode.id.number),
          generation: fields.generation, blockLimit: inode.byteCount / size + 1)
        try blocks.read(inode.record.span.extracting(Ext4Inode.map), fields.flags)
        map = FileMap(
          extents: blocks.extents, structures: blocks.structures, damage: blocks.damage)
      }
    default: break
    }
    try addAttributes(of: inode, fields, to: &map)
    return map
  }

  /// Whether the content is in the inode: of a short link, or with the feature inline_data.
  private func hasContentInInode(_ inode: Inode, _ fields: Ext4InodeFields) -> Bool {
    fields.flags.contains(.hasInlineData)
      || inode.kind == .link && !fields.flags.contains(.hasExtents)
        && inode.byteCount < UInt64(Ext4Inode.map.count)
  }

  /// The parts of an inode's content in the inode.
  struct InlinePieces {
    var bytes: [UInt8] = []
    var extents: [FileExtent] = []
    var damage: [FileSystemDamage] = []
  }

  /// The content of a file that is in its inode: first where the map would be, then in an
  /// attribute.
  func inlinePieces(
    of inode: Inode, _ fields: Ext4InodeFields
  ) throws(FileSystemError) -> InlinePieces {
    var pieces = InlinePieces()
    let number = UInt32(truncatingIfNeeded: inode.id.number)
    let place = try reader.place(ofInode: number)
    var ranges = [Ext4Inode.map]
    let rest = inlineAttribute(of: inode, fields)
    if fields.flags.contains(.hasInlineData), let rest { ranges.append(rest) }
    var position: UInt64 = 0
    for range in ranges {
      let count = min(UInt64(range.count), inode.byteCount - position)
      if count == 0 { break }
      let source = place.map { $0 + UInt64(range.lowerBound) }
      pieces.extents.append(
        FileExtent(position..<position + count, .inline(source.map { $0..<$0 + count })))
      pieces.bytes += inode.record[range].prefix(Int(count))
      position += count
    }
    // Beyond that is a hole: Linux extends a file without moving its content out of the inode.
    if fields.flags.contains(.hasInlineData), rest == nil, position < inode.byteCount {
      pieces.extents.append(FileExtent(position..<inode.byteCount, .lost))
      pieces.damage.append(FileSystemDamage("inode \(number): content in the inode is missing"))
    }
    return pieces
  }

  // MARK: - Content

  /// The content of a regular file, including its blocks in the journal.
  ///
  /// - Throws: `unsupported` for encrypted or compressed content.
  public func content(of inode: Inode) throws(FileSystemError) -> any BlockSource {
    guard inode.kind == .regular else { throw .wrongKind(source.name, "a regular file") }
    return try bytes(of: inode)
  }

  /// The content of a file or a link.
  func bytes(of inode: Inode) throws(FileSystemError) -> ExtentContent {
    let fields = try fields(of: inode)
    if fields.flags.contains(.isEncrypted) {
      throw .unsupported(source.name, "inode \(inode.id.number): encrypted content")
    }
    if fields.flags.contains(.hasCompressedBlocks), superblock.incompatible & 1 != 0 {
      throw .unsupported(source.name, "inode \(inode.id.number): compressed content")
    }
    let name = "\(source.name): inode \(inode.id.number)"
    if hasContentInInode(inode, fields) {
      let pieces = try inlinePieces(of: inode, fields)
      return ExtentContent(
        name, reader.source, byteCount: inode.byteCount, pieces.extents, inline: pieces.bytes)
    }
    return ExtentContent(
      name, reader.source, byteCount: inode.byteCount, try map(of: inode).extents)
  }

  /// The target of a symbolic link.
  ///
  /// - Throws: `unsupported` for one that is encrypted; `damaged` if some of it cannot be read.
  public func target(ofLink inode: Inode) throws(FileSystemError) -> [UInt8] {
    guard inode.kind == .link else { throw .wrongKind(source.name, "a symbolic link") }
    let content = try bytes(of: inode)
    // Linux reads a block at most.
    guard inode.byteCount <= reader.blockByteCount else {
      throw .damaged(
        source.name, FileSystemDamage("inode \(inode.id.number): impossible length of a link"))
    }
    let buffer = IOBuffer(byteCount: Int(inode.byteCount))
    do throws(BlockIOError) {
      try content.read(at: 0, into: buffer, 0..<buffer.byteCount)
    } catch {
      guard error.isUnreadableMedium else { throw .io(error) }
      throw .damaged(
        source.name, FileSystemDamage("inode \(inode.id.number): the link cannot be read"))
    }
    // Up to a zero, as Linux does.
    return Array(buffer.bytes(0..<buffer.byteCount).prefix { $0 != 0 })
  }
}
