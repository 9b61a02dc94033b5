internal import BlockIO
internal import Crypto

extension UndoManifest {
  /// Whether `view` is that of an undo store over the very origin whose merge it undoes.
  static func undoes(_ view: SnapshotView) throws(BlockIOError) -> Bool {
    guard let manifest = UndoManifest(view.store),
      manifest.originByteCount == view.byteCount,
      manifest.fingerprint != noFingerprint
    else { return false }
    return try manifest.fingerprint == fingerprint(of: view.origin, outside: view)
  }

  /// A digest of samples of the origin outside the table, which a merge does not change.
  ///
  /// - Returns: ``noFingerprint`` if a sample cannot be read, or there is none.
  static func fingerprint(
    of origin: any BlockSource, outside view: SnapshotView
  ) throws(BlockIOError) -> [UInt8] {
    let sampleCount: UInt64 = 64
    // Where file systems record that they were mounted, and then all over the origin.
    let wanted =
      [0, 4096, 65536, origin.byteCount - min(origin.byteCount, 4096)]
      + (0..<sampleCount).map { (origin.byteCount / sampleCount * $0) / 4096 * 4096 }
    let buffer = IOBuffer(byteCount: 4096)
    var hash = SHA256()
    hash.update([origin.byteCount])
    var isEmpty = true
    for byteOffset in wanted {
      guard let bytes = view.firstOriginBytes(from: byteOffset, limit: 4096) else { continue }
      let unreadable = try origin.readAround(at: bytes.lowerBound, into: buffer, 0..<bytes.count)
      guard unreadable.isEmpty else { return noFingerprint }
      hash.update(data: buffer.bytes(0..<bytes.count))
      isEmpty = false
    }
    // A merge that writes everything leaves nothing that would identify the origin.
    return isEmpty ? noFingerprint : Array(hash.finalize())
  }
}
