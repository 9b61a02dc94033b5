internal import Blkid
internal import BlockIO
internal import FoundationEssentials

/// Whether the origin of an invalid snapshot was written after Linux stopped copying for it.
///
/// Until then every write to the origin was preceded by a copy. Afterwards none was, so that chunks
/// without an exception may be newer than the snapshot; nothing in a store tells. But file systems
/// note when they were last written, and some never are.
struct OriginWrites {
  /// File systems that cannot be written.
  private static let readOnlyTypes: Set<String> = [
    "squashfs", "iso9660", "erofs", "cramfs", "romfs",
  ]

  /// What is known, as a finding.
  let finding: Finding

  /// Compares what a snapshot shows with its origin.
  ///
  /// - Returns: nil where nothing tells.
  init?(
    snapshot: any BlockSource, origin: any BlockSource, originType: String?
  ) throws(BlockIOError) {
    if let originType, Self.readOnlyTypes.contains(originType) {
      finding = Self.unchanged("\(originType), which is never written")
      return
    }
    guard let shown = try Self.lastWrite(of: snapshot), let own = try Self.lastWrite(of: origin)
    else { return nil }
    let times = "last written \(Self.text(own)); the snapshot's copy of it \(Self.text(shown))"
    if own > shown {
      finding = Finding(
        code: .originWritten, place: Finding.Place(), found: "an origin \(times)",
        required: "no write to the origin after the snapshot was invalidated")
    } else {
      finding = Self.unchanged(times)
    }
  }

  private static func unchanged(_ found: String) -> Finding {
    Finding(
      code: .originUnchanged, place: Finding.Place(), found: "an origin \(found)",
      required: "no write to the origin after the snapshot was invalidated")
  }

  /// When an ext2, ext3 or ext4 was last written, in seconds since 1970.
  ///
  /// - Source: Linux `fs/ext4/ext4.h`, `struct ext4_super_block`: `s_magic`, `s_wtime`,
  ///   `s_wtime_hi`.
  private static func lastWrite(of source: any BlockSource) throws(BlockIOError) -> UInt64? {
    guard source.byteCount >= 2048 else { return nil }
    let buffer = IOBuffer(byteCount: 1024)
    guard try source.readAround(at: 1024, into: buffer, 0..<1024).isEmpty else { return nil }
    return buffer.withBytes(0..<1024) { bytes in
      let magic = UInt64(bytes[0x38]) | UInt64(bytes[0x39]) << 8
      guard magic == 0xef53 else { return nil }
      let low = (0..<4).reduce(UInt64(0)) { $0 | UInt64(bytes[0x30 + $1]) << (8 * UInt64($1)) }
      return low | UInt64(bytes[0x274]) << 32
    }
  }

  private static func text(_ seconds: UInt64) -> String {
    Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
  }
}
