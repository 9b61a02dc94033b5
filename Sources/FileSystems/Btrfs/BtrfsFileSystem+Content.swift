public import BlockIO
internal import Compression
internal import FileSystemFormat

extension BtrfsFileSystem {
  /// Where the content of a file is; structures are the bytes that its items take in leaves.
  public func map(of inode: Inode) throws(FileSystemError) -> FileMap {
    guard let tree = tree(of: inode) else { return FileMap() }
    let pieces = try BtrfsPieces(
      of: inode, in: tree, name: "inode \(Self.name(inode.id))")
    var map = FileMap(structures: pieces.structures, damage: pieces.damage)
    map.extents.reserveCapacity(pieces.pieces.count)
    for piece in pieces.pieces {
      map.extents.append(FileExtent(piece.file, place(of: piece, copies: &map.copies)))
    }
    return map
  }

  private func place(
    of piece: BtrfsPiece, copies: inout [Range<UInt64>]
  ) -> FileExtent.Place {
    let (address, count): (UInt64, UInt64)
    switch piece.place {
    case .inline(_, let range?, let method?): return .compressed(range, method: method.rawValue)
    case .inline(_, let range, _): return .inline(range)
    case .lost: return .lost
    case .data(let start), .preallocated(let start):
      (address, count) = (start, piece.file.upperBound - piece.file.lowerBound)
    case .compressed(let extent): (address, count) = (extent.address, extent.diskByteCount)
    }
    let places = nodes.places(of: address, count: count)
    guard let first = places.first else { return .lost }
    copies += places.dropFirst().map { $0..<$0 + count }
    return switch piece.place {
    case .data: .data(at: first)
    case .compressed(let extent):
      .compressed(first..<first + count, method: extent.method.rawValue)
    default: .unwritten(at: first)
    }
  }

  public func content(of inode: Inode) throws(FileSystemError) -> any BlockSource {
    guard inode.kind == .regular else { throw .wrongKind(source.name, "a regular file") }
    return try bytes(of: inode)
  }

  public func target(ofLink inode: Inode) throws(FileSystemError) -> [UInt8] {
    guard inode.kind == .link else { throw .wrongKind(source.name, "a symbolic link") }
    let content = try bytes(of: inode)
    guard let byteCount = Int(exactly: inode.byteCount), byteCount <= 1 << 16 else {
      throw nodes.damaged("link \(Self.name(inode.id)): too long")
    }
    let buffer = IOBuffer(byteCount: byteCount)
    do throws(BlockIOError) {
      try content.read(at: 0, into: buffer, 0..<byteCount)
    } catch {
      guard error.isUnreadableMedium else { throw .io(error) }
      throw nodes.damaged("link \(Self.name(inode.id)): \(error)")
    }
    return buffer.bytes(0..<byteCount)
  }

  private func bytes(of inode: Inode) throws(FileSystemError) -> BtrfsContent {
    let name = "\(source.name): inode \(Self.name(inode.id))"
    guard let tree = tree(of: inode) else {
      return BtrfsContent(name, byteCount: 0, [], BtrfsData(nodes, []))
    }
    let pieces = try BtrfsPieces(of: inode, in: tree, name: name)
    let item = BtrfsInodeItem(decoding: inode.record.span)
    let isWithoutChecksums = item?.isWithoutDataChecksums ?? true
    return BtrfsContent(
      name, byteCount: inode.byteCount, pieces.pieces,
      BtrfsData(nodes, isWithoutChecksums ? [] : checksums))
  }
}
