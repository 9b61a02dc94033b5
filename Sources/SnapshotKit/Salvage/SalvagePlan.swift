public import BlockIO
public import SnapshotFormat

/// What can be had of a store, however broken: each generation of it, and what is lost.
///
/// The plan reads metadata only, and decides everything: what `table`, `export`, `diff` and `merge`
/// do in the salvage reading, and what a salvaged store holds, is what stands here.
public struct SalvagePlan: Sendable {
  /// The store; where its copy has gaps, as the medium was, the gaps being unreadable.
  public let store: Store
  /// Where the copy that was given lost bytes, or has extra ones, in bytes of that copy.
  public let gaps: [Gap]
  /// Where areas lie, and who says so.
  public let inferred: InferredGeometry
  /// Where areas lie.
  public let geometry: StoreGeometry
  /// The newest that has exceptions first.
  public let generations: [Generation]
  /// The bytes of areas that could not be read.
  public let unreadable: [Range<UInt64>]

  /// Makes a plan.
  ///
  /// - Parameters:
  ///   - chunkSize: What the user says that the chunk size is.
  ///   - originByteCount: How long the origin is, if that is known: exceptions for chunks behind it
  ///     are impossible.
  /// - Throws: When there is nothing that could be a store, or the medium is gone altogether.
  public init(
    _ store: Store, chunkSize: ChunkSize? = nil, originByteCount: UInt64? = nil
  ) throws(StoreError) {
    let inferred = InferredGeometry(store, chunkSize: chunkSize)
    let content =
      inferred.basis == .option
      ? nil : OtherContent.contradicting(store, inferred.geometry)
    guard let geometry = inferred.geometry, content == nil else {
      throw .notAStore(store.source.name, content)
    }
    try self.init(
      store, inferred, geometry, originByteCount: originByteCount, reach: .whole)
    if generations.allSatisfy({ $0.exceptionCount == 0 }), !store.isRecognised {
      throw .notAStore(store.source.name, OtherContent(of: store.source))
    }
  }

  /// Makes a plan by a geometry that is known, and looks only so far.
  init(
    _ store: Store, _ inferred: InferredGeometry, _ geometry: StoreGeometry,
    originByteCount: UInt64?, reach: AreaSurvey.Reach
  ) throws(StoreError) {
    self.inferred = inferred
    let isExpected = store.isRecognised && inferred.basis == .header
    do throws(BlockIOError) {
      var (store, geometry) = (store, geometry)
      var survey = try AreaSurvey(store.source, geometry, isExpected: isExpected, reach: reach)
      var shifts =
        survey.mayBeShifted ? try ShiftEvidence(store.source, geometry.chunkSize) : nil
      // What follows a fragment in a file system is another file's, and no loss of a copy.
      if store.surroundings != nil { shifts?.doubtGaps() }
      gaps = shifts?.gaps ?? []
      if !gaps.isEmpty {
        store = Store(try VolumeSource(store.source.name, store.source, with: gaps))
        geometry = StoreGeometry(
          chunkSize: geometry.chunkSize, byteCount: store.source.byteCount)
        survey = try AreaSurvey(store.source, geometry, isExpected: isExpected, reach: reach)
      }
      (self.store, self.geometry) = (store, geometry)
      unreadable = survey.unreadable
      generations = try Self.generations(
        of: survey, geometry, shifts, store.validity(by: inferred),
        originChunkCount: originByteCount.map { geometry.chunkCount(ofOrigin: $0) })
    } catch {
      throw .io(error)
    }
  }

  private static func generations(
    of survey: AreaSurvey, _ geometry: StoreGeometry, _ shifts: ShiftEvidence?,
    _ validity: Store.Validity,
    originChunkCount: UInt64?
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
      // The newer table used the chunks of its damaged slots as well.
      let segment = table.segment
      let used = geometry.dataChunk(
        inOrder: segment.usedEnd + UInt64(max(segment.lastShift, 0)))
      overwrittenEnd = max(overwrittenEnd, segment.nextFree, used?.index ?? 0)
    }
    if !generations.isEmpty { return generations }
    if isFirstLost { return [.lost(geometry)] }
    // An empty table has nothing to say, unless chunks were copied all the same.
    var builder = GenerationBuilder(
      .empty, geometry, shifts, overwrittenEnd: overwrittenEnd, originChunkCount: nil,
      validity: validity)
    let empty = try builder.build(index: 0, isCurrent: true, survey)
    return empty.isComplete || validity == .unknown ? [] : [empty]
  }

  /// Whether a generation is all that its table ever had, the data of its exceptions included, as
  /// far as that is known without reading them.
  public func isWhole(_ generation: Generation) -> Bool {
    generation.isComplete && WantedSectors(self, generation, lost: []).data.isEmpty
      && generation.runs.allSatisfy { $0.new + $0.count <= geometry.wholeChunkCount }
  }

  /// The generation of that number.
  public func generation(_ index: Int) throws(StoreError) -> Generation {
    if generations.indices.contains(index) { return generations[index] }
    guard index == 0 else {
      throw .noGeneration(store.source.name, index, count: generations.count)
    }
    // A store that Linux made and that nothing was written to is a table without exceptions.
    return .empty
  }
}

extension Generation {
  /// The table of a store that nothing was copied to.
  static let empty = Generation(
    index: 0, isCurrent: true, areas: 0..<1, runs: [], exceptionCount: 0, doubtfulCount: 0,
    lostExceptionCount: 0, isEndLost: false, lost: [], orphans: [], orphanCount: 0,
    inFlightCount: 0, isInDoubt: false, findings: [])

  /// A table of which nothing is left: something else stands in area 0.
  static func lost(_ geometry: StoreGeometry) -> Generation {
    let slotCount = geometry.chunkSize.exceptionsPerArea
    let bytes = geometry.chunkSize.byteCount..<geometry.chunkSize.byteCount * 2
    let finding = Finding(
      code: .areaLost, place: Finding.Place(area: 0, bytes: bytes),
      found: "no exception in area 0", required: "\(slotCount) exceptions", ranges: [bytes])
    return Generation(
      index: 0, isCurrent: true, areas: 0..<1, runs: [], exceptionCount: 0, doubtfulCount: 0,
      lostExceptionCount: slotCount, isEndLost: true, lost: [], orphans: [], orphanCount: 0,
      inFlightCount: 0, isInDoubt: false, findings: [finding])
  }
}

extension Store {
  /// Whether Linux invalidated the snapshot.
  enum Validity {
    case valid, invalid
    /// The header that would say so is lost, or is another table's.
    case unknown
  }

  /// What the header says of that, if it is the table's.
  func validity(by inferred: InferredGeometry) -> Validity {
    guard let header, isRecognised else { return .unknown }
    if header.valid == 0 { return .invalid }
    return inferred.basis == .areas ? .unknown : .valid
  }
}
