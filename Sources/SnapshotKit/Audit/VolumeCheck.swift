package import BlockIO
package import LVM2
internal import SnapshotFormat

/// The findings of a snapshot of a volume group: lvm2's metadata compared with the store, and with
/// the physical volumes.
package struct VolumeCheck {
  /// The first version of lvm2 without the faults of stores that ``FindingCode`` lists.
  private static let mendedVersion = "2.02.106"

  /// The number of places of reallocated extents that a finding lists.
  private static let extentsNamed = 256

  /// The findings.
  package private(set) var findings: [Finding] = []
  private let volume: SnapshotVolume

  /// Checks the group alone.
  package init(_ volume: SnapshotVolume) throws(BlockIOError) {
    self.volume = volume
    addPhysicalVolumes()
    try addVersion()
    if volume.snapshot.isMerging {
      add(
        .volumeMerging, "\(name(volume.snapshot.store)) as the merging store of its origin",
        "a snapshot that stays")
    }
  }

  /// Checks the group together with the store.
  init(
    _ volume: SnapshotVolume, _ store: Store, _ geometry: StoreGeometry?, _ census: TableCensus?
  ) throws(BlockIOError) {
    try self.init(volume)
    addChunkSize(store)
    guard let geometry else { return }
    addSize(geometry, store)
    if let census, census.neededChunkCount > geometry.wholeChunkCount {
      add(
        .volumeShortened,
        "a volume of \(store.source.byteCount) bytes, too short for chunk"
          + " \(census.neededChunkCount - 1)",
        "room for \(census.neededChunkCount) chunks"
          + (try longerVersion(than: store.source.byteCount).map {
            ", of which version \($0) of the metadata had more: --seqno \($0)"
          } ?? ""))
    }
  }

  /// The newest older version in which the store is longer than that.
  private func longerVersion(than byteCount: UInt64) throws(BlockIOError) -> UInt64? {
    let uuid = volume.volume?.uuid
    return try volume.found.history().first { version in
      version.seqno < volume.version.seqno
        && version.logicalVolumes.contains {
          $0.uuid == uuid && $0.extentCount > byteCount / version.extentByteCount
        }
    }?.seqno
  }

  private func name(_ volume: String) -> String { "\(self.volume.version.name)/\(volume)" }

  private mutating func add(
    _ code: FindingCode, _ found: String, _ required: String, _ ranges: [Range<UInt64>] = []
  ) {
    findings.append(
      Finding(
        code: code, place: Finding.Place(bytes: ranges.first), found: found, required: required,
        ranges: ranges))
  }

  // MARK: - Where it is

  /// Adds the physical volumes of store or origin that are missing, or not to be trusted.
  private mutating func addPhysicalVolumes() {
    let version = volume.version
    let parts = [volume.snapshot.store, volume.snapshot.origin]
    let used = parts.map { Set(version.allocations(below: $0).map(\.physicalVolume)) }
    for missing in volume.found.missing(in: version) {
      let users = zip(parts, used).filter { $0.1.contains(missing.uuid) }.map { name($0.0) }
      if users.isEmpty { continue }
      let lost = volume.store.knownUnreadable(in: 0..<volume.store.byteCount)
      add(
        .pvMissing,
        "no \(missing.words), which \(users.joined(separator: " and "))"
          + " \(users.count == 1 ? "uses" : "use")",
        "all physical volumes", used[0].contains(missing.uuid) ? lost : [])
    }
    for problem in volume.found.problems {
      switch problem {
      case .tooShort(let device, _, _, _) where used.contains { $0.contains(device.uuid) }:
        add(.volumeCutOff, "\(problem)", "a whole physical volume")
      case .wasMissing(let device, _) where used.contains { $0.contains(device.uuid) }:
        add(.volumeStale, "\(problem)", "physical volumes that were all in use")
      case .degraded(let device, _) where used.contains { $0.contains(device.uuid) }:
        add(.volumeStale, "\(problem)", "all members of the array")
      case .inOtherGroup(let device, _, _) where used.contains { $0.contains(device.uuid) }:
        add(.volumeStale, "\(problem)", "a physical volume of this group")
      case .duplicate(let uuid, _, _) where used.contains { $0.contains(uuid) }:
        add(.volumeStale, "\(problem)", "one physical volume of that UUID")
      case .fromRing, .area, .label:
        add(.volumeMetadata, "\(problem)", "sound metadata")
      default: break
      }
    }
  }

  /// Adds possible changes since an older version of the group.
  private mutating func addVersion() throws(BlockIOError) {
    let (version, newest) = (volume.version, volume.found.group.seqno)
    guard version != volume.found.group else { return }
    add(
      .volumeOlder, "version \(version.seqno) of the group's metadata",
      "version \(newest), the newest")
    for part in [volume.snapshot.store, volume.snapshot.origin] {
      let reuses = try volume.found.reuse(of: part, in: version)
      for (owner, own) in Dictionary(grouping: reuses, by: \.owner).sorted(by: { $0.key < $1.key })
      {
        let words = own.prefix(Self.extentsNamed).map {
          "extents \($0.extents.lowerBound) to \($0.extents.upperBound - 1) of"
            + " \($0.physicalVolume.name)"
        }
        let more = own.count - words.count
        var finding = Finding(
          code: .volumeReused, place: Finding.Place(),
          found: words.joined(separator: ", ") + (more > 0 ? ", and \(more) more places" : "")
            + ", where \(name(part)) was, now in \(name(owner)) by version"
            + " \(own.map(\.seqno).max() ?? version.seqno)",
          required: "extents that were not reallocated")
        finding.count = UInt64(own.count)
        findings.append(finding)
      }
    }
  }

  // MARK: - The store

  /// A header with another chunk size than the metadata's existed before lvm2 made the snapshot, or
  /// was attached to it.
  private mutating func addChunkSize(_ store: Store) {
    guard let header = store.header, header.hasMagic,
      UInt64(header.chunkSectors) != volume.snapshot.chunkSectors
    else {
      addAdopted(store)
      return
    }
    findings.append(
      Finding(
        code: .volumeChunkSize, place: Finding.Place(bytes: 12..<16),
        found: "\(header.chunkSectors) sectors in the header",
        required: "\(volume.snapshot.chunkSectors), as in lvm2's metadata"))
  }

  /// A read-only snapshot for which an old lvm2 did not clear its volume's header.
  private mutating func addAdopted(_ store: Store) {
    guard let own = volume.volume, !own.status.contains("WRITE"), isOldWriter,
      store.header?.hasMagic == true
    else { return }
    add(
      .volumeAdopted, "a read-only snapshot of lvm2 \(volume.version.writer ?? "")",
      "one of \(Self.mendedVersion) or later")
  }

  /// A store of the maximum useful size, but for the area that ends the table.
  private mutating func addSize(_ geometry: StoreGeometry, _ store: Store) {
    let chunk = geometry.chunkSize.byteCount
    guard let byteCount = volume.origin?.byteCount else { return }
    let dataCount = (byteCount + chunk - 1) / chunk
    let areaCount =
      (dataCount + geometry.chunkSize.exceptionsPerArea - 1)
      / geometry.chunkSize.exceptionsPerArea
    guard dataCount > 0, dataCount % geometry.chunkSize.exceptionsPerArea == 0 else { return }
    let withoutEnd = 1 + dataCount + areaCount
    // lvm2 rounds up to extents, and so the size that it calculated.
    let extent = volume.version.extentByteCount
    let thought = (withoutEnd * chunk + extent - 1) / extent * extent
    if store.source.byteCount == thought, geometry.wholeChunkCount <= withoutEnd {
      add(
        .volumeAreaShort, "\(geometry.wholeChunkCount) chunks",
        "\(withoutEnd + 1), with an area after the last that can be full")
    }
  }

  /// Whether lvm2 had the mistakes that were fixed in ``mendedVersion``.
  private var isOldWriter: Bool {
    guard let writer = volume.version.writer else { return false }
    func numbers(_ text: some StringProtocol) -> [Int] {
      text.prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap { Int($0) }
    }
    return numbers(writer).lexicographicallyPrecedes(numbers(Self.mendedVersion))
  }
}

extension [Finding] {
  /// Whether any of them puts a volume's bytes in doubt.
  package var putVolumeInDoubt: Bool {
    let doubts: Set<FindingCode> = [.volumeReused, .pvMissing, .volumeStale]
    return contains { doubts.contains($0.code) }
  }
}
