internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Pieces of an XFS log.
///
/// The header of a record has its sector of the log, and so has each sector that a mount clears. A
/// chunk without a header is in the middle of a record; the record's checksum determines where, and
/// which chunks go together. They follow each other in the store as in the log, because the log is
/// written in order.
struct XFSLogSearch {
  /// The place of an orphan in the log.
  struct Place {
    let claim: XFSClaim
    /// Whether a header in it, or a record's checksum, confirms it, rather than only the order.
    let isProof: Bool
    /// Whether the place is another chunk's.
    var isRival = false
  }

  private let volume: XFSVolume
  /// Orphans with headers that name their place.
  private var headed: [XFSClaim] = []
  /// Orphans of which each sector begins with the number of a round, and none is a header.
  private var middles: [UInt64] = []

  init(_ volume: XFSVolume) { self.volume = volume }

  /// Notes whether an orphan is a piece of the log.
  mutating func look(at new: UInt64, _ content: Span<UInt8>) {
    guard volume.log != nil else { return }
    var claim: XFSClaim?
    var cycles: [UInt32] = []
    for position in stride(from: 0, to: content.count / 512 * 512, by: 512) {
      let sector = content.extracting(position..<position + 512)
      var cycle: UInt32 = sector.big(at: 0)
      if let record = XFSLogRecord(sector, of: volume.geometry) {
        guard
          let old = volume.chunk(
            ofLogSector: record.sector, at: position, chunkByteCount: content.count),
          claim.map({ $0.old == old }) ?? true
        else { return }
        claim = claim ?? XFSClaim(new: new, old: old)
        cycle = record.cycle
      } else if claim == nil, cycle > Self.cycleMax {
        return
      }
      cycles.append(cycle)
    }
    if let claim {
      if isRound(cycles, of: claim, content.count) { headed.append(claim) }
    } else if Self.isRound(cycles[...]), let cycle = cycles.first, cycle > 0 {
      middles.append(new)
    }
  }

  /// More rounds than any log has gone.
  private static let cycleMax: UInt32 = 1 << 24

  /// Whether sectors are of one round, or before and after the log's end: of one, then of the one
  /// before.
  private static func isRound(_ cycles: ArraySlice<UInt32>) -> Bool {
    guard let first = cycles.first, let last = cycles.last else { return true }
    return zip(cycles, cycles.dropFirst()).allSatisfy { $0 >= $1 } && first - last <= 1
  }

  /// Whether the sectors of a claimed chunk that are in the log are of one round.
  private func isRound(_ cycles: [UInt32], of claim: XFSClaim, _ chunkByteCount: Int) -> Bool {
    guard let log = volume.log else { return false }
    let start = claim.old * UInt64(chunkByteCount)
    let inside = cycles.indices.filter { log.contains(start + UInt64($0) * 512) }
    guard let first = inside.first, let last = inside.last else { return false }
    return Self.isRound(cycles[first...last])
  }

  /// Finds the places of all pieces, and how far orphans can be trusted.
  func resolve(
    in scene: PlacementScene, _ trust: inout XFSTrust
  ) throws(BlockIOError) -> [Place] {
    guard let log = volume.log, !headed.isEmpty || !middles.isEmpty,
      log.upperBound <= scene.view.byteCount
    else { return [] }
    var assembly = XFSLogAssembly(XFSLogReader(volume, log, scene), scene)
    var rivals: [Place] = []
    var placed: [Place] = []
    // Certain records take their places before anything else may claim them.
    for isCertain in [true, false] {
      let included = trust
      let isIncluded = { (new: UInt64) in
        included.isPossible(new) && included.isCertain(new) == isCertain
      }
      for claim in headed where isIncluded(claim.new) {
        if assembly.add(claim) {
          placed.append(Place(claim: claim, isProof: true))
        } else {
          rivals.append(Place(claim: claim, isProof: false, isRival: true))
        }
      }
      try assembly.place(middles.filter(isIncluded))
    }
    try assembly.extend(&trust)
    return rivals + placed
      + assembly.found.map { middle in
        Place(claim: XFSClaim(new: middle.new, old: middle.old), isProof: middle.isChecked)
      }
  }
}
