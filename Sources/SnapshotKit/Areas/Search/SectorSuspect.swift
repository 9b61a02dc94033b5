internal import SnapshotFormat

/// A sector that may begin a store or an area, by its first 64 bytes: one cache line.
struct SectorSuspect {
  enum Kind {
    /// "SnAp".
    case magic
    /// A header whose magic is zero.
    case erasedHeader
    /// Four exceptions with rising new chunks, of which this is the first.
    case area(firstNewChunk: UInt64)
  }

  /// The sector's number in the piece of the image.
  let sector: Int
  let kind: Kind

  private static let sectorWordCount = 64

  /// Examines every sector of a piece of an image, in words of eight bytes.
  static func find(in words: Span<UInt64>, into suspects: inout [SectorSuspect]) {
    for sector in 0..<words.count / sectorWordCount {
      let word = sector * sectorWordCount
      let (first, second) = (
        UInt64(littleEndian: words[word]), UInt64(littleEndian: words[word + 1])
      )
      if UInt32(truncatingIfNeeded: first) == SnapshotHeader.expectedMagic {
        suspects.append(SectorSuspect(sector: sector, kind: .magic))
      } else if UInt32(truncatingIfNeeded: second) == SnapshotHeader.supportedVersion,
        first & ~(1 << 32) == 0, isChunkSize(second >> 32)
      {
        suspects.append(SectorSuspect(sector: sector, kind: .erasedHeader))
      } else {
        let third = UInt64(littleEndian: words[word + 3])
        let fourth = UInt64(littleEndian: words[word + 5])
        let fifth = UInt64(littleEndian: words[word + 7])
        guard AreaLaw.canFollow(third, second), AreaLaw.canFollow(fourth, third),
          AreaLaw.canFollow(fifth, fourth), second >= StoreGeometry.firstDataChunk,
          AreaLaw.canExist(0, fifth)
        else { continue }
        // In the middle of a longer count, the number before is consecutive too.
        if word > 0, UInt64(littleEndian: words[word - 1]) &+ 1 == second { continue }
        suspects.append(SectorSuspect(sector: sector, kind: .area(firstNewChunk: second)))
      }
    }
  }

  private static func isChunkSize(_ sectorCount: UInt64) -> Bool {
    sectorCount.nonzeroBitCount == 1 && sectorCount <= UInt64(ChunkSize.max.sectorCount)
  }
}
