internal import BlockIO
internal import SnapshotFormat

// Stores found by their headers, whole or damaged.

extension StoreSearch {
  /// A sector as a header, and whether the rest of it is zero.
  private func header(
    at byteOffset: UInt64
  ) throws(BlockIOError) -> (header: SnapshotHeader, isAlone: Bool)? {
    let lost = try source.readAround(at: byteOffset, into: sector, 0..<512)
    guard lost.isEmpty,
      let header = sector.withBytes(0..<512, SnapshotHeader.init(decoding:))
    else { return nil }
    return (header, sector.isZero(SnapshotHeader.byteCount..<512))
  }

  /// The chunk size, if the header's fields are as Linux writes them.
  private func chunkSize(of header: SnapshotHeader) -> ChunkSize? {
    guard header.version == SnapshotHeader.supportedVersion, header.valid <= 1 else { return nil }
    return try? ChunkSize(sectorCount: header.chunkSectors)
  }

  /// Classifies the bytes in the place of a store's header.
  func headerState(of place: StorePlace) throws(BlockIOError) -> CarvedStore.Header {
    guard let byteOffset = UInt64(exactly: place.start),
      let (header, isAlone) = try header(at: byteOffset)
    else { return .lost }
    let saysSo = chunkSize(of: header) == place.chunkSize
    if header.hasMagic {
      // A sound header of another chunk size is another store's.
      if chunkSize(of: header) != nil, !saysSo { return .lost }
      return saysSo && isAlone ? .intact : .damaged
    }
    return header.magic == 0 && saysSo && isAlone ? .damaged : .lost
  }

  /// Examines a sector that begins with "SnAp".
  mutating func examineMagic(at byteOffset: UInt64) throws(BlockIOError) {
    guard let (header, isAlone) = try header(at: byteOffset), header.hasMagic,
      let start = Int64(exactly: byteOffset)
    else { return }
    var isUndoStore: Bool {
      (try? SliceSource(source, byteOffset..<byteOffset + 512)).flatMap { UndoManifest($0) } != nil
    }
    if let chunkSize = chunkSize(of: header), isAlone || isUndoStore {
      let place = StorePlace(start: start, chunkSize: chunkSize)
      let chain = try reader.chain(of: place, from: AreaIndex(0), hasSoundHeader: true)
      // The field may be damaged: then the areas are elsewhere.
      if chain.isContradicted, chain.areas == nil, let other = try bestChain(from: start) {
        try add(other.chain, at: other.place, .damaged)
      } else {
        try add(chain, at: place, .intact)
      }
    } else if let other = try bestChain(from: start) {
      try add(other.chain, at: other.place, .damaged)
    }
  }

  /// The store that begins at a byte and whose area 0 is where its chunk size puts it.
  private func bestChain(
    from start: Int64
  ) throws(BlockIOError) -> (place: StorePlace, chain: AreaChain)? {
    var best: (place: StorePlace, chain: AreaChain)?
    for chunkSize in ChunkSize.all {
      let place = StorePlace(start: start, chunkSize: chunkSize)
      guard let chain = try chain(ofLawfulStoreAt: place) else { continue }
      if chain.inOrderCount > best?.chain.inOrderCount ?? 0 { best = (place, chain) }
    }
    return best
  }

  /// The areas of the store at a place, if its area 0 is whole and lawful.
  private func chain(ofLawfulStoreAt place: StorePlace) throws(BlockIOError) -> AreaChain? {
    guard let area = place.byteOffset(of: AreaIndex(0)), area < source.byteCount,
      place.chunkSize.byteCount <= source.byteCount - area,
      try reader.look(at: area, AreaIndex(0), shift: 0, place.chunkSize, isStrict: true).isLawful
    else { return nil }
    return try reader.chain(of: place, from: AreaIndex(0), hasSoundHeader: false)
  }

  /// Examines a sector that is a header without the magic: a store if exceptions follow.
  mutating func examineErasedHeader(at byteOffset: UInt64) throws(BlockIOError) {
    guard let (header, isAlone) = try header(at: byteOffset), isAlone,
      let chunkSize = chunkSize(of: header), let start = Int64(exactly: byteOffset)
    else { return }
    let place = StorePlace(start: start, chunkSize: chunkSize)
    guard let chain = try chain(ofLawfulStoreAt: place) else { return }
    // So few bytes may be chance, and in small chunks the zeroes after them show little.
    let isSmall = chunkSize.byteCount < 4096
    guard chain.inOrderCount >= (isSmall ? AreaLaw.strongCount : 1) else { return }
    try add(chain, at: place, .damaged)
  }
}
