public import BlockIO
public import LVM2
public import SnapshotFormat

/// Checks a store, and its origin if there is one, for everything in the catalogue.
///
/// One walk over the table, and a look at the header's chunk and at the few places after the table
/// that show its past. Data is read only to compare it with the origin's, and only on request.
public struct Auditor {
  let store: Store
  let origin: (any BlockSource)?
  let reading: Reading
  private let chunkSize: ChunkSize?
  private let volume: SnapshotVolume?
  private let placing: Placing
  /// A walk over the store's table that was done already.
  private let walk: TableWalk?

  /// An auditor of a store, which belongs to `origin` if that is given.
  ///
  /// - Parameters:
  ///   - reading: The kernel to simulate.
  ///   - chunkSize: The user's choice; without one, the volume's metadata provides it if the store
  ///     has lost it.
  ///   - volume: The store's snapshot, if it is one of a volume group.
  ///   - placing: By which siblings chunks are placed that no exception names, and at which level.
  public init(
    _ store: Store, origin: (any BlockSource)? = nil, reading: Reading = .kernel,
    chunkSize: ChunkSize? = nil, volume: SnapshotVolume? = nil, placing: Placing = Placing()
  ) {
    self.store = store
    self.origin = origin
    self.reading = reading
    self.chunkSize = chunkSize ?? volume?.chunkSize(of: store)
    self.volume = volume
    self.placing = placing
    walk = nil
  }

  /// An auditor of a snapshot that was opened; for a table in a kernel's reading, it uses the
  /// findings of that reading.
  public init(_ snapshot: Snapshot) {
    let loaded = snapshot.loaded
    (store, origin, reading) = (loaded.store, snapshot.origin, loaded.table.reading)
    (chunkSize, volume, walk, placing) = (nil, nil, loaded.walk, .none)
  }

  /// Audits metadata only.
  public func audit() -> Audit { audit(keepsTable: false) }

  /// Audits metadata, and content as far as that is wanted.
  ///
  /// - Parameter progress: Gets the progress of the comparison with the origin.
  public func audit(
    _ depth: Audit.Depth, progress: ProgressHandler = { _, _ in }
  ) throws(StoreError) -> Audit {
    var audit = audit(keepsTable: origin != nil || depth == .data)
    try checkOrigin(addingTo: &audit)
    try placeOrphans(addingTo: &audit)
    if depth == .data {
      try compareData(addingTo: &audit, progress: progress)
      try findZeroBlocks(addingTo: &audit)
    }
    return audit
  }

  /// Finds where the chunks belong that no exception names.
  private func placeOrphans(addingTo audit: inout Audit) throws(StoreError) {
    guard placing.level != .none, let plan = audit.plan, let generation = plan.generations.first,
      origin != nil || !placing.siblings.isEmpty
    else { return }
    audit.placement = try plan.placements(
      of: generation, origin: origin, siblings: placing.siblings)
    if let finding = audit.placement.likelyFinding(placing.level) { audit.add(finding) }
  }

  private func audit(keepsTable: Bool) -> Audit {
    let walk =
      walk
      ?? TableWalk(
        store, reading: reading, chunkSize: chunkSize, originByteCount: origin?.byteCount,
        keepsTable: keepsTable)
    var findings = HeaderCheck(store).findings
    let (load, inferred) = (walk.load, walk.inferred)
    guard let geometry = inferred.geometry, let census = walk.census else {
      return Audit(
        walk, usableCount: 0, plan: nil,
        findings: (store.isRecognised ? findings : []) + volumeFindings(nil, nil),
        isStore: store.isRecognised)
    }
    findings += finding(of: inferred)
    if let extent = walk.extent {
      findings += StoreCheck(store, geometry, extent, census).findings
      findings += PastCheck(store, geometry, extent).findings
    }
    findings += census.findings()
    if let surroundings = store.surroundings { findings.append(surroundings.finding) }
    let plan = plan(inferred, geometry, load, findings)
    if let finding = plan?.gaps.finding { findings.append(finding) }
    findings += planFindings(plan, load, besides: findings)
    findings += unreadableDataFinding(plan)
    if let origin { findings += OriginSizeCheck(store, origin, geometry, census).findings }
    findings += volumeFindings(geometry, census)
    findings += useFindings()
    // For a table that Linux shows, the content that it rightly shows; a salvage may find more
    // after damage.
    let salvageable = plan?.generations.first?.exceptionCount ?? 0
    let isShown = plan == nil || (load.verdict == .loads && plan?.gaps.isEmpty == true)
    let usable = isShown ? census.usableCount : 0
    return Audit(
      walk, usableCount: max(usable, salvageable), plan: plan, findings: findings,
      isStore: store.isRecognised || inferred.basis == .areas || plan?.generations.isEmpty == false)
  }

  /// A salvage plan, if there is anything to salvage: damage, or an older table.
  private func plan(
    _ inferred: InferredGeometry, _ geometry: StoreGeometry, _ load: KernelLoad,
    _ findings: [Finding]
  ) -> SalvagePlan? {
    let isSound = load.verdict == .loads && findings.allSatisfy { $0.severity != .damage }
    let isEmpty = load.extent?.exceptionCount == 0
    if isSound, reading != .salvage, !isEmpty, !store.source.hasKnownUnreadable,
      !findings.contains(where: { $0.code == .areaStale || $0.code == .generationEndInDoubt }),
      !isShifted(geometry, load.extent, findings)
    {
      return nil
    }
    let reach = isSound && reading != .salvage ? AreaSurvey.Reach.nearby : .whole
    // It fails only if a device fails in another way than a medium, which the walk over the table
    // has already met and reported.
    return try? SalvagePlan(
      store, inferred, geometry, originByteCount: origin?.byteCount, reach: reach)
  }

  /// Whether a table continues, in another place, after its end by Linux.
  private func isShifted(
    _ geometry: StoreGeometry, _ extent: TableSummary?, _ findings: [Finding]
  ) -> Bool {
    // It may, after a full sector, or if a part of an area seems to have been left out.
    guard case .terminator(_, let slot) = extent?.end,
      slot % AreaLaw.slotsPerSector == 0
        || findings.contains(where: { $0.code == .leakedChunks })
    else { return false }
    return (try? ShiftEvidence(store.source, geometry.chunkSize).gaps.isEmpty) == false
  }

  /// Findings from a volume group's metadata about the snapshot.
  private func volumeFindings(_ geometry: StoreGeometry?, _ census: TableCensus?) -> [Finding] {
    guard let volume else { return [] }
    // It fails only if a device does that was read when the group was found.
    return (try? VolumeCheck(volume, store, geometry, census).findings) ?? []
  }

  /// The finding from a map of bad sectors about the data.
  private func unreadableDataFinding(_ plan: SalvagePlan?) -> [Finding] {
    guard let plan, let generation = plan.generations.first,
      store.source.hasKnownUnreadable
    else { return [] }
    let wanted = WantedSectors(plan, generation, lost: [])
    guard let first = wanted.data.first else { return [] }
    var tally = Tally(
      Finding(
        code: .dataUnreadable, place: Finding.Place(bytes: first),
        found: "\(wanted.dataByteCount) bytes of data that were not read", required: "all of it"))
    for range in wanted.data.dropFirst() { tally.add(range) }
    return [tally.finding]
  }

  /// Findings of a salvage in the areas that the walk by Linux's rules does not make.
  private func planFindings(
    _ plan: SalvagePlan?, _ load: KernelLoad, besides findings: [Finding]
  ) -> [Finding] {
    guard let generation = plan?.generations.first else { return [] }
    // If Linux shows the table as a whole, losses of another generation are no damage of the store,
    // and the end is where Linux finds it.
    if load.verdict == .loads, !generation.isCurrent { return [] }
    let seenAreas = Set(
      findings.filter { $0.code.rawValue.hasPrefix("area.") }.compactMap(\.place.area))
    return generation.findings.filter { finding in
      switch finding.code {
      case .areaLost, .areaDamaged: !seenAreas.contains(finding.place.area ?? 0)
      case .generationAmbiguous, .inFlight, .storeUnconfirmed,
        .generationMaybeOverwritten:
        true
      case .generationEndInDoubt: load.verdict != .loads
      default: false
      }
    }
  }

  private func finding(of inferred: InferredGeometry) -> [Finding] {
    if inferred.basis == .option, store.isRecognised, let own = store.geometry,
      let geometry = inferred.geometry, own != geometry
    {
      return [
        Finding(
          code: .headerChunkSizeContradicted, place: Finding.Place(bytes: 12..<16),
          found: "\(own.chunkSize.sectorCount) sectors",
          required: "\(geometry.chunkSize.sectorCount), as requested")
      ]
    }
    guard inferred.basis == .areas, let best = inferred.evidence?.best else { return [] }
    let size = best.chunkSize
    let place = Finding.Place(
      area: 0, bytes: size.byteCount..<size.byteCount + min(size.byteCount, 4096))
    let found =
      "\(best.exceptionCount) exceptions where chunks of \(size.sectorCount) sectors put them"
    switch store.header {
    case let header? where store.isRecognised:
      return [
        Finding(
          code: .headerChunkSizeContradicted, place: place,
          found: found, required: "exceptions where the header's \(header.chunkSectors) put them")
      ]
    case let header? where header.isZero:
      return [
        Finding(
          code: .headerZeroed, place: Finding.Place(bytes: 0..<16),
          found: "zeroes, and \(found)", required: "\"SnAp\"")
      ]
    case let header?:
      return [
        Finding(
          code: .headerForeign, place: Finding.Place(bytes: 0..<16),
          found: "magic 0x\(header.magic.hexadecimal(digitCount: 8)), and \(found)",
          required: "0x70416e53 (\"SnAp\")")
      ]
    case nil: return []
    }
  }

  private func useFindings() -> [Finding] {
    var files: [FileSource] = []
    for file in store.source.files + (origin?.files ?? [])
    where !files.contains(where: { $0.identity == file.identity }) {
      files.append(file)
    }
    return files.flatMap { file in
      DeviceUse.holders(of: file.identity).map { holder in
        Finding(
          code: .inUse, place: Finding.Place(), found: "\(file.name) is \(holder)",
          required: "no other user")
      }
    }
  }
}

extension SnapshotVolume {
  /// The chunk size by the group's metadata, if the store no longer shows it.
  package func chunkSize(of store: Store) -> ChunkSize? {
    guard InferredGeometry(store).geometry == nil else { return nil }
    return UInt32(exactly: snapshot.chunkSectors).flatMap { try? ChunkSize(sectorCount: $0) }
  }
}
