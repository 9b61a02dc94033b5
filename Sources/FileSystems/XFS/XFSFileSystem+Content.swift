public import BlockIO
import FileSystemFormat

extension XFSFileSystem {
  /// Decodes the record of an inode that this file system gave.
  func decoded(_ inode: Inode) throws(FileSystemError) -> XFSInode {
    guard inode.record.count == reader.geometry.inodeByteCount,
      let decoded = XFSInode(inode.record.span, version: reader.superblock.version)
    else { throw damaged("inode \(inode.id.number): is none") }
    return decoded
  }

  // MARK: - Maps

  /// Where the content of a file is.
  ///
  /// Includes blocks reserved beyond its end. Of a deleted file, the blocks still in its inode,
  /// which may belong to other files since. Of a directory, the blocks with its names; the others
  /// are structures.
  ///
  /// - Throws: `unsupported` if the content is on a real-time device.
  public func map(of inode: Inode) throws(FileSystemError) -> FileMap {
    let decoded = try decoded(inode)
    let number = inode.id.number
    if decoded.isRealTime { throw .unsupported(source.name, "a file on a real-time device") }
    if decoded.mode == 0 { return FileMap(extents: remains(of: decoded, inode.record)) }
    var map: FileMap
    if decoded.data.format == .local {
      map = FileMap(extents: inlineExtents(of: inode, decoded))
    } else {
      let fork = try XFSForkMap(reader, decoded.data, of: number, inode.record)
      map = FileMap(extents: fork.extents, structures: fork.blocks, damage: fork.damage)
      if inode.kind == .directory {
        map.structures += map.extents.filter { $0.file.lowerBound >= XFSDirectory.leafStart }
          .compactMap(\.sourceRange)
        map.extents.removeAll { $0.file.lowerBound >= XFSDirectory.leafStart }
      }
    }
    if let attributes = decoded.attributes {
      let fork = try XFSForkMap(reader, attributes, of: number, inode.record)
      map.structures += fork.blocks + fork.extents.compactMap(\.sourceRange)
      map.damage += fork.damage
    }
    return map
  }

  /// With the feature reflink, files that were cloned and their clones are marked.
  ///
  /// They lose the mark when they are unshared, which writes nothing if the others are gone.
  public func sharing(of inode: Inode) -> ExtentSharing {
    guard reader.superblock.hasSharedExtents else { return .never }
    return (try? decoded(inode))?.mayShareBlocks == false ? .past : .present
  }

  private func inlineExtents(of inode: Inode, _ decoded: XFSInode) -> [FileExtent] {
    guard let start = reader.geometry.byteOffset(ofInode: inode.id.number) else { return [] }
    let count = min(inode.byteCount, UInt64(decoded.data.bytes.count))
    let first = start + UInt64(decoded.data.bytes.lowerBound)
    return count == 0 ? [] : [FileExtent(0..<count, .inline(first..<first + count))]
  }

  /// The extents that an inode still has after it was freed: Linux only counts them as none.
  func remains(of inode: XFSInode, _ record: [UInt8]) -> [FileExtent] {
    guard inode.mode == 0 else { return [] }
    let (bytes, geometry) = (record.span, reader.geometry)
    var (found, end) = ([FileExtent](), UInt64(0))
    for offset in stride(
      from: inode.literalStart, through: bytes.count - XFSExtent.byteCount,
      by: XFSExtent.byteCount)
    {
      let extent = XFSExtent(bytes, at: offset)
      // Any bytes may be there: an invalid extent ends them, or one beyond any sensible length.
      guard let place = geometry.bytes(ofBlocks: extent.block, count: extent.blockCount),
        let file = geometry.fileBytes(of: extent), extent.fileBlock < 1 << 32,
        file.lowerBound >= end
      else { break }
      end = file.upperBound
      found.append(
        FileExtent(
          file,
          extent.isUnwritten ? .unwritten(at: place.lowerBound) : .data(at: place.lowerBound)))
    }
    return found
  }

  // MARK: - Content

  /// The content of a regular file, or the remains of a deleted one.
  public func content(of inode: Inode) throws(FileSystemError) -> any BlockSource {
    guard inode.kind == .regular || inode.kind == .unknown && !inode.isAllocated else {
      throw .wrongKind(name(of: inode), "a regular file")
    }
    let map = try map(of: inode)
    return ExtentContent(
      name(of: inode), reader.source, byteCount: inode.byteCount, map.extents)
  }

  func name(of inode: Inode) -> String { "\(source.name): inode \(inode.id.number)" }

  // MARK: - Symbolic links

  public func target(ofLink inode: Inode) throws(FileSystemError) -> [UInt8] {
    guard inode.kind == .link else { throw .wrongKind(name(of: inode), "a symbolic link") }
    let decoded = try decoded(inode)
    let number = inode.id.number
    guard 1...1024 ~= inode.byteCount else {
      throw damaged("inode \(number): a link of \(inode.byteCount) bytes")
    }
    let count = Int(inode.byteCount)
    if decoded.data.format == .local {
      guard count <= decoded.data.bytes.count else {
        throw damaged("inode \(number): a link of \(count) bytes in the inode")
      }
      let start = decoded.data.bytes.lowerBound
      return Array(inode.record[start..<start + count])
    }
    let fork = try XFSForkMap(reader, decoded.data, of: number, inode.record)
    if let damage = fork.damage.first { throw .damaged(source.name, damage) }
    var target: [UInt8] = []
    for extent in fork.extents {
      guard target.count < count else { break }
      // A link is 1024 bytes at most, in blocks of 512 at least; no file reserves more.
      guard let place = extent.sourceRange, place.count <= 3 << 16 else { break }
      target += try linkBytes(place, number, after: target.count, limit: count)
    }
    guard target.count == count else { throw damaged("inode \(number): a link that is cut") }
    return target
  }

  /// The bytes of a link in blocks that follow each other, which have one header.
  private func linkBytes(
    _ place: Range<UInt64>, _ number: UInt64, after start: Int, limit: Int
  ) throws(FileSystemError) -> [UInt8] {
    guard let bytes = try reader.bytes(place) else {
      throw damaged("inode \(number): its link cannot be read", at: place)
    }
    guard reader.superblock.hasChecksums else { return Array(bytes.prefix(limit - start)) }
    // The blocks may be more than the link needs: the checksum is of those that it needs.
    let block = reader.geometry.blockByteCount
    let room = bytes.count / block
    let needed = min(room, (limit - start + XFSRemoteHeader.byteCount + block - 1) / block)
    let used = bytes.span.extracting(0..<needed * block)
    let problem = reader.verdict(
      used, [.symbolicLink], at: place.lowerBound, owner: number
    ).problem
    let header = XFSRemoteHeader(used)
    let count = Int(header.count)
    guard problem == nil, Int(header.start) == start, count <= limit - start,
      count <= used.count - XFSRemoteHeader.byteCount
    else {
      throw damaged("inode \(number): its link: \(problem ?? "a wrong header")", at: place)
    }
    return used.array(XFSRemoteHeader.byteCount..<XFSRemoteHeader.byteCount + count)
  }
}
