public import BlockIO
public import SnapshotFormat

/// The recoverable content of a store, however broken: its generations and their losses.
///
/// The plan reads only metadata, and decides everything: `table`, `export`, `diff` and `merge` in
/// the salvage reading, and a salvaged store, follow it.
public struct SalvagePlan: Sendable {
  /// The store; if its copy has gaps, as it was on the medium, with the gaps unreadable.
  public let store: Store
  /// The gaps of the given copy, where it lost bytes or has extra ones, in bytes of that copy.
  public let gaps: [Gap]
  /// The places of areas, and how they are known.
  package let inferred: InferredGeometry
  /// The places of areas.
  public let geometry: StoreGeometry
  /// The generations; the newest that has exceptions comes first.
  public let generations: [Generation]
  /// The bytes of areas that could not be read.
  public let unreadable: [Range<UInt64>]

  /// Makes a plan.
  ///
  /// - Parameters:
  ///   - chunkSize: The user's choice of the chunk size.
  ///   - originByteCount: The length of the origin, if known: exceptions for chunks past its end
  ///     are impossible.
  /// - Throws: If nothing could be a store, or the medium cannot be read at all.
  public init(
    _ store: Store, chunkSize: ChunkSize? = nil, originByteCount: UInt64? = nil
  ) throws(StoreError) {
    let inferred = InferredGeometry(store, chunkSize: chunkSize)
    let content =
      inferred.basis == .option
      ? nil : OtherContent.contradicting(store, inferred.geometry)
    guard let geometry = inferred.geometry, content == nil else {
      throw store.explained(.notAStore(store.source.name, content))
    }
    try self.init(
      store, inferred, geometry, originByteCount: originByteCount, reach: .whole)
    if generations.allSatisfy({ $0.exceptionCount == 0 }), !store.isRecognised {
      throw store.explained(.notAStore(store.source.name, OtherContent(of: store.source)))
    }
  }

  /// Makes a plan with a known geometry, of a limited reach.
  init(
    _ store: Store, _ inferred: InferredGeometry, _ geometry: StoreGeometry,
    originByteCount: UInt64?, reach: AreaSurvey.Reach
  ) throws(StoreError) {
    self.inferred = inferred
    let isExpected = store.isRecognised && inferred.basis == .header
    do throws(BlockIOError) {
      var (store, geometry) = (store, geometry)
      var survey = try AreaSurvey(
        store.source, areas: store.areas, geometry, isExpected: isExpected, reach: reach)
      var shifts =
        survey.mayBeShifted ? try ShiftEvidence(store.source, geometry.chunkSize) : nil
      // Bytes after a fragment in a file system are another file's, not a loss of the copy.
      if store.surroundings != nil { shifts?.doubtGaps() }
      if let gaps = shifts?.gaps, !gaps.isEmpty {
        let mended = Store(try VolumeSource(store.source.name, store.source, with: gaps))
        let whole = StoreGeometry(
          chunkSize: geometry.chunkSize, byteCount: mended.source.byteCount)
        let other = try AreaSurvey(
          mended.source, areas: mended.areas, whole, isExpected: isExpected, reach: reach)
        // Mending a copy that lost bytes puts more exceptions in their places. If there are fewer,
        // numbers that happen to fit were taken for an area.
        if other.exceptionCount >= survey.exceptionCount {
          (store, geometry, survey) = (mended, whole, other)
        } else {
          shifts = nil
        }
      }
      gaps = shifts?.gaps ?? []
      (self.store, self.geometry) = (store, geometry)
      unreadable = survey.unreadable
      generations = try Self.generations(
        of: survey, geometry, shifts, store.validity(by: inferred),
        originChunkCount: originByteCount.map { geometry.chunkCount(ofOrigin: $0) })
    } catch {
      throw store.explained(.io(error))
    }
  }

  private static func generations(
    of survey: AreaSurvey, _ geometry: StoreGeometry, _ shifts: ShiftEvidence?,
    _ validity: Store.Validity, originChunkCount: UInt64?
  ) throws(BlockIOError) -> [Generation] {
    let isFirstLost =
      survey.areaCount == 0 || survey.lostAreas.contains { $0.areas.contains(0) }
    var generations: [Generation] = []
    var overwrittenEnd = StoreGeometry.firstDataChunk
    for (index, table) in TableSplit(survey).tables.enumerated() {
      let isCurrent = index == 0 && (table.segment.areas.lowerBound == 0 || isFirstLost)
      var builder = GenerationBuilder(
        table, geometry, shifts, overwrittenEnd: overwrittenEnd,
        originChunkCount: originChunkCount, validity: validity)
      generations.append(try builder.build(index: index, isCurrent: isCurrent, survey))
      // The newer table used the chunks of its damaged slots too.
      let segment = table.segment
      let used = geometry.dataChunk(
        inOrder: segment.usedEnd + UInt64(max(segment.lastShift, 0)))
      overwrittenEnd = max(overwrittenEnd, segment.nextFree, used?.index ?? 0)
    }
    if !generations.isEmpty { return generations }
    var builder = GenerationBuilder(
      .empty, geometry, shifts, overwrittenEnd: overwrittenEnd, originChunkCount: nil,
      validity: validity)
    if isFirstLost { return [try builder.buildLost(survey)] }
    // An empty table has nothing to report, unless chunks were copied nevertheless.
    let empty = try builder.build(index: 0, isCurrent: true, survey)
    return empty.isComplete || validity == .unknown ? [] : [empty]
  }

  /// Whether a generation is all that its table ever had, including its exceptions' data, as far as
  /// known without reading it.
  public func isWhole(_ generation: Generation) -> Bool {
    generation.isComplete && WantedSectors(self, generation, lost: []).data.isEmpty
      && generation.runs.allSatisfy { $0.new + $0.count <= geometry.wholeChunkCount }
  }

  /// The generation of that number.
  package func generation(_ index: Int) throws(StoreError) -> Generation {
    if generations.indices.contains(index) { return generations[index] }
    guard index == 0 else {
      throw store.explained(
        .noGeneration(store.source.name, index, count: generations.count))
    }
    // A store that Linux made and never copied to is a table without exceptions.
    return .empty
  }
}

extension Generation {
  /// The table of a store that nothing was copied to.
  static let empty = Generation(
    index: 0, isCurrent: true, areas: 0..<1, runs: [], exceptionCount: 0, doubtfulCount: 0,
    lostExceptionCount: 0, isEndLost: false, lost: [], orphans: [], orphanCount: 0,
    inFlightCount: 0, isInDoubt: false, findings: [])
}

extension Store {
  /// Whether Linux invalidated the snapshot.
  enum Validity {
    case valid, invalid
    /// The header with the flag is lost, or is another table's.
    case unknown
  }

  /// The header's flag, if the header is the table's.
  func validity(by inferred: InferredGeometry) -> Validity {
    guard let header, isRecognised else { return .unknown }
    if header.valid == 0 { return .invalid }
    return inferred.basis == .areas ? .unknown : .valid
  }
}
