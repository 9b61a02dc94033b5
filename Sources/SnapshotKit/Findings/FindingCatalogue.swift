/// The one catalogue of findings: `dmsnap explain` prints it, docs/findings.md is generated from
/// it.
enum FindingCatalogue {
  /// The entry of a kind of finding.
  static func entry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .headerUnreadable, .headerMagicErased, .headerZeroed, .headerForeign, .headerInvalid,
      .headerValidOdd, .headerVersion, .headerChunkSize, .headerChunkSizeContradicted, .headerTail:
      headerEntry(for: code)
    case .storeTooShort, .storeNextAreaBeyondEnd, .storePartialChunk, .storeAtBoundary, .storeFull,
      .storeShifted, .storeUnconfirmed,
      .areaUnreadable, .areaHole, .areaStale, .areaImplausible, .areaHeaderImage, .areaLost,
      .areaDamaged:
      areaEntry(for: code)
    case .newInHeader, .newInMetadata, .newBeyondEnd, .newDuplicate, .oldDuplicate,
      .oldBeyondOrigin, .topByte, .outOfOrder, .leakedChunks, .unsupported, .orphans,
      .inFlight, .placedLikely:
      exceptionEntry(for: code)
    case .dataUnreadable, .dataIdentical, .mergeInterrupted, .mergeResidue, .inUse, .sameUUID,
      .dataZeroBlock, .insideFilesystem:
      contextEntry(for: code)
    case .originSmaller, .originLarger, .originUnchanged, .originWritten, .originUnknown,
      .unrelatedOrigin, .originIsDisk, .originIsStore:
      originEntry(for: code)
    case .generationOverwritten, .generationAmbiguous, .generationEndInDoubt,
      .generationMaybeOverwritten:
      generationEntry(for: code)
    case .pvMissing, .volumeCutOff, .volumeStale, .volumeMetadata, .volumeOlder, .volumeReused,
      .volumeMerging, .volumeChunkSize, .volumeAdopted, .volumeAreaShort, .volumeShortened:
      volumeEntry(for: code)
    }
  }
}
