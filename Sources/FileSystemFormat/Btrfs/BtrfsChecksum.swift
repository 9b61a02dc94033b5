/// A checksum algorithm of btrfs.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `enum btrfs_csum_type`.
package enum BtrfsChecksum: UInt16, Sendable {
  /// CRC-32C, four bytes.
  case crc32c
  /// XXH64, eight bytes.
  case xxhash64
  /// SHA-256, 32 bytes.
  case sha256
  /// BLAKE2b with 256 bits: not computed here.
  case blake2b

  /// The number of bytes in a checksum.
  package var byteCount: Int {
    switch self {
    case .crc32c: 4
    case .xxhash64: 8
    case .sha256, .blake2b: 32
    }
  }

  /// Whether it can be computed here; otherwise whatever is on the disk counts as right.
  package var isComputed: Bool { self != .blake2b }

  /// Whether `stored` begins with the checksum of `bytes`.
  package func isRight(_ stored: Span<UInt8>, for bytes: Span<UInt8>) -> Bool {
    guard stored.count >= byteCount else { return false }
    switch self {
    case .crc32c:
      var checksum = CRC32C()
      checksum.add(bytes)
      return stored.little(at: 0) == checksum.inverted
    case .xxhash64: return stored.little(at: 0) == XXHash64.digest(of: bytes)
    case .sha256:
      let digest = SHA256.digest(of: bytes)
      return digest.indices.allSatisfy { digest[$0] == stored[$0] }
    case .blake2b: return true
    }
  }
}
