#if TSK
  package import BlockIO
  internal import CTSK
  internal import Synchronization

  /// A file system that libtsk reads from a block source.
  ///
  /// One call at a time, on a thread of its own: libtsk keeps state in a file system that its
  /// readers share, and its errors for each thread. Every answer is a copy; nothing of the
  /// library's memory is lent out, and nothing is written.
  @safe
  package final class TSKVolume: @unchecked Sendable {
    // A directory of a hostile disk may claim any number of names.
    private static let nameCountMax = 16 << 20

    private let lock = Mutex(())
    private let worker: TSKWorker
    private let image: TSKImage
    private let handle: UnsafeMutablePointer<TSK_FS_INFO>

    /// The chains of files of FAT and exFAT.
    private let chains: ClusterChains?

    /// Its family.
    package let family: TSKFamily
    /// The size of its blocks, in bytes; at least one.
    package let blockByteCount: UInt64
    /// The number of blocks.
    package let blockCount: UInt64
    /// The directory at the top.
    package let root: UInt64
    /// The addresses of files; the last is that of the directory of orphans that libtsk makes up.
    package let addresses: ClosedRange<UInt64>

    /// The file system in a source.
    ///
    /// - Parameter limits: The limits of a call of libtsk, if not those for a source of that size.
    package init(_ source: any BlockSource, limits: TSKLimits? = nil) throws(TSKError) {
      guard TSKGuard.isLoaded else {
        throw unsafe .missing(version: String(cString: wanted_tsk_version()))
      }
      let limits = limits ?? TSKLimits(sourceByteCount: source.byteCount)
      guard let worker = TSKWorker(limits: limits) else {
        throw .library("there is no thread to be had")
      }
      guard let image = TSKImage(source) else {
        worker.end()
        throw .notFound
      }
      let opened: Opened
      do throws(TSKError) {
        opened = try worker.run { () throws(TSKError) in try Opened(image) }
      } catch {
        worker.end()
        if error != .stuck { image.close() }
        throw error
      }
      (self.worker, self.image, family) = (worker, image, opened.family)
      unsafe handle = opened.handle
      blockByteCount = unsafe UInt64(handle.pointee.block_size)
      // A hostile disk may claim any number.
      blockCount = unsafe min(
        handle.pointee.block_count, source.byteCount / max(blockByteCount, 1) + 1)
      do throws(BlockIOError) {
        chains = try ClusterChains(source, opened.family, blockByteCount: blockByteCount)
      } catch {
        // Each file then reports the unreadable parts of the table.
        chains = nil
      }
      root = unsafe handle.pointee.root_inum
      addresses = unsafe handle.pointee.first_inum...handle.pointee.last_inum
    }

    deinit {
      worker.end()
      if worker.isStuck { return }
      unsafe loaded_tsk_fs_close(handle)
      image.close()
    }

    /// A file system that libtsk has opened.
    @safe
    private struct Opened: @unchecked Sendable {
      let family: TSKFamily
      let handle: UnsafeMutablePointer<TSK_FS_INFO>

      init(_ image: TSKImage) throws(TSKError) {
        // Not every type that libtsk knows, but those used here.
        let types = [
          TSK_FS_TYPE_NTFS, TSK_FS_TYPE_FAT_DETECT, TSK_FS_TYPE_HFS, TSK_FS_TYPE_ISO9660,
        ]
        var opened: UnsafeMutablePointer<TSK_FS_INFO>?
        for type in types {
          unsafe opened = loaded_tsk_fs_open_img(image.handle, 0, type)
          if unsafe opened != nil { break }
        }
        let failure = image.takeFailure()
        guard let volume = unsafe opened,
          let family = unsafe TSKVolume.family(volume.pointee.ftype),
          unsafe volume.pointee.block_size > 0, unsafe volume.pointee.block_pre_size == 0,
          unsafe volume.pointee.first_inum <= volume.pointee.last_inum
        else {
          if let volume = unsafe opened { unsafe loaded_tsk_fs_close(volume) }
          throw failure.map { .source($0) } ?? .notFound
        }
        self.family = family
        unsafe handle = volume
      }
    }

    private static func family(_ type: TSK_FS_TYPE_ENUM) -> TSKFamily? {
      switch type {
      case TSK_FS_TYPE_FAT12: .fat12
      case TSK_FS_TYPE_FAT16: .fat16
      case TSK_FS_TYPE_FAT32: .fat32
      case TSK_FS_TYPE_EXFAT: .exFAT
      case TSK_FS_TYPE_NTFS: .ntfs
      case TSK_FS_TYPE_ISO9660: .iso9660
      case TSK_FS_TYPE_HFS: .hfsPlus
      default: nil
      }
    }

    /// Calls the library, alone.
    private func exclusively<Value: Sendable>(
      _ body: @escaping @Sendable () throws(TSKError) -> Value
    ) throws(TSKError) -> Value {
      try lock.withLock { _ throws(TSKError) in
        try worker.run { [self] () throws(TSKError) in
          _ = image.takeFailure()
          loaded_tsk_error_reset()
          return try body()
        }
      }
    }

    /// The reason why the last call failed.
    private var failure: TSKError {
      if let error = image.takeFailure() { return .source(error) }
      guard let text = unsafe loaded_tsk_error_get() else {
        return .library("libtsk gives no reason")
      }
      return unsafe .library(String(cString: text))
    }

    // MARK: - Files

    /// The metadata of the file of that address.
    package func metadata(of address: UInt64) throws(TSKError) -> TSKMetadata {
      try unsafe withFile(address) { [self] file throws(TSKError) in
        guard let metadata = unsafe file.pointee.meta else { throw failure }
        return unsafe TSKMetadata(metadata.pointee, family)
      }
    }

    /// Lends an open file.
    private func withFile<Value: Sendable>(
      _ address: UInt64,
      _ body: @escaping @Sendable (UnsafeMutablePointer<TSK_FS_FILE>) throws(TSKError) -> Value
    ) throws(TSKError) -> Value {
      try exclusively { [self] () throws(TSKError) in
        guard addresses.contains(address),
          let file = unsafe loaded_tsk_fs_file_open_meta(handle, address)
        else { throw failure }
        defer { unsafe loaded_tsk_fs_file_close(file) }
        return try unsafe body(file)
      }
    }

    /// The metadata of all files of those addresses, and the failures while they were read.
    package func metadata(
      in range: ClosedRange<UInt64>, isDeletedIncluded: Bool
    ) throws(TSKError) -> (found: [TSKMetadata], failure: TSKError?) {
      var flags = TSK_FS_META_FLAG_ALLOC.rawValue | TSK_FS_META_FLAG_USED.rawValue
      if isDeletedIncluded { flags |= TSK_FS_META_FLAG_UNALLOC.rawValue }
      return try metadata(in: range, flags)
    }

    /// The metadata of deleted files that no directory names, as far as it is still there: of FAT
    /// and exFAT, all free space is searched for it.
    package func orphans() throws(TSKError) -> (found: [TSKMetadata], failure: TSKError?) {
      try metadata(
        in: addresses,
        TSK_FS_META_FLAG_ORPHAN.rawValue | TSK_FS_META_FLAG_UNALLOC.rawValue
          | TSK_FS_META_FLAG_USED.rawValue)
    }

    private func metadata(
      in range: ClosedRange<UInt64>, _ flags: UInt32
    ) throws(TSKError) -> (found: [TSKMetadata], failure: TSKError?) {
      let range = range.clamped(to: addresses)
      return try exclusively { [self] () throws(TSKError) in
        let found = MetadataList(family)
        let status = unsafe loaded_tsk_fs_meta_walk(
          handle, range.lowerBound, range.upperBound, TSK_FS_META_FLAG_ENUM(flags),
          { file, context in
            guard let metadata = unsafe file?.pointee.meta, let context = unsafe context else {
              return TSK_WALK_CONT
            }
            let list = unsafe Unmanaged<MetadataList>.fromOpaque(context).takeUnretainedValue()
            return unsafe list.append(metadata.pointee) ? TSK_WALK_CONT : TSK_WALK_STOP
          }, Unmanaged.passUnretained(found).toOpaque())
        if found.isFull { return (found.found, .library("more files than can be listed")) }
        return (found.found, status == 0 ? nil : failure)
      }
    }

    // MARK: - Directories

    /// The names in a directory, and the failures while they were read.
    package func names(
      in directory: UInt64
    ) throws(TSKError) -> (found: [TSKName], failure: TSKError?) {
      try exclusively { [self] () throws(TSKError) in
        guard let list = unsafe loaded_tsk_fs_dir_open_meta(handle, directory) else {
          throw failure
        }
        defer { unsafe loaded_tsk_fs_dir_close(list) }
        // The library's error number is no news: it is also set on the way to success.
        let problem = image.takeFailure().map { TSKError.source($0) }
        var found: [TSKName] = []
        for index in unsafe 0..<min(loaded_tsk_fs_dir_getsize(list), Self.nameCountMax) {
          guard let name = unsafe loaded_tsk_fs_dir_get_name(list, index) else { continue }
          unsafe found.append(TSKName(name.pointee))
        }
        return (found, problem)
      }
    }

    // MARK: - Content

    /// All streams of a file.
    package func attributes(of address: UInt64) throws(TSKError) -> [TSKAttribute] {
      try unsafe withFile(address) { [self] file throws(TSKError) in
        let count = unsafe loaded_tsk_fs_file_attr_getsize(file)
        // Not the library's error number: it is also set on the way to success.
        if unsafe count < 0 || file.pointee.meta?.pointee.attr_state == TSK_FS_META_ATTR_ERROR {
          throw failure
        }
        return (0..<max(0, min(count, 4096))).compactMap { index in
          unsafe loaded_tsk_fs_file_attr_get_idx(file, index).map {
            unsafe TSKAttribute($0.pointee)
          }
        }
      }
    }

    /// The stream that is a file's content; nil if it has none.
    package func contentStream(of address: UInt64) throws(TSKError) -> TSKAttribute? {
      if let chains {
        let metadata = try metadata(of: address)
        if let first = metadata.firstCluster, metadata.isAllocated {
          do throws(BlockIOError) {
            return TSKAttribute(
              byteCount: metadata.byteCount,
              runs: try chains.runs(from: first, byteCount: metadata.byteCount))
          } catch { throw .source(error) }
        }
      }
      let key = try unsafe withFile(address) { file throws(TSKError) -> (UInt32, UInt16)? in
        guard let attribute = unsafe loaded_tsk_fs_file_attr_get(file) else { return nil }
        return unsafe (attribute.pointee.type.rawValue, attribute.pointee.id)
      }
      guard let (type, identifier) = key else { return nil }
      return try attributes(of: address).first {
        $0.type == type && $0.identifier == identifier
      }
    }

    /// Reads a stream through the library, which decompresses it.
    ///
    /// - Returns: How many bytes it gave, from the beginning of `range` on.
    package func read(
      _ address: UInt64, type: UInt32, identifier: UInt16, at byteOffset: UInt64,
      into buffer: IOBuffer, _ range: Range<Int>
    ) throws(TSKError) -> Int {
      guard let offset = Int64(exactly: byteOffset) else { return 0 }
      // A call that was given up must not write where others read.
      let own = IOBuffer(byteCount: range.count)
      let count = try unsafe withFile(address) { [self] file throws(TSKError) in
        let count = own.withMutableBytes(0..<own.byteCount) { bytes in
          unsafe bytes.withUnsafeMutableBytes {
            unsafe loaded_tsk_fs_file_read_type(
              file, TSK_FS_ATTR_TYPE_ENUM(type), identifier, offset,
              $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
          }
        }
        guard count >= 0 else { throw failure }
        return min(count, own.byteCount)
      }
      buffer.copy(from: own, 0..<count, to: range.lowerBound)
      return count
    }

    /// The unused blocks of `range`, as runs, and the failures on the way.
    package func freeBlocks(
      in range: Range<UInt64>
    ) throws(TSKError) -> (found: [Range<UInt64>], failure: TSKError?) {
      let last = unsafe handle.pointee.last_block_act
      let range = range.clamped(
        to: unsafe handle.pointee.first_block..<max(last &+ 1, handle.pointee.first_block))
      guard !range.isEmpty else { return ([], nil) }
      let flags =
        TSK_FS_BLOCK_WALK_FLAG_UNALLOC.rawValue | TSK_FS_BLOCK_WALK_FLAG_META.rawValue
        | TSK_FS_BLOCK_WALK_FLAG_CONT.rawValue | TSK_FS_BLOCK_WALK_FLAG_AONLY.rawValue
      return try exclusively { [self] () throws(TSKError) in
        let found = BlockList()
        let status = unsafe loaded_tsk_fs_block_walk(
          handle, range.lowerBound, range.upperBound - 1, TSK_FS_BLOCK_WALK_FLAG_ENUM(flags),
          { block, context in
            guard let block = unsafe block, let context = unsafe context else {
              return TSK_WALK_CONT
            }
            let list = unsafe Unmanaged<BlockList>.fromOpaque(context).takeUnretainedValue()
            unsafe list.append(block.pointee.addr)
            return TSK_WALK_CONT
          }, Unmanaged.passUnretained(found).toOpaque())
        return (found.found, status == 0 ? nil : failure)
      }
    }
  }

  /// The result of a walk of metadata.
  private final class MetadataList {
    // Free space may hold anything.
    private static let countMax = 256 << 10

    private(set) var found: [TSKMetadata] = []
    private let family: TSKFamily

    init(_ family: TSKFamily) { self.family = family }

    var isFull: Bool { found.count >= Self.countMax }

    /// Adds a file.
    ///
    /// - Returns: Whether there is room for another.
    func append(_ metadata: TSK_FS_META) -> Bool {
      unsafe found.append(TSKMetadata(metadata, family))
      return !isFull
    }
  }

  /// The result of a walk of blocks.
  private final class BlockList {
    private(set) var found: [Range<UInt64>] = []

    func append(_ block: UInt64) {
      guard block < .max else { return }
      found.append(mergingInto: block..<block + 1)
    }
  }
#endif
