/// XXH64 with the seed 0.
///
/// - Source: xxHash `doc/xxhash_spec.md`, "XXH64 algorithm description".
package enum XXHash64 {
  private static let prime1: UInt64 = 0x9e37_79b1_85eb_ca87
  private static let prime2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
  private static let prime3: UInt64 = 0x1656_67b1_9e37_79f9
  private static let prime4: UInt64 = 0x85eb_ca77_c2b2_ae63
  private static let prime5: UInt64 = 0x27d4_eb2f_1656_67c5

  /// The digest of bytes.
  package static func digest(of bytes: Span<UInt8>) -> UInt64 {
    var place = 0
    var hash: UInt64
    if bytes.count >= 32 {
      var (lane0, lane1) = (prime1 &+ prime2, prime2)
      var (lane2, lane3) = (UInt64(0), 0 &- prime1)
      while place + 32 <= bytes.count {
        lane0 = round(lane0, word(bytes, place))
        lane1 = round(lane1, word(bytes, place + 8))
        lane2 = round(lane2, word(bytes, place + 16))
        lane3 = round(lane3, word(bytes, place + 24))
        place += 32
      }
      hash = rotated(lane0, 1) &+ rotated(lane1, 7) &+ rotated(lane2, 12) &+ rotated(lane3, 18)
      hash = merged(merged(merged(merged(hash, lane0), lane1), lane2), lane3)
    } else {
      hash = prime5
    }
    hash &+= UInt64(bytes.count)
    while place + 8 <= bytes.count {
      hash = rotated(hash ^ round(0, word(bytes, place)), 27) &* prime1 &+ prime4
      place += 8
    }
    if place + 4 <= bytes.count {
      hash ^= UInt64(bytes.little(at: place, as: UInt32.self)) &* prime1
      hash = rotated(hash, 23) &* prime2 &+ prime3
      place += 4
    }
    while place < bytes.count {
      hash = rotated(hash ^ UInt64(bytes[place]) &* prime5, 11) &* prime1
      place += 1
    }
    hash = (hash ^ hash >> 33) &* prime2
    hash = (hash ^ hash >> 29) &* prime3
    return hash ^ hash >> 32
  }

  private static func word(_ bytes: Span<UInt8>, _ place: Int) -> UInt64 {
    UInt64(bytes[place]) | UInt64(bytes[place + 1]) << 8 | UInt64(bytes[place + 2]) << 16
      | UInt64(bytes[place + 3]) << 24 | UInt64(bytes[place + 4]) << 32
      | UInt64(bytes[place + 5]) << 40 | UInt64(bytes[place + 6]) << 48
      | UInt64(bytes[place + 7]) << 56
  }

  private static func rotated(_ value: UInt64, _ count: UInt64) -> UInt64 {
    value << count | value >> (64 - count)
  }

  private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
    rotated(lane &+ input &* prime2, 31) &* prime1
  }

  private static func merged(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
    (hash ^ round(0, lane)) &* prime1 &+ prime4
  }
}
