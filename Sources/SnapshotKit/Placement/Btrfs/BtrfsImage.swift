internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// A btrfs as far as it is known: the scene's view, with the latest findings in their places.
final class BtrfsImage {
  let scene: PlacementScene
  let orphans: BtrfsOrphans
  let layout: BtrfsLayout
  /// The proofs of this round: the orphan at each chunk of the origin.
  private var found: [UInt64: Int] = [:]
  /// Orphans that have a place, from this round or an earlier one.
  private var placed: Set<Int> = []
  private(set) var evidence: [Evidence] = []
  private var buffer: IOBuffer

  init(_ scene: PlacementScene, _ orphans: BtrfsOrphans) {
    (self.scene, self.orphans, layout) = (scene, orphans, orphans.layout)
    buffer = IOBuffer(byteCount: max(layout.nodeByteCount, layout.chunkByteCount))
    for (new, _) in scene.proven {
      if let orphan = orphans.index(of: new) { placed.insert(orphan) }
    }
  }

  // MARK: - Reading

  /// Whether bytes of the file system are within the origin.
  func contains(_ byteOffset: UInt64, count: Int) -> Bool {
    let (start, overflow) = byteOffset.addingReportingOverflow(layout.start)
    return !overflow && start <= scene.view.byteCount
      && scene.view.byteCount - start >= UInt64(count)
  }

  /// Bytes of the file system; nil if they are not all there.
  func read(_ byteOffset: UInt64, count: Int) throws(BlockIOError) -> [UInt8]? {
    guard contains(byteOffset, count: count) else { return nil }
    let start = byteOffset + layout.start
    if buffer.byteCount < count { buffer = IOBuffer(byteCount: count) }
    let range = 0..<count
    let unreadable = try scene.view.readAround(at: start, into: buffer, range)
    var bytes = buffer.bytes(range)
    var missing = unreadable
    if !found.isEmpty {
      let size = UInt64(layout.chunkByteCount)
      for old in start / size...(start + UInt64(count) - 1) / size {
        guard let orphan = found[old], let content = try content(of: orphan) else { continue }
        let from = max(start, old * size)
        let end = min(start + UInt64(count), (old + 1) * size)
        bytes.replaceSubrange(
          Int(from - start)..<Int(end - start),
          with: content[Int(from - old * size)..<Int(end - old * size)])
        missing.removeAll { $0.lowerBound >= from && $0.upperBound <= end }
      }
    }
    return missing.isEmpty ? bytes : nil
  }

  /// The bytes of an orphan; nil if it cannot be read.
  func content(of orphan: Int) throws(BlockIOError) -> [UInt8]? {
    let content = IOBuffer(byteCount: layout.chunkByteCount)
    let unreadable = try scene.store.readAround(
      at: orphans.chunks[orphan] * UInt64(layout.chunkByteCount), into: content,
      0..<layout.chunkByteCount)
    return unreadable.isEmpty ? content.bytes(0..<layout.chunkByteCount) : nil
  }

  // MARK: - Chunks

  /// The chunk of the origin that has a byte of the file system.
  func chunk(at byteOffset: UInt64) -> UInt64 {
    (layout.start &+ byteOffset) / UInt64(layout.chunkByteCount)
  }

  /// The place of a byte of the file system in its chunk.
  func offsetInChunk(_ byteOffset: UInt64) -> Int {
    Int((layout.start &+ byteOffset) % UInt64(layout.chunkByteCount))
  }

  /// Whether an orphan may belong to a chunk of the origin.
  func isOpen(_ old: UInt64) -> Bool {
    old < scene.originChunkCount && found[old] == nil && !scene.isMapped(old)
  }

  /// The position in the store's order of a chunk of the origin, if the view shows it from the
  /// store.
  func position(of old: UInt64) -> UInt64? {
    if let orphan = found[old] { return position(of: orphan) }
    return scene.view.table.newChunk(for: Chunk(old)).flatMap {
      scene.geometry.position(ofData: $0)
    }
  }

  /// The position of an orphan in the store's order.
  func position(of orphan: Int) -> UInt64? {
    scene.geometry.position(ofData: Chunk(orphans.chunks[orphan]))
  }

  /// The orphan at a position of the store's order.
  func orphan(at position: UInt64) -> Int? {
    scene.geometry.dataChunk(inOrder: position).flatMap { orphans.index(of: $0.index) }
  }

  // MARK: - Placing

  func isPlaced(_ orphan: Int) -> Bool { placed.contains(orphan) }

  /// Places an orphan.
  func place(
    _ orphan: Int, at old: UInt64, _ kind: Evidence.Kind, _ strength: Evidence.Strength
  ) {
    let new = orphans.chunks[orphan]
    evidence.append(Evidence(kind: kind, strength: strength, new: new, old: old))
    guard strength == .proven else { return }
    found[old] = orphan
    placed.insert(orphan)
  }
}
