internal import SnapshotFormat

/// The law of metadata areas, and how far exceptions may deviate from it and still be accepted.
///
/// Linux allocates data chunks in order: the k-th exception of a table has the k-th data chunk. A
/// chunk that leaks shifts all that follow it; the shift never decreases. Salvage, carving and the
/// audit all use these limits, so that they agree.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `persistent_prepare_exception`,
///   `persistent_commit_exception`.
enum AreaLaw {
  /// This many exceptions in a row with one shift support each other: four numbers that happen to
  /// be in order are rare, three are not.
  static let strongCount = 4
  /// This many exceptions make a store if nothing else is left of it, neither a header nor another
  /// area: lists of numbered rows are shorter.
  static let aloneCount: UInt64 = 32
  /// The number of chunks that may have leaked before the first known exception: more than Linux
  /// has copies in flight.
  static let leakMax: Int64 = 4096
  /// The number of chunks that may leak at once, from one exception to the next.
  static let riseMax: Int64 = 255
  /// The number of slots by which an unordered exception may miss its area: copies that ended late.
  static let strayMax: Int64 = 64
  /// This many areas in a row may be damaged or missing before a table is given up.
  static let missedAreaCountMax: UInt64 = 16
  /// A medium has at most 2^63 bytes: no chunk number needs more bits.
  static let chunkNumberBits: UInt64 = 54
  /// The exceptions in a sector, the smallest unit of damage.
  static let slotsPerSector = 512 / DiskException.byteCount

  /// Whether both chunks of an exception can exist on a medium, whatever the chunk size.
  static func canExist(_ old: UInt64, _ new: UInt64) -> Bool {
    (old | new) >> chunkNumberBits == 0
  }

  /// The first chunk number that cannot exist for a chunk size.
  static func chunkNumberEnd(_ chunkSize: ChunkSize) -> UInt64 {
    1 << (chunkNumberBits - UInt64(chunkSize.shift))
  }

  /// Whether a new chunk may follow another in an area, in order or after chunks that leaked.
  static func canFollow(_ new: UInt64, _ before: UInt64) -> Bool {
    // A difference less one, so that a step of zero or backwards becomes a huge number.
    new &- before &- 1 <= UInt64(riseMax)
  }

  /// The smallest unit of damage, in slots: those of a sector, or of half an area if an area is one
  /// sector.
  static func damageSlotCount(_ geometry: StoreGeometry) -> UInt64 {
    min(UInt64(slotsPerSector), geometry.chunkSize.exceptionsPerArea / 2)
  }

  /// The number of exceptions that begin an area of a store, in any order; 0 if one of them is
  /// impossible.
  static func possibleCount(_ exceptions: Span<DiskException>, _ geometry: StoreGeometry) -> Int {
    var count = 0
    while count < exceptions.count, !exceptions[count].isTerminator {
      let new = exceptions[count].newChunk
      guard new < geometry.wholeChunkCount, geometry.isData(Chunk(new)) else { return 0 }
      count += 1
    }
    return count
  }
}
