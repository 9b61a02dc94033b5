internal import BlockIO
package import SnapshotFormat

/// Where a store's areas and chunks are, and how that is known.
package struct InferredGeometry: Sendable {
  /// The source of the chunk size.
  package enum Basis: String, Sendable {
    /// The user.
    case option
    /// The header.
    case header
    /// The areas, if the header is lost or they contradict it.
    case areas
  }

  /// nil if it cannot be determined.
  package let geometry: StoreGeometry?
  /// The source of the chunk size.
  package let basis: Basis
  /// The score of each chunk size, if that was examined.
  package let evidence: ChunkSizeEvidence?

  /// Infers the geometry of a store.
  ///
  /// - Parameter chunkSize: The user's choice, which overrides everything.
  package init(_ store: Store, chunkSize: ChunkSize? = nil) {
    let source = store.source
    if let chunkSize {
      geometry = StoreGeometry(chunkSize: chunkSize, byteCount: source.byteCount)
      (basis, evidence) = (.option, nil)
      return
    }
    if store.isRecognised, let own = store.geometry {
      // A sound area 0 where the header puts it settles it: anything else is from an older store.
      // Our own undo stores know their chunk size.
      if UndoManifest(source) != nil
        || ChunkSizeEvidence.score(store.areas, own.chunkSize, isExpected: true, areaCountMax: 1)
          .firstAreaCount > 0
      {
        (geometry, basis, evidence) = (own, .header, nil)
        return
      }
    }
    let evidence = ChunkSizeEvidence(store.areas)
    if let own = store.isRecognised ? store.geometry : nil,
      ShiftEvidence.explains(own.chunkSize, rather: evidence.best?.chunkSize, source)
        || evidence.best.map({ best in
          // A store with no room for an area by its header's size does not confirm that size.
          best.chunkSize == own.chunkSize || (!best.overrules && own.chunkCount > 1)
        }) ?? true
    {
      (geometry, basis, self.evidence) = (own, .header, nil)
      return
    }
    self.evidence = evidence
    if !store.isRecognised, let beheaded = Self.beheadedChunkSize(source),
      ShiftEvidence.explains(beheaded, rather: evidence.best?.chunkSize, source)
    {
      geometry = StoreGeometry(chunkSize: beheaded, byteCount: source.byteCount)
      basis = .areas
    } else if let best = evidence.best {
      geometry = StoreGeometry(chunkSize: best.chunkSize, byteCount: source.byteCount)
      basis = .areas
    } else {
      (geometry, basis) = (nil, .header)
    }
  }

  /// The chunk size of a copy that lost the store's beginning, so that no area is in its place.
  private static func beheadedChunkSize(_ source: any BlockSource) -> ChunkSize? {
    // Area 0 of the largest chunks is within these bytes.
    let byteCount = min(source.byteCount, 32 << 20)
    do throws(BlockIOError) {
      var search = StoreSearch(try SliceSource(source, 0..<byteCount))
      try search.run { _, _ in }
      return search.beheaded.max { $0.exceptionCount < $1.exceptionCount }?.chunkSize
    } catch {
      return nil  // the next read of the store will report it
    }
  }
}
