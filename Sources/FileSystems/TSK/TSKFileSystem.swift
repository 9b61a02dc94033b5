#if TSK
  public import BlockIO
  internal import Synchronization
  internal import TSK

  /// FAT, exFAT, NTFS, ISO 9660 and HFS+, read by libtsk of The Sleuth Kit.
  ///
  /// Damage in these is reported in libtsk's terms. Names are UTF-8 as libtsk makes them. FAT,
  /// exFAT and ISO 9660 have times of a wall clock: they are shown as if that were UTC. Where the
  /// family has no owners and modes, they are those of Linux: root's, and 0755, without write
  /// permission what is read-only. libtsk does not read Rock Ridge.
  public final class TSKFileSystem: FileSystem {
    public let source: any BlockSource
    let volume: TSKVolume
    /// The files that NTFS keeps for itself, once they were asked for.
    private let ownFiles = Mutex<[(bytes: Range<UInt64>, name: String)]?>(nil)

    /// The file system in a source.
    ///
    /// - Parameter name: What it looks like, for messages.
    /// - Throws: `notFound` if libtsk knows none in it; `unsupported` if libtsk is not there.
    init(_ source: any BlockSource, _ name: String) throws(FileSystemError) {
      self.source = source
      do throws(TSKError) { volume = try TSKVolume(source) } catch {
        if case .missing(let version) = error {
          throw .unsupported(source.name, "\(name) without libtsk \(version) (Debian's libtsk19)")
        }
        throw Self.error(error, source.name, "no file system that libtsk reads")
      }
    }

    public var family: String {
      switch volume.family {
      case .fat12, .fat16, .fat32: "vfat"
      case .exFAT: "exfat"
      case .ntfs: "ntfs"
      case .iso9660: "iso9660"
      case .hfsPlus: "hfsplus"
      }
    }

    public var root: FileID { FileID(volume.root) }

    // The smallest record of a file that NTFS has.
    private static let recordByteCountMin: UInt64 = 256

    // The numbers of HFS+ are never used again: looking up each would take long.
    private var hasTable: Bool { volume.family == .ntfs }
    private var isFAT: Bool { [.fat12, .fat16, .fat32, .exFAT].contains(volume.family) }

    public func inode(_ id: FileID) throws(FileSystemError) -> Inode {
      guard id.tree == 0 else { throw .noFile(source.name, "\(id.number) of tree \(id.tree)") }
      guard volume.addresses.contains(id.number) else {
        throw .noFile(source.name, "\(id.number)")
      }
      return inode(
        try calling("inode \(id.number)") { () throws(TSKError) in
          try volume.metadata(of: id.number)
        })
    }

    public func forEachInode(
      isDeletedIncluded: Bool, _ body: (Inode) throws(FileSystemError) -> Bool
    ) throws(FileSystemError) -> [FileSystemDamage] {
      guard hasTable else { return try walkTree(isDeletedIncluded: isDeletedIncluded, body) }
      var damage: [FileSystemDamage] = []
      var start = volume.addresses.lowerBound
      // A hostile disk may claim any number.
      let last = min(
        volume.addresses.upperBound, start + source.byteCount / Self.recordByteCountMin)
      var failedCount = 0
      while true {
        // Small enough to hold, large enough that a call costs nothing.
        let end = last - start < 4096 ? last : start + 4095
        let (found, failure) = try calling("inodes \(start) to \(end)") { () throws(TSKError) in
          try volume.metadata(in: start...end, isDeletedIncluded: isDeletedIncluded)
        }
        for metadata in found where !metadata.kind.isVirtual {
          guard try body(inode(metadata)) else { return damage }
        }
        if let failure {
          damage.append(try note(failure, "inodes \(start) to \(end)"))
          failedCount = found.isEmpty ? failedCount + 1 : 0
        }
        if end == last || failedCount == 16 { return damage }
        start = end + 1
      }
    }

    /// Walks from the root down: the inodes of these families are in the directories.
    private func walkTree(
      isDeletedIncluded: Bool, _ body: (Inode) throws(FileSystemError) -> Bool
    ) throws(FileSystemError) -> [FileSystemDamage] {
      var damage: [FileSystemDamage] = []
      var waiting = [volume.root]
      var seen: Set<UInt64> = [volume.root]
      guard try body(inode(root)) else { return damage }
      while let directory = waiting.popLast() {
        let (names, failure): ([TSKName], TSKError?)
        do throws(FileSystemError) { (names, failure) = try list(directory) } catch {
          guard case .damaged(_, let problem) = error else { throw error }
          damage.append(problem)
          continue
        }
        if let failure { damage.append(try note(failure, "directory \(directory)")) }
        damage += try omissions(in: directory, names)
        for name in names where name.isAllocated || isDeletedIncluded {
          guard isShown(name, in: directory), seen.insert(name.address).inserted else { continue }
          do throws(FileSystemError) {
            let found = try inode(FileID(name.address))
            guard try body(found) else { return damage }
            if found.kind == .directory { waiting.append(name.address) }
          } catch {
            if error.isFatal { throw error }
            damage.append(error.damage)
          }
        }
      }
      guard isDeletedIncluded, isFAT else { return damage }
      let (orphans, failure) = try calling("deleted files") { () throws(TSKError) in
        try volume.orphans()
      }
      for metadata in orphans where seen.insert(metadata.address).inserted {
        guard try body(inode(metadata)) else { return damage }
      }
      if let failure { damage.append(try note(failure, "deleted files")) }
      return damage
    }

    public func forEachEntry(
      of directory: Inode, _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
    ) throws(FileSystemError) -> [FileSystemDamage] {
      guard directory.kind == .directory else {
        throw .wrongKind(source.name, "a directory: inode \(directory.id.number)")
      }
      let (names, failure) = try list(directory.id.number)
      var damage = try omissions(in: directory.id.number, names)
      if let failure { damage.append(try note(failure, "directory \(directory.id.number)")) }
      for name in names where isShown(name, in: directory.id.number) {
        let entry = DirectoryEntry(
          name: name.bytes, id: FileID(name.address), kind: name.kind.fileKind,
          isDeleted: !name.isAllocated)
        guard try body(entry) else { break }
      }
      return damage
    }

    private func list(
      _ directory: UInt64
    ) throws(FileSystemError) -> ([TSKName], TSKError?) {
      try calling("directory \(directory)") { () throws(TSKError) in
        try volume.names(in: directory)
      }
    }

    /// Whether a name is shown: not those that libtsk makes up, nor those of the file system
    /// itself.
    func isShown(_ name: TSKName, in directory: UInt64) -> Bool {
      if name.bytes == [0x2e] || name.bytes == [0x2e, 0x2e] || name.bytes.isEmpty { return false }
      if name.kind.isVirtual || name.address == volume.root { return false }
      guard directory == volume.root else { return true }
      let isDollar = name.bytes.first == 0x24
      switch volume.family {
      case .ntfs: return !(isDollar && name.address < 24)
      case .hfsPlus: return !(isDollar && name.address < 16)
      case .exFAT where isDollar:
        return ![
          "$ALLOC_BITMAP", "$UPCASE_TABLE", "$VOLUME_GUID", "$TEX_FAT", "$ACT",
        ].contains { name.bytes.elementsEqual($0.utf8) }
      default: break
      }
      return !name.bytes.hasSuffix(" (Volume Label Entry)".utf8)
    }

    /// The file of NTFS' own that a byte is in: these have no paths.
    public func structure(at byteOffset: UInt64) -> String? {
      guard volume.family == .ntfs else { return nil }
      let files = ownFiles.withLock { known in
        let files = known ?? readOwnFiles()
        known = files
        return files
      }
      return files.first { $0.bytes.contains(byteOffset) }?.name
    }

    private func readOwnFiles() -> [(bytes: Range<UInt64>, name: String)] {
      let names: [(UInt64, String)] = [
        (0, "$MFT"), (1, "$MFTMirr"), (2, "$LogFile"), (3, "$Volume"), (4, "$AttrDef"),
        (6, "$Bitmap"), (7, "$Boot"), (9, "$Secure"), (10, "$UpCase"),
      ]
      return names.flatMap { number, name in
        let extents = (try? map(of: inode(FileID(number))))?.extents ?? []
        return extents.compactMap { extent in extent.sourceRange.map { ($0, name) } }
      }
    }

    public func freeRanges() throws(FileSystemError) -> [Range<UInt64>] {
      var found: [Range<UInt64>] = []
      var start: UInt64 = 0
      while start < volume.blockCount {
        // Few enough for a call not to take minutes.
        let end = min(start + 1 << 24, volume.blockCount)
        let (blocks, failure) = try calling("the map of free space") { () throws(TSKError) in
          try volume.freeBlocks(in: start..<end)
        }
        if let failure { throw Self.error(failure, source.name, "the map of free space") }
        for range in blocks { found.append(mergingInto: range) }
        start = end
      }
      return found.compactMap { blocks in
        let start = blocks.lowerBound.multipliedReportingOverflow(by: volume.blockByteCount)
        let end = blocks.upperBound.multipliedReportingOverflow(by: volume.blockByteCount)
        guard !start.overflow, !end.overflow else { return nil }
        return (start.partialValue..<end.partialValue).clamped(to: 0..<source.byteCount)
      }
    }
  }

  extension TSKFileSystem {
    /// Calls libtsk; a refusal counts as damage of the requested data.
    func calling<Value>(
      _ what: String, _ body: () throws(TSKError) -> Value
    ) throws(FileSystemError) -> Value {
      do throws(TSKError) { return try body() } catch {
        throw Self.error(error, source.name, what)
      }
    }

    /// The message when a call was given up.
    private static let stuck = "libtsk failed, and reads nothing more of this file system"

    static func error(_ error: TSKError, _ name: String, _ what: String) -> FileSystemError {
      switch error {
      case .notFound, .missing: .notFound(name)
      case .source(let error): .io(error)
      case .library(let text): .damaged(name, FileSystemDamage("\(what): \(text)"))
      case .stuck: .damaged(name, FileSystemDamage("\(what): \(stuck)"))
      }
    }

    /// The damage that ended a walk half-way; a source that fails but for a bad place is an error.
    func note(_ error: TSKError, _ what: String) throws(FileSystemError) -> FileSystemDamage {
      switch error {
      case .notFound, .missing: return FileSystemDamage("\(what): not there")
      case .library(let text): return FileSystemDamage("\(what): \(text)")
      case .stuck: return FileSystemDamage("\(what): \(Self.stuck)")
      case .source(let error):
        guard error.isUnreadableMedium else { throw .io(error) }
        return FileSystemDamage("\(what): \(error)", at: error.byteRange)
      }
    }

    /// A file as libtsk describes it, in Linux's terms.
    func inode(_ metadata: TSKMetadata) -> Inode {
      var permissions: UInt16 = 0o755
      switch volume.family {
      case .hfsPlus, .iso9660:
        permissions = metadata.permissions == 0 ? 0o555 : metadata.permissions
      case .fat12, .fat16, .fat32, .exFAT:
        let isReadOnly = metadata.kind == .regular && metadata.permissions & 0o222 == 0
        permissions = isReadOnly ? 0o555 : 0o755
      case .ntfs: break
      }
      let hasOwners = volume.family == .hfsPlus || volume.family == .iso9660
      // The one time that ISO 9660 has is the one that libtsk calls that of creation. FAT has none
      // of an inode's change: Linux takes that of the content's.
      let recorded = volume.family == .iso9660 ? metadata.created : nil
      let changed = isFAT ? metadata.modified : metadata.changed
      return Inode(
        id: FileID(metadata.address), kind: metadata.kind.fileKind ?? .unknown,
        permissions: permissions, owner: hasOwners ? metadata.owner : 0,
        group: hasOwners ? metadata.group : 0, linkCount: metadata.linkCount,
        byteCount: metadata.byteCount, modified: Timestamp(recorded ?? metadata.modified),
        accessed: Timestamp(recorded ?? metadata.accessed),
        changed: Timestamp(recorded ?? changed),
        created: metadata.created.seconds == 0 ? nil : Timestamp(metadata.created),
        isAllocated: metadata.isAllocated)
    }
  }

  extension Timestamp {
    fileprivate init(_ time: TSKTime) {
      self.init(seconds: time.seconds, nanoseconds: time.nanoseconds)
    }
  }

  extension TSKKind {
    fileprivate var isVirtual: Bool { self == .virtual || self == .virtualDirectory }

    fileprivate var fileKind: FileKind? {
      switch self {
      case .regular, .virtual: .regular
      case .directory, .virtualDirectory: .directory
      case .link: .link
      case .characterDevice: .characterDevice
      case .blockDevice: .blockDevice
      case .fifo: .fifo
      case .socket: .socket
      case .unknown: nil
      }
    }
  }

  extension [UInt8] {
    fileprivate func hasSuffix(_ end: String.UTF8View) -> Bool {
      suffix(end.count).elementsEqual(end)
    }
  }
#endif
