internal import Crypto
internal import SnapshotFormat

extension ExceptionTable {
  /// Identifies this table: SHA-256 of the chunk size in sectors, then old, new and count of each
  /// run, ascending, as 64-bit little-endian integers.
  var digest: [UInt8] {
    var hash = SHA256()
    var words = [UInt64(geometry.chunkSize.sectorCount)]
    for run in runs {
      words += [run.old, run.new, run.count]
      if words.count > 8192 {
        hash.update(words)
        words = []
      }
    }
    hash.update(words)
    return Array(hash.finalize())
  }
}

extension SHA256 {
  /// Adds numbers, little-endian.
  mutating func update(_ words: [UInt64]) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(words.count * 8)
    for word in words {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    update(data: bytes)
  }
}
