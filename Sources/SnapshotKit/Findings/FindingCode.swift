/// Every kind of finding, under the stable code that JSON, scripts and `dmsnap explain` use.
///
/// The cases have no comments: the ``entry`` of each describes it, as docs/findings.md does.
///
/// A new kind needs a case here and an entry in the catalogue; the compiler enforces both.
public enum FindingCode: String, CaseIterable, Sendable {
  case headerUnreadable = "header.unreadable"
  case headerMagicErased = "header.magic-erased"
  case headerZeroed = "header.zeroed"
  case headerForeign = "header.foreign"
  case headerInvalid = "header.invalid"
  case headerValidOdd = "header.valid-odd"
  case headerVersion = "header.version"
  case headerChunkSize = "header.chunk-size"
  case headerChunkSizeContradicted = "header.chunk-size-contradicted"
  case headerTail = "header.tail"

  case storeTooShort = "store.too-short"
  case storeNextAreaBeyondEnd = "store.next-area-beyond-end"
  case storePartialChunk = "store.partial-chunk"
  case storeAtBoundary = "store.at-boundary"
  case storeFull = "store.full"
  case storeShifted = "store.shifted"
  case storeUnconfirmed = "store.unconfirmed"

  case areaUnreadable = "area.unreadable"
  case areaHole = "area.hole"
  case areaStale = "area.stale"
  case areaImplausible = "area.implausible"
  case areaHeaderImage = "area.header-image"
  case areaLost = "area.lost"
  case areaDamaged = "area.damaged"

  case generationOverwritten = "generation.overwritten"
  case generationAmbiguous = "generation.ambiguous"
  case generationEndInDoubt = "generation.end-in-doubt"
  case generationMaybeOverwritten = "generation.maybe-overwritten"

  case newInHeader = "exception.new-in-header"
  case newInMetadata = "exception.new-in-metadata"
  case newBeyondEnd = "exception.new-beyond-end"
  case newDuplicate = "exception.new-duplicate"
  case oldDuplicate = "exception.old-duplicate"
  case oldBeyondOrigin = "exception.old-beyond-origin"
  case topByte = "exception.top-byte"
  case outOfOrder = "exception.out-of-order"
  case leakedChunks = "exception.leaked-chunks"
  case unsupported = "exception.unsupported"
  case orphans = "exception.orphans"
  case inFlight = "exception.in-flight"
  case placedLikely = "exception.placed-likely"

  case dataUnreadable = "data.unreadable"
  case dataIdentical = "data.identical"
  case dataZeroBlock = "data.zero-block"

  case mergeInterrupted = "merge.interrupted"
  case mergeResidue = "merge.residue"

  case originSmaller = "context.origin-smaller"
  case originLarger = "context.origin-larger"
  case insideFilesystem = "context.inside-filesystem"
  case inUse = "context.in-use"
  case sameUUID = "context.same-uuid"
  case originUnchanged = "context.origin-unchanged"
  case originWritten = "context.origin-written"
  case originUnknown = "context.origin-unknown"
  case unrelatedOrigin = "context.unrelated-origin"
  case originIsDisk = "context.origin-is-disk"
  case originIsStore = "context.origin-is-store"

  case pvMissing = "lvm.pv-missing"
  case volumeCutOff = "lvm.pv-cut-off"
  case volumeStale = "lvm.pv-stale"
  case volumeMetadata = "lvm.metadata"
  case volumeOlder = "lvm.older-version"
  case volumeReused = "lvm.extents-reused"
  case volumeMerging = "lvm.merging"
  case volumeChunkSize = "lvm.chunk-size"
  case volumeAdopted = "lvm.header-adopted"
  case volumeAreaShort = "lvm.area-short"
  case volumeShortened = "lvm.store-shortened"

  /// Its entry in the catalogue.
  public var entry: FindingEntry { FindingCatalogue.entry(for: self) }
}

/// The catalogue's entry for a kind of finding.
public struct FindingEntry: Sendable {
  /// Its severity for the user's data.
  public let severity: Severity
  /// One line that names it.
  public let title: String
  /// The explanation of the finding, and how it is recognised.
  public let meaning: String
  /// The kernel, tool or accident that causes it.
  public let cause: String
  /// The consequence for the user's data.
  public let consequence: String
  /// The remedy.
  public let remedy: String
}
