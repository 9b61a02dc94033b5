internal import BlockIO
internal import FileSystemFormat
internal import FileSystems
internal import SnapshotFormat

/// The files of an XFS of version 5.
struct XFSFileMapper: FileMapper {
  private let volume: XFSVolume

  /// The files of the XFS that begins at a byte of a view; nil without one of version 5.
  init?(_ view: SnapshotView, start: UInt64 = 0) throws(BlockIOError) {
    guard let volume = try XFSVolume(view, at: start),
      start % UInt64(volume.geometry.blockByteCount) == 0
    else { return nil }
    self.volume = volume
  }

  var blockByteCount: Int { volume.geometry.blockByteCount }

  func forEachFile(
    of view: SnapshotView, _ body: (FileLayout) -> Void
  ) throws(BlockIOError) {
    try reading(view) { fileSystem throws(FileSystemError) in
      _ = try fileSystem.forEachInode(isDeletedIncluded: false) {
        inode throws(FileSystemError) in
        guard inode.kind == .regular || inode.kind == .directory,
          let extents = try written(inode, fileSystem)
        else { return true }
        body(
          FileLayout(
            inode: inode.id.number, isDirectory: inode.kind == .directory,
            byteCount: inode.byteCount,
            writeTime: UInt64(bitPattern: inode.modified.seconds) &* 1_000_000_000
              &+ UInt64(inode.modified.nanoseconds), extents: extents))
        return true
      }
    }
  }

  /// The written extents of a file; nil if unknown.
  private func written(
    _ inode: Inode, _ fileSystem: XFSFileSystem
  ) throws(FileSystemError) -> [FileLayout.Extent]? {
    let map: FileMap
    do throws(FileSystemError) { map = try fileSystem.map(of: inode) } catch {
      if error.isFatal { throw error }
      return nil
    }
    guard map.damage.isEmpty else { return nil }
    let size = UInt64(blockByteCount)
    // Linux reserves more than a file needs, and writes nothing to that.
    let end =
      inode.kind == .directory
      ? .max : (min(inode.byteCount, 1 << 63) + (size - 1)) / size * size
    return map.extents.compactMap { extent in
      guard case .data(let first) = extent.place, extent.file.lowerBound < end else { return nil }
      return FileLayout.Extent(
        logicalByte: extent.file.lowerBound, physicalByte: volume.start + first,
        byteCount: min(end, extent.file.upperBound) - extent.file.lowerBound)
    }
  }

  func freeRanges(of view: SnapshotView) throws(BlockIOError) -> [Range<UInt64>] {
    let free = try reading(view.originView) { fileSystem throws(FileSystemError) in
      try fileSystem.freeRanges()
    }
    return (free ?? []).map { volume.start + $0.lowerBound..<volume.start + $0.upperBound }
  }

  /// A result from a file system, as a mount would show it; nil if it is damaged.
  private func reading<Value>(
    _ view: SnapshotView, _ body: (XFSFileSystem) throws(FileSystemError) -> Value
  ) throws(BlockIOError) -> Value? {
    let end = min(view.byteCount, volume.start + volume.geometry.byteCount)
    let source = try SliceSource(view, volume.start..<end)
    do throws(FileSystemError) { return try body(XFSFileSystem(source)) } catch {
      if error.isFatal, case .io(let error) = error { throw error }
      return nil
    }
  }

  /// By the numbers of the log in the headers of the groups' free space.
  func isNewer(_ view: SnapshotView) throws(BlockIOError) -> Bool {
    let size = volume.geometry.sectorByteCount
    var isNewer = false
    for group in 0..<volume.geometry.groupCount {
      guard let start = volume.geometry.byteOffset(ofGroup: group) else { break }
      let byteOffset = volume.start + start + UInt64(size)
      guard byteOffset < view.byteCount else { break }
      let chunk = view.table.geometry.chunk(containing: byteOffset)
      guard view.table.newChunk(for: chunk) != nil,
        let now = try lsn(at: byteOffset, of: view),
        let before = try lsn(at: byteOffset, of: view.origin)
      else { continue }
      if now < before { return false }
      if now > before { isNewer = true }
    }
    return isNewer
  }

  private func lsn(
    at byteOffset: UInt64, of source: any BlockSource
  ) throws(BlockIOError) -> UInt64? {
    guard let bytes = try source.whole(at: byteOffset, count: volume.geometry.sectorByteCount),
      let block = XFSBlock(recognising: bytes.span, of: volume.geometry),
      block.kind == .freeSpaceHeader
    else { return nil }
    return block.lsn
  }

  func isStructure(_ block: Span<UInt8>) -> Bool {
    XFSBlock(beginning: block, of: volume.geometry) != nil
  }
}
