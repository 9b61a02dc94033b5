#if Fuse
  internal import BlockIO
  internal import CFuse
  internal import Glibc

  /// A mounted directory, by libfuse3's low-level interface; one request at a time.
  @safe
  final class FuseSession {
    /// The most that the kernel asks for at once.
    private static let byteCountMax = 1 << 20
    /// Nothing changes.
    private static let timeout = 86_400.0

    fileprivate let directory: SnapshotDirectory
    fileprivate let buffer = IOBuffer(byteCount: byteCountMax)
    private var session: OpaquePointer?

    /// Mounts a directory, for the mounting user alone.
    init(_ directory: SnapshotDirectory, at path: String) throws(MountError) {
      self.directory = directory
      let options = "ro,default_permissions,fsname=dmsnap,subtype=dmsnap,max_read=1048576"
      let line: [String] = ["dmsnap-fuse", "-o", options]
      var words = unsafe line.map { unsafe strdup($0) }
      defer { unsafe words.forEach { unsafe free($0) } }
      var operations = Self.operations
      let userData = unsafe Unmanaged.passUnretained(self).toOpaque()
      unsafe words.withUnsafeMutableBufferPointer { words in
        var arguments = unsafe fuse_args(
          argc: Int32(words.count), argv: words.baseAddress, allocated: 0)
        unsafe session = fuse_session_new(
          &arguments, &operations, MemoryLayout<fuse_lowlevel_ops>.size, userData)
      }
      guard let session = unsafe session, unsafe fuse_set_signal_handlers(session) == 0,
        unsafe fuse_session_mount(session, path) == 0
      else { throw .cannotMount(path) }
    }

    /// Goes into the background and serves until the directory is unmounted.
    func serve() -> Int32 {
      guard let session = unsafe session else { return 5 }
      guard fuse_daemonize(0) == 0 else {
        end()
        return 5  // libfuse has said why
      }
      let result = unsafe fuse_session_loop(session)
      end()
      return result == 0 ? 0 : 5
    }

    /// Unmounts the directory, if that has not been done.
    func end() { if let session = unsafe session { unsafe fuse_session_unmount(session) } }

    // MARK: - What the kernel asks for

    private static func of(_ request: fuse_req_t?) -> FuseSession {
      unsafe Unmanaged<FuseSession>.fromOpaque(fuse_req_userdata(request)).takeUnretainedValue()
    }

    private static let operations: fuse_lowlevel_ops = {
      var operations = fuse_lowlevel_ops()
      unsafe operations.`init` = { _, connection in
        unsafe connection?.pointee.max_read = UInt32(byteCountMax)
        unsafe connection?.pointee.max_readahead = UInt32(byteCountMax)
      }
      unsafe operations.lookup = { request, parent, name in
        let session = unsafe of(request)
        guard parent == SnapshotDirectory.root, let name = unsafe name,
          let inode = unsafe session.directory.inode(named: String(cString: name))
        else {
          unsafe fuse_reply_err(request, ENOENT)
          return
        }
        var entry = fuse_entry_param()
        entry.ino = inode
        entry.attr = session.attributes(inode)
        (entry.attr_timeout, entry.entry_timeout) = (timeout, timeout)
        unsafe fuse_reply_entry(request, &entry)
      }
      unsafe operations.getattr = { request, inode, _ in
        let session = unsafe of(request)
        guard inode == SnapshotDirectory.root || session.directory.entry(inode) != nil else {
          unsafe fuse_reply_err(request, ENOENT)
          return
        }
        var attributes = session.attributes(inode)
        unsafe fuse_reply_attr(request, &attributes, timeout)
      }
      unsafe operations.readdir = { request, inode, size, offset, _ in
        unsafe of(request).list(request, inode, size, offset)
      }
      unsafe operations.open = { request, inode, info in
        guard unsafe of(request).directory.entry(inode)?.bytes != nil, let info = unsafe info else {
          unsafe fuse_reply_err(request, EISDIR)
          return
        }
        guard unsafe info.pointee.flags & O_ACCMODE == O_RDONLY else {
          unsafe fuse_reply_err(request, EROFS)
          return
        }
        unsafe info.pointee.keep_cache = 1
        unsafe fuse_reply_open(request, info)
      }
      unsafe operations.read = { request, inode, size, offset, _ in
        unsafe of(request).read(request, inode, size, offset)
      }
      return operations
    }()

    private func attributes(_ inode: UInt64) -> stat {
      var attributes = stat()
      let entry = directory.entry(inode)
      attributes.st_ino = ino_t(inode)
      attributes.st_uid = geteuid()
      attributes.st_gid = getegid()
      guard let entry, entry.bytes != nil else {
        attributes.st_mode = S_IFDIR | 0o500
        attributes.st_nlink = 2
        return attributes
      }
      attributes.st_mode = S_IFREG | 0o400
      attributes.st_nlink = 1
      attributes.st_size = off_t(clamping: entry.byteCount)
      attributes.st_blksize = 4096
      attributes.st_blocks = blkcnt_t(clamping: entry.byteCount / 512)
      return attributes
    }

    private func list(_ request: fuse_req_t?, _ inode: UInt64, _ size: Int, _ offset: off_t) {
      let names =
        [".", ".."] + (inode == SnapshotDirectory.root ? directory.entries.map(\.name) : [])
      let count = min(size, buffer.byteCount)
      buffer.withMutableBytes(0..<count) { bytes in
        unsafe bytes.withUnsafeMutableBytes { memory in
          var used = 0
          for (index, name) in names.enumerated().dropFirst(Int(clamping: offset)) {
            let number =
              index < 2 ? SnapshotDirectory.root : SnapshotDirectory.root + UInt64(index) - 1
            var attributes = attributes(number)
            let place = unsafe memory.baseAddress.map { unsafe $0 + used }
            let needed = unsafe fuse_add_direntry(
              request, place?.assumingMemoryBound(to: CChar.self), count - used, name, &attributes,
              off_t(index + 1))
            if needed > count - used { break }
            used += needed
          }
          unsafe fuse_reply_buf(
            request, memory.baseAddress?.assumingMemoryBound(to: CChar.self), used)
        }
      }
    }

    private func read(_ request: fuse_req_t?, _ inode: UInt64, _ size: Int, _ offset: off_t) {
      guard let entry = directory.entry(inode), let offset = UInt64(exactly: offset) else {
        unsafe fuse_reply_err(request, EIO)
        return
      }
      do throws(BlockIOError) {
        let count = try directory.read(entry, at: offset, into: buffer, atMost: size)
        _ = buffer.withBytes(0..<count) { bytes in
          unsafe bytes.withUnsafeBytes { memory in
            unsafe fuse_reply_buf(
              request, memory.baseAddress?.assumingMemoryBound(to: CChar.self), count)
          }
        }
      } catch {
        unsafe fuse_reply_err(request, EIO)
      }
    }
  }
#endif
