public import BlockIO
internal import SnapshotFormat

/// Looks at a store, and at its origin if there is one, for everything in the catalogue.
///
/// One walk over the table, a look at the header's chunk and at the few places behind the table
/// that tell its past. Data is read only to compare it with the origin's, and only on request.
public struct Auditor {
  let store: Store
  let origin: (any BlockSource)?
  let reading: Reading

  /// An auditor of a store, which belongs to `origin` if that is given.
  public init(_ store: Store, origin: (any BlockSource)? = nil, reading: Reading = .kernel) {
    self.store = store
    self.origin = origin
    self.reading = reading
  }

  /// Audits metadata only.
  public func audit() -> Audit {
    var findings = HeaderCheck(store).findings
    let evidence = evidenceOfGeometry()
    let geometry = evidence?.geometry ?? (isRecognised ? store.geometry : nil)
    guard let geometry else {
      return Audit(
        store: store, load: KernelLoad(store, reading: reading), geometry: nil, extent: nil,
        usableCount: 0,
        findings: isRecognised ? findings : [], isStore: isRecognised)
    }
    var census = TableCensus(
      geometry, originChunkCount: origin.map { geometry.chunkCount(ofOrigin: $0.byteCount) })
    let load = KernelLoad(store, reading: reading) { census.visit($0, $1) }
    var extent = load.extent
    if geometry != store.geometry || extent == nil {
      census = TableCensus(
        geometry, originChunkCount: origin.map { geometry.chunkCount(ofOrigin: $0.byteCount) })
      extent = StoreScanner(store.source, geometry).scan { census.visit($0, $1) }
    }
    findings += evidence.map { finding(of: $0) } ?? []
    if let extent {
      findings += StoreCheck(store, geometry, extent, census).findings
      findings += PastCheck(store, geometry, extent).findings
    }
    findings += census.findings()
    if let origin { findings += ContextCheck(store, origin, geometry, census).findings }
    findings += useFindings()
    return Audit(
      store: store, load: load, geometry: geometry, extent: extent,
      usableCount: census.usableCount, findings: findings, isStore: true)
  }

  /// Whether the header by itself says that this is a store: its magic, or all else but its magic.
  private var isRecognised: Bool {
    guard let header = store.header else { return false }
    return header.hasMagic || header.isErased
  }

  /// Where area 0 seems to be, if the header does not say, or says something that is not so.
  private func evidenceOfGeometry() -> GeometryEvidence? {
    guard isRecognised, let geometry = store.geometry else {
      return GeometryEvidence(store.source)
    }
    if UndoManifest(store.source) != nil { return nil }  // it knows its chunk size
    // A sound area 0 where the header wants it settles the matter: what else is found then is of an
    // older store. An empty one does not.
    if GeometryEvidence(store.source, only: geometry) != nil { return nil }
    let ownCount = GeometryEvidence.possibleCount(store.source, geometry)
    guard let other = GeometryEvidence(store.source, excluding: geometry),
      other.exceptionCount > ownCount
    else { return nil }
    return other
  }

  private func finding(of evidence: GeometryEvidence) -> [Finding] {
    let size = evidence.geometry.chunkSize
    let place = Finding.Place(
      area: 0, bytes: size.byteCount..<size.byteCount + min(size.byteCount, 4096))
    let found = "\(evidence.exceptionCount) exceptions at byte \(size.byteCount)"
    switch store.header {
    case let header? where isRecognised:
      return [
        Finding(
          code: .headerChunkSizeContradicted, place: place,
          found: "\(found), where \(size.sectorCount) sectors put area 0",
          required: "area 0 where the header's \(header.chunkSectors) sectors put it")
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
          found: "magic \(header.magic.hexadecimal), and \(found)",
          required: "0x70416e53 (\"SnAp\")")
      ]
    case nil: return []
    }
  }

  private func useFindings() -> [Finding] {
    [store.source, origin].compactMap { $0 as? FileSource }.flatMap { file in
      DeviceUse.holders(of: file.identity).map { holder in
        Finding(
          code: .inUse, place: Finding.Place(), found: "\(file.name) is \(holder)",
          required: "nobody else uses it")
      }
    }
  }
}
