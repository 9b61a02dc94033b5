internal import BlockIO
internal import FileSystemFormat
internal import Synchronization

/// Reads nodes: the copy that is whole, and each once as long as it is remembered.
final class BtrfsNodeReader: Sendable {
  /// Nodes that were read: those of late, and those before them.
  private struct Cache {
    var young: [UInt64: BtrfsNode] = [:]
    var old: [UInt64: BtrfsNode] = [:]
  }

  /// The number of bytes of nodes in the cache.
  private static let cacheByteCount = 16 << 20

  let source: any BlockSource
  let superblock: BtrfsDiskSuperblock
  let chunks: BtrfsChunkMap
  private let cache = Mutex(Cache())

  init(_ source: any BlockSource, _ superblock: BtrfsDiskSuperblock, _ chunks: BtrfsChunkMap) {
    (self.source, self.superblock, self.chunks) = (source, superblock, chunks)
  }

  /// The places of bytes in the source, each copy of them; empty if they are nowhere in one piece.
  func places(of address: UInt64, count: UInt64) -> [UInt64] {
    guard let index = chunks.index(containing: address) else { return [] }
    return chunks.chunks[index].places(of: address, count: count, on: superblock.device)
      .filter { $0 <= source.byteCount && count <= source.byteCount - $0 }
  }

  /// The node that is pointed to.
  ///
  /// - Throws: `damaged` if no copy of it is whole.
  func node(_ pointer: BtrfsPointer) throws(FileSystemError) -> BtrfsNode {
    if let node = cached(pointer.address), fits(node, pointer) { return node }
    let byteCount = superblock.nodeByteCount
    let places = places(of: pointer.address, count: UInt64(byteCount))
    guard let first = places.first else {
      throw damaged("node at logical address \(pointer.address): not on this device")
    }
    var problem = "checksum, or what it says of itself, is wrong"
    let buffer = IOBuffer(byteCount: byteCount)
    for place in places {
      do throws(BlockIOError) {
        try source.read(at: place, into: buffer, 0..<byteCount)
      } catch {
        guard error.isUnreadableMedium else { throw .io(error) }
        problem = "cannot be read"
        continue
      }
      let bytes = buffer.bytes(0..<byteCount)
      if let node = BtrfsNode(checking: bytes, by: superblock.checksum), fits(node, pointer) {
        remember(node)
        return node
      }
    }
    throw damaged(
      "node at logical address \(pointer.address): \(problem)",
      at: first..<first + UInt64(byteCount))
  }

  /// The error of a damaged structure.
  func damaged(_ problem: String, at bytes: Range<UInt64>? = nil) -> FileSystemError {
    .damaged(source.name, FileSystemDamage(problem, at: bytes))
  }

  /// Whether it is that node, of this file system, and begins with the key that its parent has.
  private func fits(_ node: BtrfsNode, _ pointer: BtrfsPointer) -> Bool {
    node.header.fits(pointer) && node.header.uuid == superblock.nodeUUID
      && (pointer.firstKey == nil || pointer.firstKey == node.firstKey)
  }

  private func cached(_ address: UInt64) -> BtrfsNode? {
    cache.withLock { cache in
      if let node = cache.young[address] { return node }
      guard let node = cache.old[address] else { return nil }
      insert(node, into: &cache)
      return node
    }
  }

  private func remember(_ node: BtrfsNode) {
    cache.withLock { insert(node, into: &$0) }
  }

  private func insert(_ node: BtrfsNode, into cache: inout Cache) {
    if cache.young.count >= Self.cacheByteCount / 2 / superblock.nodeByteCount {
      (cache.old, cache.young) = (cache.young, [:])
    }
    cache.young[node.header.address] = node
  }
}
