#if TSK
  public import BlockIO
  internal import TSK

  extension TSKFileSystem {
    // The longest value that Linux gives as an extended attribute.
    private static let valueByteCountMax: UInt64 = 64 << 10

    // libtsk's numbers of types of streams, `TSK_FS_ATTR_TYPE_ENUM`.
    private enum Stream {
      static let ntfsData: UInt32 = 0x80
      static let hfsResource: UInt32 = 0x1101
      static let hfsAttribute: UInt32 = 0x1102
    }

    public func map(of inode: Inode) throws(FileSystemError) -> FileMap {
      do throws(FileSystemError) { return map(of: try contentStream(of: inode)) } catch {
        guard case .damaged(_, let damage) = error else { throw error }
        let extents = inode.byteCount == 0 ? [] : [FileExtent(0..<inode.byteCount, .lost)]
        return FileMap(extents: extents, damage: [damage])
      }
    }

    private func map(of stream: TSKAttribute?) -> FileMap {
      guard let stream else { return FileMap() }
      return TSKMap(
        stream, blockByteCount: volume.blockByteCount, sourceByteCount: source.byteCount,
        method: volume.family == .ntfs ? "lznt1" : "decmpfs"
      ).map
    }

    /// The stream that is the content; nil of an empty file.
    private func contentStream(of inode: Inode) throws(FileSystemError) -> TSKAttribute? {
      try calling("content of inode \(inode.id.number)") { () throws(TSKError) in
        try volume.contentStream(of: inode.id.number)
      }
    }

    /// The content of a regular file.
    ///
    /// Compressed data is read through libtsk, all else from the source itself.
    public func content(of inode: Inode) throws(FileSystemError) -> any BlockSource {
      guard inode.kind == .regular else {
        throw .wrongKind(source.name, "a regular file: inode \(inode.id.number)")
      }
      let name = "\(source.name): inode \(inode.id.number)"
      var stream: TSKAttribute?
      do throws(FileSystemError) { stream = try contentStream(of: inode) } catch {
        guard case .damaged = error else { throw error }
        return TSKContent(
          name, self, inode.id.number, nil, byteCount: inode.byteCount, try map(of: inode))
      }
      guard let stream else {
        return TSKContent(name, self, inode.id.number, nil, byteCount: 0, FileMap())
      }
      if stream.isEncrypted {
        throw .unsupported(source.name, "encryption, of inode \(inode.id.number),")
      }
      return TSKContent(
        name, self, inode.id.number, stream, byteCount: stream.byteCount, map(of: stream))
    }

    public func target(ofLink inode: Inode) throws(FileSystemError) -> [UInt8] {
      let metadata = try calling("inode \(inode.id.number)") { () throws(TSKError) in
        try volume.metadata(of: inode.id.number)
      }
      guard metadata.kind == .link, let target = metadata.target else {
        throw .wrongKind(source.name, "a symbolic link: inode \(inode.id.number)")
      }
      return target
    }

    /// The other streams of a file.
    ///
    /// Those of NTFS as `user.NAME`, as ntfs-3g has them, the resource fork of HFS+ as
    /// `user.com.apple.ResourceFork`, its attributes as `user.NAME`. Values longer than 64 KiB,
    /// Linux' limit, are left out.
    public func attributes(of inode: Inode) throws(FileSystemError) -> ExtendedAttributes {
      var attributes = ExtendedAttributes(of: "inode \(inode.id.number)")
      let streams: [TSKAttribute]
      do throws(FileSystemError) {
        streams = try calling("streams") { () throws(TSKError) in
          try volume.attributes(of: inode.id.number)
        }
      } catch {
        if error.isFatal { throw error }
        attributes.note(error.damage.problem, at: error.damage.bytes)
        return attributes
      }
      for stream in streams where stream.byteCount <= Self.valueByteCountMax {
        let name: [UInt8]
        switch stream.type {
        case Stream.ntfsData where volume.family == .ntfs:
          guard let own = stream.name, !own.isEmpty, !own.elementsEqual("N/A".utf8) else {
            continue
          }
          name = Array("user.".utf8) + own
        case Stream.hfsResource where stream.byteCount > 0:
          name = Array("user.com.apple.ResourceFork".utf8)
        case Stream.hfsAttribute: name = Array("user.".utf8) + (stream.name ?? [])
        default: continue
        }
        let range = 0..<Int(stream.byteCount)
        guard attributes.hasRoom(forName: name, byteCount: range.count) else { break }
        let content = TSKContent(
          source.name, self, inode.id.number, stream, byteCount: stream.byteCount,
          map(of: stream))
        let buffer = IOBuffer(byteCount: range.count)
        do throws(BlockIOError) { try content.read(at: 0, into: buffer, range) } catch {
          guard error.isUnreadableMedium else { throw .io(error) }
          attributes.note("\(EscapedName.text(name)): \(error)", at: error.byteRange)
          continue
        }
        attributes.add(name, buffer.bytes(range))
      }
      attributes.sort()
      return attributes
    }
  }
#endif
