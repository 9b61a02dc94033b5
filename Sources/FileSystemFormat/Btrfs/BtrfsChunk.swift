/// A chunk of a btrfs: where a range of its logical addresses lies on devices.
///
/// It has nothing to do with the chunks of a snapshot.
///
/// Shape, little-endian: length (u64), owner (u64), stripe length (u64), type (u64), three sizes
/// (u32), number of stripes (u16), number of sub-stripes (u16); for each stripe its device (u64),
/// its first byte there (u64) and the device's UUID. The logical address is the offset of its key.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_chunk`, `BTRFS_BLOCK_GROUP_*`;
///   `fs/btrfs/volumes.c`, `btrfs_map_block`.
package struct BtrfsChunk: Equatable, Sendable {
  /// Where a stripe lies.
  package struct Stripe: Equatable, Sendable {
    /// The device's number in the file system.
    package let device: UInt64
    /// The first byte on the device.
    package let byteOffset: UInt64

    /// A stripe on a device, from that byte on.
    package init(device: UInt64, byteOffset: UInt64) {
      (self.device, self.byteOffset) = (device, byteOffset)
    }
  }

  /// The distribution of data over the stripes.
  package enum Profile: Equatable, Sendable {
    /// Each stripe has all of it: SINGLE, DUP, RAID1 and its like.
    case copies
    /// Pieces in turn, each in as many copies: RAID0 and RAID10.
    case striped(copies: UInt64)
  }

  /// The first logical address.
  package let logical: UInt64
  /// The number of bytes.
  package let byteCount: UInt64
  /// The length of a piece of a striped one, in bytes.
  package let stripeByteCount: UInt64
  /// The distribution of its bytes over its stripes.
  package let profile: Profile
  /// The type of its content: data (1), chunks (2), metadata (4); and its profile.
  package let type: UInt64
  /// Its stripes, in their order.
  package let stripes: [Stripe]

  static let headByteCount = 48
  static let stripeRecordByteCount = 32

  /// Decodes a chunk item; nil if it is impossible, or of a profile with parity.
  package init?(decoding bytes: Span<UInt8>, logical: UInt64) {
    guard bytes.count >= Self.headByteCount else { return nil }
    let count = Int(bytes.little(at: 44, as: UInt16.self))
    let subStripeCount = UInt64(bytes.little(at: 46, as: UInt16.self))
    guard count >= 1, bytes.count >= Self.headByteCount + count * Self.stripeRecordByteCount
    else { return nil }
    self.logical = logical
    byteCount = bytes.little(at: 0)
    stripeByteCount = bytes.little(at: 16)
    guard byteCount > 0, !logical.addingReportingOverflow(byteCount).overflow else { return nil }
    type = bytes.little(at: 24)
    switch type & 0x7f8 {
    // SINGLE; RAID1, DUP, RAID1C3, RAID1C4.
    case 0: profile = .copies
    case 0x10, 0x20, 0x200, 0x400: profile = .copies
    case 0x08: profile = .striped(copies: 1)
    case 0x40:
      guard subStripeCount >= 1, UInt64(count) % subStripeCount == 0 else { return nil }
      profile = .striped(copies: subStripeCount)
    default: return nil
    }
    if profile != .copies, stripeByteCount == 0 { return nil }
    stripes = (0..<count).map { index in
      let place = Self.headByteCount + index * Self.stripeRecordByteCount
      return Stripe(device: bytes.little(at: place), byteOffset: bytes.little(at: place + 8))
    }
  }

  /// The length of the bytes that ``init(decoding:logical:)`` reads, if it can be determined.
  static func byteCount(of bytes: Span<UInt8>) -> Int? {
    guard bytes.count >= headByteCount else { return nil }
    let count = Int(bytes.little(at: 44, as: UInt16.self))
    let byteCount = headByteCount + count * stripeRecordByteCount
    return byteCount <= bytes.count ? byteCount : nil
  }

  /// Whether data may be in it.
  package var holdsData: Bool { type & 1 != 0 }

  /// Whether nodes may be in it.
  package var holdsNodes: Bool { type & 6 != 0 }

  /// Whether a logical address is in it.
  package func contains(_ address: UInt64) -> Bool {
    address >= logical && address - logical < byteCount
  }

  /// The places of `count` bytes from a logical address on a device, each copy of them.
  ///
  /// Nothing, if they are not in the chunk, or not in one piece.
  package func places(of address: UInt64, count: UInt64, on device: UInt64) -> [UInt64] {
    guard contains(address), count <= byteCount - (address - logical) else { return [] }
    var within = address - logical
    var chosen = stripes[...]
    if case .striped(let copies) = profile {
      let (piece, offset) = within.quotientAndRemainder(dividingBy: stripeByteCount)
      guard count <= stripeByteCount - offset else { return [] }
      let columnCount = UInt64(stripes.count) / copies
      let (row, rowOverflow) = (piece / columnCount).multipliedReportingOverflow(
        by: stripeByteCount)
      let first = Int(piece % columnCount * copies)
      chosen = stripes[first..<first + Int(copies)]
      let (sum, overflow) = row.addingReportingOverflow(offset)
      if rowOverflow || overflow { return [] }
      within = sum
    }
    return chosen.compactMap { stripe in
      let (place, overflow) = stripe.byteOffset.addingReportingOverflow(within)
      return stripe.device == device && !overflow ? place : nil
    }
  }
}

/// The chunks that are known of a btrfs, ascending by logical address.
package struct BtrfsChunkMap: Equatable, Sendable {
  /// More would be no real file system's, and are left out.
  private static let countMax = 1 << 20

  /// The chunks, ascending by logical address, none over another.
  package private(set) var chunks: [BtrfsChunk] = []

  /// A map of chunks, of which a later one takes the place of those that it overlaps.
  package init(_ chunks: [BtrfsChunk] = []) {
    for chunk in chunks { insert(chunk) }
  }

  /// Adds a chunk, in place of those that overlap it.
  package mutating func insert(_ chunk: BtrfsChunk) {
    guard chunks.count < Self.countMax else { return }
    let start = firstIndex(endingAfter: chunk.logical)
    var end = start
    while end < chunks.count, chunks[end].logical < chunk.logical + chunk.byteCount { end += 1 }
    chunks.replaceSubrange(start..<end, with: [chunk])
  }

  /// The index of the chunk that has a logical address.
  package func index(containing address: UInt64) -> Int? {
    let index = firstIndex(endingAfter: address)
    return index < chunks.count && chunks[index].contains(address) ? index : nil
  }

  private func firstIndex(endingAfter address: UInt64) -> Int {
    var (low, high) = (0, chunks.count)
    while low < high {
      let middle = low + (high - low) / 2
      if chunks[middle].logical + (chunks[middle].byteCount - 1) >= address {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }
}
