internal import BlockIO
internal import SnapshotFormat

/// Finds chunks of files that were written in place, by what was not written in them.
///
/// What is added to a file, and most pages of a database, leave sectors of the chunk as they were.
/// Those sectors are in the origin in the same place, and in no other file that was written.
struct FileDataRewrites {
  /// Orphans and their places.
  private(set) var found: [(orphan: Int, chunk: UInt64)] = []
  /// Orphans that have sectors of files that were written, wherever they belong.
  private(set) var alike: Set<Int> = []

  /// More of the origin is not read.
  private static let byteCountMax: UInt64 = 1 << 30
  /// More files are not remembered: 16 MiB.
  private static let fileCountMax = 1 << 20
  /// Sectors that are in more places name none.
  private static let placeCountMax = 8
  /// Fewer are no sign.
  private static let sectorCountMin = 2

  init(
    _ mapper: some FileMapper, _ scene: PlacementScene, _ looks: FileDataLooks,
    _ orphans: [Int], _ needs: FileDataNeeds, _ places: FileDataPlaces
  ) throws(BlockIOError) {
    var found: [FileDataLooks.Sector: [UInt64]] = [:]
    for orphan in orphans {
      for sector in looks.sectors[orphan] { found[sector] = [] }
    }
    guard !found.isEmpty else { return }
    let size = scene.chunkByteCount
    for chunk in try Self.written(mapper, scene, needs) {
      guard let content = try scene.origin.whole(at: chunk &* size, count: Int(size)) else {
        continue
      }
      for sector in FileDataLooks.sectors(of: content.span) {
        if let count = found[sector]?.count, count <= Self.placeCountMax {
          found[sector]?.append(chunk)
        }
      }
    }
    var claims: [UInt64: [Int]] = [:]
    for orphan in orphans {
      var votes: [UInt64: Int] = [:]
      var commonCount = 0
      for sector in looks.sectors[orphan] {
        guard let chunks = found[sector], !chunks.isEmpty else { continue }
        if chunks.count > Self.placeCountMax {
          commonCount += 1
        } else {
          for chunk in chunks { votes[chunk, default: 0] += 1 }
        }
      }
      let ranks = votes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      let best = ranks.first?.value ?? 0
      if best + commonCount >= Self.sectorCountMin { alike.insert(orphan) }
      guard let first = ranks.first, best >= Self.sectorCountMin, places.isLost(first.key),
        ranks.count < 2 || best >= 2 * ranks[1].value + 2
      else { continue }
      claims[first.key, default: []].append(orphan)
    }
    for (chunk, orphans) in claims.sorted(by: { $0.key < $1.key }) where orphans.count == 1 {
      self.found.append((orphans[0], chunk))
    }
  }

  /// The chunks of the files that were written since the origin was, known or not, and those that
  /// files share with what is new; ascending.
  private static func written(
    _ mapper: some FileMapper, _ scene: PlacementScene, _ needs: FileDataNeeds
  ) throws(BlockIOError) -> [UInt64] {
    var times: [UInt64: UInt64] = [:]
    try mapper.forEachFile(of: scene.view.originView) { file in
      if !file.isDirectory, times.count < fileCountMax { times[file.inode] = file.writeTime }
    }
    let size = scene.chunkByteCount
    let countMax = Int(byteCountMax / size)
    var chunks = Set(
      needs.needs.filter { need in
        need.value.blocks.contains { if case .kept = $0 { true } else { false } }
      }.keys.sorted().prefix(countMax))
    try mapper.forEachFile(of: scene.view) { file in
      guard let time = times[file.inode], time != file.writeTime else { return }
      for extent in file.extents where extent.byteCount > 0 {
        let (end, overflow) = extent.physicalByte.addingReportingOverflow(extent.byteCount - 1)
        guard !overflow else { continue }
        for chunk in extent.physicalByte / size...end / size {
          guard chunks.count < countMax else { return }
          chunks.insert(chunk)
        }
      }
    }
    return chunks.sorted()
  }
}
