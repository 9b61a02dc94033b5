/// The superblock of a journal of ext4 (jbd2), whose integers are big-endian.
///
/// - Source: Linux `Documentation/filesystems/ext4/journal.rst`; `include/linux/jbd2.h`,
///   `journal_superblock_t`.
package struct Ext4JournalSuperblock: Equatable, Sendable {
  /// The length of a block in bytes.
  package let blockByteCount: UInt32
  /// The number of blocks in the journal.
  package let blockCount: UInt32
  /// The first block of the log.
  package let first: UInt32
  /// The transaction with which the log begins: those before are written home.
  package let sequence: UInt32
  /// The block with which the log begins; 0 if all of it was written home.
  package let start: UInt32
  /// The layout of descriptors.
  package let layout: Ext4JournalLayout

  /// The number of blocks at its end for fast commits, which have a log of their own.
  package let fastCommitBlockCount: UInt32
  /// Features required for reading it that are unknown here.
  package let unknownFeatures: UInt32
  /// Whether commits have a checksum of the blocks of their transaction, CRC-32.
  package let hasTransactionChecksums: Bool

  /// Decodes one with checksums of version 2 or 3 and without fast commits; nil for bytes that are
  /// none, or whose checksum is wrong.
  package init?(decoding bytes: Span<UInt8>) {
    self.init(ofAny: bytes)
    guard layout.hasChecksums, fastCommitBlockCount == 0 else { return nil }
  }

  /// Decodes one of any version; nil for bytes that are none, or whose checksum is wrong.
  package init?(ofAny bytes: Span<UInt8>) {
    guard bytes.count >= 1024, let header = Ext4JournalHeader(decoding: bytes),
      header.kind == .superblock
    else { return nil }
    // The first version has no features.
    let hasFeatures = bytes.big(at: 4, as: UInt32.self) == 4
    let features: UInt32 = hasFeatures ? bytes.big(at: 0x28) : 0
    if features & 0x18 != 0 {
      guard bytes[0x50] == 4 else { return nil }
      var checksum = CRC32C()
      checksum.add(bytes.extracting(0..<0xfc))
      checksum.addZeroes(4)
      checksum.add(bytes.extracting(0x100..<1024))
      guard checksum.register == bytes.big(at: 0xfc) else { return nil }
    }
    hasTransactionChecksums = hasFeatures && bytes.big(at: 0x24, as: UInt32.self) & 1 != 0
    unknownFeatures = features & ~0x3f
    let fastCommitBlocks: UInt32 = bytes.big(at: 0x54)
    fastCommitBlockCount =
      features & 0x20 == 0 ? 0 : fastCommitBlocks == 0 ? 256 : fastCommitBlocks
    blockByteCount = bytes.big(at: 0x0c)
    blockCount = bytes.big(at: 0x10)
    first = bytes.big(at: 0x14)
    sequence = bytes.big(at: 0x18)
    start = bytes.big(at: 0x1c)
    var seed = CRC32C()
    seed.add(bytes.extracting(0x30..<0x40))
    layout = Ext4JournalLayout(
      isVersion3: features & 0x10 != 0, has64Bits: features & 2 != 0, seed: seed.register,
      hasChecksums: features & 0x18 != 0)
    guard first >= 1, first < blockCount else { return nil }
  }
}

/// The layout of the tags of a journal's descriptors, and the initial value of its checksums.
package struct Ext4JournalLayout: Equatable, Sendable {
  /// Whether tags have all of a checksum, in sixteen bytes.
  package let isVersion3: Bool
  /// Whether numbers of blocks have 64 bits.
  package let has64Bits: Bool
  /// The register with which every checksum begins.
  package let seed: UInt32
  /// Whether blocks have checksums, by CRC-32C.
  package let hasChecksums: Bool

  /// A layout of those checksums.
  package init(isVersion3: Bool, has64Bits: Bool, seed: UInt32, hasChecksums: Bool = true) {
    self.isVersion3 = isVersion3
    self.has64Bits = has64Bits
    self.seed = seed
    self.hasChecksums = hasChecksums
  }

  private var tagByteCount: Int {
    isVersion3 ? 16 : (has64Bits ? 12 : 8) + (hasChecksums ? 2 : 0)
  }

  /// The number of bytes of the checksum at the end of a descriptor.
  private var tailByteCount: Int { hasChecksums ? 4 : 0 }

  /// The register with which the checksum of a block of a transaction begins.
  package func register(sequence: UInt32) -> UInt32 {
    var checksum = CRC32C(register: seed)
    checksum.add(sequence.byteSwapped)
    return checksum.register
  }

  /// The tags of a descriptor, one for each block that follows it; nil if its checksum is wrong.
  package func tags(of bytes: Span<UInt8>) -> [Ext4JournalTag]? {
    guard hasRightTail(bytes) else { return nil }
    var tags: [Ext4JournalTag] = []
    var position = 12
    while position + tagByteCount <= bytes.count - tailByteCount {
      let low: UInt32 = bytes.big(at: position)
      let flags: UInt32
      let checksum: UInt32
      if isVersion3 {
        flags = bytes.big(at: position + 4)
        checksum = bytes.big(at: position + 12)
      } else {
        flags = UInt32(bytes.big(at: position + 6, as: UInt16.self))
        checksum = UInt32(bytes.big(at: position + 4, as: UInt16.self))
      }
      let high: UInt32 = has64Bits ? bytes.big(at: position + 8) : 0
      tags.append(
        Ext4JournalTag(
          block: UInt64(high) << 32 | UInt64(low), checksum: checksum,
          isEscaped: flags & 1 != 0))
      position += tagByteCount + (flags & 2 != 0 ? 0 : 16)
      if flags & 8 != 0 { return tags }
    }
    return tags
  }

  /// Whether the checksum that a tag has of its block is right.
  package func isRight(_ tag: Ext4JournalTag, _ bytes: Span<UInt8>, sequence: UInt32) -> Bool {
    guard hasChecksums else { return true }
    var checksum = CRC32C(register: register(sequence: sequence))
    checksum.add(bytes)
    return isVersion3
      ? checksum.register == tag.checksum : checksum.register & 0xffff == tag.checksum
  }

  /// The blocks that a block of revocations names; nil if its checksum is wrong.
  package func revoked(by bytes: Span<UInt8>) -> [UInt64]? {
    guard hasRightTail(bytes) else { return nil }
    let end = min(Int(bytes.big(at: 12, as: UInt32.self)), bytes.count - tailByteCount)
    let size = has64Bits ? 8 : 4
    guard end >= 16 else { return [] }
    return stride(from: 16, through: end - size, by: size).map {
      has64Bits ? bytes.big(at: $0, as: UInt64.self) : UInt64(bytes.big(at: $0, as: UInt32.self))
    }
  }

  /// Whether the checksum of a block that ends a transaction is right.
  package func isRight(commit bytes: Span<UInt8>) -> Bool {
    guard bytes.count >= 64 else { return false }
    guard hasChecksums else { return true }
    var checksum = CRC32C(register: seed)
    checksum.add(bytes.extracting(0..<16))
    checksum.addZeroes(4)
    checksum.add(bytes.extracting(20..<bytes.count))
    return checksum.register == bytes.big(at: 16)
  }

  /// When a transaction was committed by that block, in nanoseconds since 1970, modulo 2^64.
  package func time(ofCommit bytes: Span<UInt8>) -> UInt64 {
    guard bytes.count >= 64 else { return 0 }
    return bytes.big(at: 48, as: UInt64.self) &* 1_000_000_000
      &+ UInt64(bytes.big(at: 56, as: UInt32.self))
  }

  /// Whether the checksum at the end of a descriptor or of revocations is right.
  private func hasRightTail(_ bytes: Span<UInt8>) -> Bool {
    guard bytes.count >= 1024 else { return false }
    guard hasChecksums else { return true }
    var checksum = CRC32C(register: seed)
    checksum.add(bytes.extracting(0..<bytes.count - 4))
    checksum.addZeroes(4)
    return checksum.register == bytes.big(at: bytes.count - 4)
  }
}

/// A descriptor's entry for a block that follows it.
package struct Ext4JournalTag: Equatable, Sendable {
  /// The block's home.
  package let block: UInt64
  /// The checksum of the transaction's number and the block as it is in the journal; of version 2
  /// the lower half.
  package let checksum: UInt32
  /// Whether the block's first four bytes are zeroes in the journal, and the journal's magic at
  /// home.
  package let isEscaped: Bool

  /// A tag of a block.
  package init(block: UInt64, checksum: UInt32, isEscaped: Bool) {
    self.block = block
    self.checksum = checksum
    self.isEscaped = isEscaped
  }
}

/// The beginning of a block that structures a journal.
package struct Ext4JournalHeader: Equatable, Sendable {
  /// The kind of block.
  package enum Kind: Sendable {
    case descriptor, commit, superblock, revocation
  }

  /// The kind of block.
  package let kind: Kind
  /// The transaction that it belongs to; 0 for the superblock.
  package let sequence: UInt32

  /// Decodes twelve bytes; nil for those of any other block.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= 12, bytes.big(at: 0, as: UInt32.self) == 0xc03b_3998 else { return nil }
    switch bytes.big(at: 4, as: UInt32.self) {
    case 1: kind = .descriptor
    case 2: kind = .commit
    case 3, 4: kind = .superblock
    case 5: kind = .revocation
    default: return nil
    }
    sequence = bytes.big(at: 8)
  }
}
