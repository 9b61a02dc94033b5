internal import BlockIO
internal import SnapshotFormat

/// The data available to a search for evidence: the store, its origin, the mapped chunks and the
/// orphans.
struct PlacementScene: Sendable {
  /// The store; data chunks are read from it.
  let store: any BlockSource
  /// The origin of the snapshot, as it is now.
  let origin: any BlockSource
  /// Where chunks are.
  let geometry: StoreGeometry
  /// The number of chunks in the origin; the largest number if the origin is not known.
  let originChunkCount: UInt64
  /// The exceptions that survive, ascending by new chunk, which is the order in which Linux made
  /// them.
  let runs: [ExceptionRun]
  /// The chunks to place, ascending; those that were placed stay in it.
  let orphans: [Orphan]
  /// The number of further chunks, which are not listed.
  let unlistedCount: UInt64
  /// The snapshot as far as it is known.
  ///
  /// It is the origin, seen through the surviving exceptions and the proofs so far. A chunk that is
  /// not known shows the origin's. After all proofs, likely places are included as well.
  let view: SnapshotView
  /// The places proven so far; after all proofs, the likely ones as well.
  let proven: OrphanPlaces

  /// The length of a chunk in bytes.
  var chunkByteCount: UInt64 { geometry.chunkSize.byteCount }

  /// Whether an exception, or a proof so far, already maps a chunk of the origin.
  func isMapped(_ old: UInt64) -> Bool { view.table.newChunk(for: Chunk(old)) != nil }

  /// Whether the origin has a chunk that nothing maps.
  func isFree(_ old: UInt64) -> Bool { old < originChunkCount && !isMapped(old) }
}

/// Finds evidence of some kinds.
protocol EvidenceSearch {
  /// Makes room for the data kept of each orphan: growing little by little takes twice as much.
  mutating func reserve(orphanCount: Int)

  /// Looks at the content of an orphan. Each is shown once, ascending, before any evidence is
  /// sought; one that cannot be read as a whole is not. Keep little of each, because there may be
  /// millions: a search that needs much of them reads them when it is asked.
  mutating func look(at new: UInt64, _ content: Span<UInt8>)

  /// The evidence for the places of orphans that are not proven yet. It is asked again, with the
  /// proofs made meanwhile, until no search proves anything more.
  mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence]

  /// Whether all its evidence is likely at most: then it is asked once, after all proofs.
  var provesNothing: Bool { get }

  /// The parts of the store that can also be read elsewhere, according to the evidence.
  var substitutes: [Substitute] { get }

  /// The use made of the sibling that it searches, if it searches one.
  var siblingUse: SiblingUse? { get }
}

extension EvidenceSearch {
  mutating func reserve(orphanCount: Int) {}
  mutating func look(at new: UInt64, _ content: Span<UInt8>) {}
  var provesNothing: Bool { false }
  var substitutes: [Substitute] { [] }
  var siblingUse: SiblingUse? { nil }
}
