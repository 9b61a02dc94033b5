internal import BlockIO
internal import SnapshotFormat

/// Finds chunks of files that were written in place, by their unchanged sectors.
///
/// Appends to a file, and most pages of a database, leave some sectors of the chunk unchanged.
/// Those sectors are in the origin in the same place, and in no other file that was written.
struct FileDataRewrites {
  /// A sector of the origin that is not almost empty.
  private struct Sector {
    /// A hash of its content and its place in its chunk.
    let hash: UInt64
    /// The chunk of the origin.
    let chunk: UInt64
  }

  /// Orphans that have sectors of files that were written, wherever they belong.
  private(set) var alike: Set<Int> = []
  /// The sectors of written data, ascending by hash: 16 bytes each, 32 MiB in all.
  private var sectors: [Sector] = []
  /// The orphans whose sectors name a chunk of the origin.
  private var claims: [UInt64: [Int]] = [:]
  private let places: FileDataPlaces

  /// More of the origin is not read.
  private static let byteCountMax: UInt64 = 1 << 30
  /// More files are not remembered: 16 MiB.
  private static let fileCountMax = 1 << 20
  /// Sectors that are in more places name none.
  private static let placeCountMax = 8
  /// Fewer are no evidence.
  private static let sectorCountMin = 2

  /// Reads the written data, from the origin.
  init(
    _ mapper: some FileMapper, _ scene: PlacementScene, _ needs: FileDataNeeds,
    _ places: FileDataPlaces
  ) throws(BlockIOError) {
    self.places = places
    let size = scene.chunkByteCount
    for chunk in try Self.written(mapper, scene, needs) {
      guard let content = try scene.origin.whole(at: chunk &* size, count: Int(size)) else {
        continue
      }
      Self.forEachSector(of: content.span) { sectors.append(Sector(hash: $0, chunk: chunk)) }
    }
    sectors.sort { ($0.hash, $0.chunk) < ($1.hash, $1.chunk) }
  }

  /// Calls `body` with a hash of each sector that is not almost empty.
  private static func forEachSector(of content: Span<UInt8>, _ body: (UInt64) -> Void) {
    for index in 0..<content.count / 512 {
      let sector = content.extracting(index * 512..<(index + 1) * 512)
      if ByteCounts(sector).zero >= 512 - 32 { continue }
      body(ContentHash(sector).value &+ UInt64(index) &* 0x9e37_79b9_7f4a_7c15)
    }
  }

  /// Looks at the content of an orphan.
  mutating func look(at orphan: Int, _ content: Span<UInt8>) {
    if sectors.isEmpty { return }
    var votes: [UInt64: Int] = [:]
    var commonCount = 0
    Self.forEachSector(of: content) { hash in
      let first = sectors.partitioningIndex { $0.hash >= hash }
      let places = sectors[first...].prefix(Self.placeCountMax + 1).prefix { $0.hash == hash }
      if places.count > Self.placeCountMax {
        commonCount += 1
      } else {
        for place in places { votes[place.chunk, default: 0] += 1 }
      }
    }
    let ranks = votes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let best = ranks.first?.value ?? 0
    if best + commonCount >= Self.sectorCountMin { alike.insert(orphan) }
    guard let first = ranks.first, best >= Self.sectorCountMin, places.isLost(first.key),
      ranks.count < 2 || best >= 2 * ranks[1].value + 2
    else { return }
    claims[first.key, default: []].append(orphan)
  }

  /// Orphans and their places.
  var found: [(orphan: Int, chunk: UInt64)] {
    claims.sorted { $0.key < $1.key }.compactMap { chunk, orphans in
      orphans.count == 1 ? (orphans[0], chunk) : nil
    }
  }

  /// The chunks of the files that were written since the origin was, known or not, and those that
  /// files share with new ones; ascending.
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
