#if TSK
  internal import CTSK

  extension TSKKind {
    init(_ type: TSK_FS_META_TYPE_ENUM) {
      self =
        switch type {
        case TSK_FS_META_TYPE_REG: .regular
        case TSK_FS_META_TYPE_DIR: .directory
        case TSK_FS_META_TYPE_FIFO: .fifo
        case TSK_FS_META_TYPE_CHR: .characterDevice
        case TSK_FS_META_TYPE_BLK: .blockDevice
        case TSK_FS_META_TYPE_LNK: .link
        case TSK_FS_META_TYPE_SOCK: .socket
        case TSK_FS_META_TYPE_VIRT: .virtual
        case TSK_FS_META_TYPE_VIRT_DIR: .virtualDirectory
        default: .unknown
        }
    }

    init(_ type: TSK_FS_NAME_TYPE_ENUM) {
      self =
        switch type {
        case TSK_FS_NAME_TYPE_REG: .regular
        case TSK_FS_NAME_TYPE_DIR: .directory
        case TSK_FS_NAME_TYPE_FIFO: .fifo
        case TSK_FS_NAME_TYPE_CHR: .characterDevice
        case TSK_FS_NAME_TYPE_BLK: .blockDevice
        case TSK_FS_NAME_TYPE_LNK: .link
        case TSK_FS_NAME_TYPE_SOCK: .socket
        case TSK_FS_NAME_TYPE_VIRT: .virtual
        case TSK_FS_NAME_TYPE_VIRT_DIR: .virtualDirectory
        default: .unknown
        }
    }
  }

  extension TSKTime {
    /// A time of the library's; one without a zone is shown as if it were UTC.
    fileprivate init(_ seconds: Int, _ nanoseconds: UInt32, hasZone: Bool) {
      let shown = hasZone || seconds == 0 ? Int64(seconds) : dmsnap_tsk_wall_clock(Int64(seconds))
      self.init(seconds: shown, nanoseconds: min(nanoseconds, 999_999_999))
    }
  }

  extension TSKMetadata {
    /// A copy of the library's, which is valid.
    init(_ metadata: TSK_FS_META, _ family: TSKFamily) {
      let hasZone = family == .ntfs || family == .hfsPlus
      unsafe self.init(
        address: metadata.addr, kind: TSKKind(metadata.type),
        permissions: UInt16(truncatingIfNeeded: metadata.mode.rawValue) & 0o7777,
        owner: metadata.uid, group: metadata.gid, linkCount: UInt32(max(metadata.nlink, 0)),
        byteCount: UInt64(max(metadata.size, 0)),
        modified: TSKTime(metadata.mtime, metadata.mtime_nano, hasZone: hasZone),
        accessed: TSKTime(metadata.atime, metadata.atime_nano, hasZone: hasZone),
        changed: TSKTime(metadata.ctime, metadata.ctime_nano, hasZone: hasZone),
        created: TSKTime(metadata.crtime, metadata.crtime_nano, hasZone: hasZone),
        isAllocated: metadata.flags.rawValue & TSK_FS_META_FLAG_UNALLOC.rawValue == 0,
        target: metadata.link.map { unsafe bytes($0) },
        firstCluster: Self.firstCluster(metadata, family))
    }
  }

  extension TSKMetadata {
    private static func firstCluster(_ metadata: TSK_FS_META, _ family: TSKFamily) -> UInt64? {
      switch family {
      case .fat12, .fat16, .fat32, .exFAT:
        // An exFAT file in one piece has no chain, and its runs already.
        guard unsafe metadata.type == TSK_FS_META_TYPE_REG,
          unsafe metadata.attr_state == TSK_FS_META_ATTR_EMPTY, unsafe metadata.content_len >= 8,
          let content = unsafe metadata.content_ptr
        else { return nil }
        return unsafe content.loadUnaligned(as: UInt64.self)
      case .ntfs, .iso9660, .hfsPlus: return nil
      }
    }
  }

  extension TSKName {
    /// A copy of the library's, which is valid.
    init(_ name: TSK_FS_NAME) {
      unsafe self.init(
        bytes: name.name.map { unsafe TSK.bytes($0) } ?? [], address: name.meta_addr,
        kind: TSKKind(name.type),
        isAllocated: name.flags.rawValue & TSK_FS_NAME_FLAG_UNALLOC.rawValue == 0)
    }
  }

  extension TSKAttribute {
    // No file has more runs than blocks; a hostile disk's chains are cut here.
    private static let runCountMax = 16 << 20

    /// A copy of the library's, which is valid.
    init(_ attribute: TSK_FS_ATTR) {
      let flags = unsafe attribute.flags.rawValue
      let byteCount = unsafe UInt64(max(attribute.size, 0))
      var resident: [UInt8]?
      if flags & TSK_FS_ATTR_RES.rawValue != 0 {
        let count = unsafe Int(min(byteCount, UInt64(attribute.rd.buf_size)))
        resident = unsafe Array(UnsafeBufferPointer(start: attribute.rd.buf, count: count))
      }
      var runs: [TSKRun] = []
      var next = unsafe flags & TSK_FS_ATTR_NONRES.rawValue == 0 ? nil : attribute.nrd.run
      while let run = unsafe next, runs.count < Self.runCountMax {
        unsafe runs.append(TSKRun(run.pointee))
        unsafe next = run.pointee.next
      }
      unsafe self.init(
        type: attribute.type.rawValue, identifier: attribute.id,
        name: attribute.name.map { unsafe bytes($0) }, byteCount: byteCount,
        initializedByteCount: UInt64(max(attribute.nrd.initsize, 0)), resident: resident,
        runs: runs, skippedByteCount: UInt64(attribute.nrd.skiplen),
        compressionUnit: UInt64(attribute.nrd.compsize),
        isCompressed: flags & TSK_FS_ATTR_COMP.rawValue != 0,
        isEncrypted: flags & TSK_FS_ATTR_ENC.rawValue != 0)
    }
  }

  extension TSKAttribute {
    /// A plain stream in so many runs.
    init(byteCount: UInt64, runs: [TSKRun]) {
      self.init(
        type: TSK_FS_ATTR_TYPE_DEFAULT.rawValue, identifier: 0, name: nil, byteCount: byteCount,
        initializedByteCount: byteCount, resident: nil, runs: runs, skippedByteCount: 0,
        compressionUnit: 0, isCompressed: false, isEncrypted: false)
    }
  }

  extension TSKRun {
    fileprivate init(_ run: TSK_FS_ATTR_RUN) {
      let flags = unsafe run.flags.rawValue
      let kind: Kind =
        if flags & TSK_FS_ATTR_RUN_FLAG_FILLER.rawValue != 0 {
          .filler
        } else if flags & TSK_FS_ATTR_RUN_FLAG_SPARSE.rawValue != 0 { .sparse } else { .data }
      unsafe self.init(offset: run.offset, address: run.addr, count: run.len, kind: kind)
    }
  }

  /// The bytes of a C string.
  private func bytes(_ string: UnsafePointer<CChar>) -> [UInt8] {
    unsafe Array(String(cString: string).utf8)
  }
#endif
