internal import BlockIO
public import SnapshotFormat

/// What can be had of a store, however broken: each generation of it, and what is lost.
///
/// The plan reads metadata only, and decides everything: what `table`, `export`, `diff` and `merge`
/// do in the salvage reading, and what a salvaged store holds, is what stands here.
public struct SalvagePlan: Sendable {
  public let store: Store
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
    guard let geometry = inferred.geometry else { throw .notAStore(store.source.name) }
    try self.init(
      store, inferred, geometry, originByteCount: originByteCount, reach: .whole)
    if generations.allSatisfy({ $0.exceptionCount == 0 }), !store.isRecognised {
      throw .notAStore(store.source.name)
    }
  }

  /// Makes a plan by a geometry that is known, and looks only so far.
  init(
    _ store: Store, _ inferred: InferredGeometry, _ geometry: StoreGeometry,
    originByteCount: UInt64?, reach: AreaSurvey.Reach
  ) throws(StoreError) {
    self.store = store
    self.inferred = inferred
    self.geometry = geometry
    do throws(BlockIOError) {
      let survey = try AreaSurvey(
        store.source, geometry, isExpected: store.isRecognised && inferred.basis == .header,
        reach: reach)
      unreadable = survey.unreadable
      generations = try Self.generations(
        of: survey, geometry,
        originChunkCount: originByteCount.map { geometry.chunkCount(ofOrigin: $0) })
    } catch {
      throw .io(error)
    }
  }

  private static func generations(
    of survey: AreaSurvey, _ geometry: StoreGeometry, originChunkCount: UInt64?
  ) throws(BlockIOError) -> [Generation] {
    let isFirstLost =
      survey.areaCount == 0 || survey.lostAreas.contains { $0.areas.contains(0) }
    var generations: [Generation] = []
    var overwrittenEnd = StoreGeometry.firstDataChunk
    for (index, table) in TableSplit(survey).tables.enumerated() {
      let isCurrent = index == 0 && (table.segment.areas.lowerBound == 0 || isFirstLost)
      var builder = GenerationBuilder(
        table, geometry, overwrittenEnd: overwrittenEnd, originChunkCount: originChunkCount)
      generations.append(try builder.build(index: index, isCurrent: isCurrent, survey))
      // The newer table used the chunks of its damaged slots as well.
      let segment = table.segment
      let used = geometry.dataChunk(
        inOrder: segment.usedEnd + UInt64(max(segment.lastShift, 0)))
      overwrittenEnd = max(overwrittenEnd, segment.nextFree, used?.index ?? 0)
    }
    return generations.isEmpty && isFirstLost ? [.lost(geometry)] : generations
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
    lostExceptionCount: 0, isEndLost: false, lost: [], orphans: [], findings: [])

  /// A table of which nothing is left: something else stands in area 0.
  static func lost(_ geometry: StoreGeometry) -> Generation {
    let slotCount = geometry.chunkSize.exceptionsPerArea
    let bytes = geometry.chunkSize.byteCount..<geometry.chunkSize.byteCount * 2
    let finding = Finding(
      code: .areaLost, place: Finding.Place(area: 0, bytes: bytes),
      found: "no exception in area 0", required: "\(slotCount) exceptions", ranges: [bytes])
    return Generation(
      index: 0, isCurrent: true, areas: 0..<1, runs: [], exceptionCount: 0, doubtfulCount: 0,
      lostExceptionCount: slotCount, isEndLost: true, lost: [], orphans: [], findings: [finding])
  }
}
