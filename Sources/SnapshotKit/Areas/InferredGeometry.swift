internal import BlockIO
public import SnapshotFormat

/// Where a store's areas and chunks lie, and who says so.
public struct InferredGeometry: Sendable {
  /// Who says what the chunk size is.
  public enum Basis: String, Sendable {
    /// The user.
    case option
    /// The header.
    case header
    /// The areas, the header being lost or contradicted by them.
    case areas
  }

  /// nil where nobody does.
  public let geometry: StoreGeometry?
  public let basis: Basis
  /// What each chunk size finds, where that was looked into.
  public let evidence: ChunkSizeEvidence?

  /// Finds out for a store.
  ///
  /// - Parameter chunkSize: What the user says, which settles it.
  public init(_ store: Store, chunkSize: ChunkSize? = nil) {
    let source = store.source
    if let chunkSize {
      geometry = StoreGeometry(chunkSize: chunkSize, byteCount: source.byteCount)
      (basis, evidence) = (.option, nil)
      return
    }
    if store.isRecognised, let own = store.geometry {
      // A sound area 0 where the header wants it settles the matter: what else is found then is of
      // an older store. Our own undo stores know their chunk size.
      if UndoManifest(source) != nil
        || ChunkSizeEvidence.score(source, own.chunkSize, isExpected: true, areaCountMax: 1)
          .firstAreaCount > 0
      {
        (geometry, basis, evidence) = (own, .header, nil)
        return
      }
    }
    let evidence = ChunkSizeEvidence(source)
    if let own = store.isRecognised ? store.geometry : nil,
      ShiftEvidence.explains(own.chunkSize, rather: evidence.best?.chunkSize, source)
        || evidence.best.map({ best in
          // A store that has no room for an area by its header's size says nothing for that size.
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

  /// The chunk size of a store of which a copy lost the beginning, so that no area is in its place.
  private static func beheadedChunkSize(_ source: any BlockSource) -> ChunkSize? {
    // Area 0 of the largest chunks lies within this much.
    let byteCount = min(source.byteCount, 32 << 20)
    do throws(BlockIOError) {
      var search = StoreSearch(try SliceSource(source, 0..<byteCount))
      try search.run { _, _ in }
      return search.beheaded.max { $0.exceptionCount < $1.exceptionCount }?.chunkSize
    } catch {
      return nil  // whoever reads the store next will say so
    }
  }
}
