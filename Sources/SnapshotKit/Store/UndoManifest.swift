internal import BlockIO
internal import Crypto
internal import SnapshotFormat

/// The description of its merge in an undo store, after the header in chunk 0.
///
/// Linux ignores these bytes when it reads, so an undo store is a COW store like any other. They
/// are all in the first 512 bytes, the smallest chunk, which a disk writes completely or not at
/// all.
///
///     offset  size  field
///         16     8  magic             "dmsnapun"
///         24     4  manifest version  2
///         28     4  state             1 saving, 2 saved, 3 finished
///         32     8  origin            its length in bytes
///         40     8  exceptions        how many the undo store has when it is saved
///         48    32  table digest      SHA-256 of the table that is merged
///         80    32  fingerprint       SHA-256 of samples of the origin that the merge leaves alone
///        112     8  data checksum     of the old data and its places: ``SectorChecksum``
///        120     8  has a checksum    1, or 0 where data is shared with the origin and was not
///        read
///        128    32  checksum          SHA-256 of bytes 16 ..< 128
struct UndoManifest: Equatable, Sendable {
  /// The progress of a merge.
  enum State: UInt32, Sendable {
    /// Old data is being copied to the undo store; the origin is as it was.
    case saving = 1
    /// The undo store is complete; the origin may be in any state between before and after.
    case saved = 2
    /// The merge is done.
    case finished = 3
  }

  static let byteCount = 512
  private static let magic: UInt64 = 0x6e75_7061_6e73_6d64  // "dmsnapun"

  var state: State
  var originByteCount: UInt64
  var exceptionCount: UInt64
  var tableDigest: [UInt8]
  var fingerprint: [UInt8]
  /// Of the old data; nil while it is being saved, and if it is shared and was never read.
  var dataChecksum: SectorChecksum?

  /// The fingerprint of an origin whose samples cannot be read.
  static let noFingerprint = [UInt8](repeating: 0, count: 32)

  /// Whether two fingerprints may be of one origin; if one could not be read that is unknown, and
  /// bad sectors must not prevent an undo.
  static func agree(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left == right || [left, right].contains(noFingerprint)
  }

  init(
    state: State, originByteCount: UInt64, exceptionCount: UInt64, tableDigest: [UInt8],
    fingerprint: [UInt8], dataChecksum: SectorChecksum? = nil
  ) {
    self.state = state
    self.originByteCount = originByteCount
    self.exceptionCount = exceptionCount
    self.tableDigest = tableDigest
    self.fingerprint = fingerprint
    self.dataChecksum = dataChecksum
  }

  /// Reads the manifest of a possible undo store; nil if it is none, or damaged.
  init?(_ source: any BlockSource) {
    guard let buffer = Self.firstBytes(of: source),
      let manifest = buffer.withBytes(0..<Self.byteCount, Self.decode)
    else { return nil }
    self = manifest
  }

  /// Whether `source` was an undo store: the manifest's magic is there, whatever happened to the
  /// rest.
  static func hasMagic(_ source: any BlockSource) -> Bool {
    firstBytes(of: source)?.withBytes(0..<byteCount) {
      $0.littleEndian(at: Field.magic, as: UInt64.self) == magic
    } ?? false
  }

  /// The bytes of a possible manifest; nil if they cannot be read: reading the header will report
  /// the same error.
  private static func firstBytes(of source: any BlockSource) -> IOBuffer? {
    guard source.byteCount >= byteCount else { return nil }
    let buffer = IOBuffer(byteCount: byteCount)
    do throws(BlockIOError) { try source.read(at: 0, into: buffer, 0..<byteCount) } catch {
      return nil
    }
    return buffer
  }

  private static func decode(_ bytes: Span<UInt8>) -> UndoManifest? {
    let version: UInt32 = bytes.littleEndian(at: Field.version)
    // Version 1 had its checksum in the place of the data's, which it lacked.
    let checksum = version == 1 ? Field.dataChecksum : Field.checksum
    guard bytes.littleEndian(at: Field.magic, as: UInt64.self) == magic, 1...2 ~= version,
      let state = State(rawValue: bytes.littleEndian(at: Field.state)),
      Self.checksum(of: bytes, to: checksum) == Self.bytes(bytes, at: checksum)
    else { return nil }
    return UndoManifest(
      state: state,
      originByteCount: bytes.littleEndian(at: Field.originByteCount),
      exceptionCount: bytes.littleEndian(at: Field.exceptionCount),
      tableDigest: Self.bytes(bytes, at: Field.tableDigest),
      fingerprint: Self.bytes(bytes, at: Field.fingerprint),
      dataChecksum: version == 1
        || bytes.littleEndian(at: Field.hasDataChecksum, as: UInt64.self) == 0
        ? nil : SectorChecksum(sum: bytes.littleEndian(at: Field.dataChecksum)))
  }

  /// Writes header and manifest into the first 512 bytes of `bytes`.
  func encode(after header: SnapshotHeader, into bytes: inout MutableSpan<UInt8>) {
    header.encode(into: &bytes)
    bytes.store(littleEndian: Self.magic, at: Field.magic)
    bytes.store(littleEndian: UInt32(2), at: Field.version)
    bytes.store(littleEndian: state.rawValue, at: Field.state)
    bytes.store(littleEndian: originByteCount, at: Field.originByteCount)
    bytes.store(littleEndian: exceptionCount, at: Field.exceptionCount)
    for index in 0..<32 {
      bytes[Field.tableDigest + index] = tableDigest[index]
      bytes[Field.fingerprint + index] = fingerprint[index]
    }
    bytes.store(littleEndian: dataChecksum?.sum ?? 0, at: Field.dataChecksum)
    bytes.store(littleEndian: UInt64(dataChecksum == nil ? 0 : 1), at: Field.hasDataChecksum)
    let checksum = Self.checksum(of: bytes.span, to: Field.checksum)
    for index in 0..<32 { bytes[Field.checksum + index] = checksum[index] }
  }

  private static func checksum(of bytes: Span<UInt8>, to end: Int) -> [UInt8] {
    Array(SHA256.hash(data: (Field.magic..<end).map { bytes[$0] }))
  }

  private static func bytes(_ bytes: Span<UInt8>, at offset: Int) -> [UInt8] {
    (offset..<offset + 32).map { bytes[$0] }
  }

  private enum Field {
    static let magic = 16
    static let version = 24
    static let state = 28
    static let originByteCount = 32
    static let exceptionCount = 40
    static let tableDigest = 48
    static let fingerprint = 80
    static let dataChecksum = 112
    static let hasDataChecksum = 120
    static let checksum = 128
  }
}
