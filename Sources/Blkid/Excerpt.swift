internal import BlockIO

/// A sparse copy in memory of the parts of a source that libblkid looks at.
///
/// libblkid reads from a descriptor and nothing else. Nearly everything that it knows is in the
/// first 4 MiB and the last 1.6 MiB; ``FarStructure`` is copied too. Bytes that cannot be read are
/// zero in the copy.
struct Excerpt {
  // The farthest that libblkid reads by itself: copies of a LUKS2 header up to byte 4 MiB, and
  // the members of some RAID controllers up to 3087 sectors before the end.
  private static let headByteCount: UInt64 = 4352 << 10
  private static let tailByteCount: UInt64 = 2 << 20

  /// The copy, as long as the source.
  let file: MemoryFile
  /// The byte ranges of the source that could not be read, ascending.
  private(set) var unreadable: [Range<UInt64>] = []

  /// Copies the bytes that libblkid looks at in `source`.
  init(of source: any BlockSource) throws(BlockIOError) {
    file = try MemoryFile(name: source.name, byteCount: source.byteCount)
    let byteCount = source.byteCount
    let headEnd =
      byteCount <= Self.headByteCount + Self.tailByteCount ? byteCount : Self.headByteCount
    try take(0..<headEnd, of: source)
    let sector = try bytes(at: 0, count: 512)
    if let structure = FarStructure(bootSector: sector) {
      try take(structure.range, of: source, from: headEnd)
    }
    try takeExtendedBootRecords(of: source, sector, from: headEnd)
    try take(byteCount - min(byteCount, Self.tailByteCount)..<byteCount, of: source, from: headEnd)
    unreadable = unreadable.union
  }

  /// The chain of sectors that holds the logical partitions of a DOS table, wherever they are.
  private mutating func takeExtendedBootRecords(
    of source: any BlockSource, _ bootSector: [UInt8], from headEnd: UInt64
  ) throws(BlockIOError) {
    for frame in DOSTable(bootSector).extendedStarts {
      var record = frame
      // libblkid follows a hundred; the limit also ends a cyclic chain.
      for _ in 0..<100 {
        let byteOffset = UInt64(record) * 512
        try take(byteOffset..<byteOffset + 512, of: source, from: headEnd)
        let table = DOSTable(try bytes(at: byteOffset, count: 512))
        guard let next = table.extendedStarts.first else { break }
        let (sum, overflow) = frame.addingReportingOverflow(next)
        if overflow { break }
        record = sum
      }
    }
  }

  /// Copies the part of `range` that is in the source and not before byte `start`.
  private mutating func take(
    _ range: Range<UInt64>, of source: any BlockSource, from start: UInt64 = 0
  ) throws(BlockIOError) {
    let range = range.clamped(to: start..<source.byteCount)
    unreadable += try file.copy(range, of: source)
  }

  /// Bytes of the copy; empty if it is too short.
  private func bytes(at byteOffset: UInt64, count: Int) throws(BlockIOError) -> [UInt8] {
    guard byteOffset <= file.byteCount, file.byteCount - byteOffset >= UInt64(count) else {
      return []
    }
    let buffer = IOBuffer(byteCount: count)
    try file.read(at: byteOffset, into: buffer, 0..<count)
    return buffer.withBytes(0..<count) { bytes in bytes.indices.map { bytes[$0] } }
  }
}
