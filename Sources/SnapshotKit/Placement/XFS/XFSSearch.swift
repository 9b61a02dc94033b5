internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Metadata of XFS that has its own address under a checksum, and the records of its log.
///
/// No other place of a file system holds copies of such blocks: the log has changes, not blocks,
/// and its own numbers in each sector. Only a file can hold one, if it is an image of this very
/// file system with its UUID: content cannot show that.
///
/// Chunks that an exception mapped are certainly this store's. Of other orphans, only those are
/// proven that come before a piece of a log record whose other pieces are in the table
/// (``XFSTrust``). The rest is likely, unless any of it claims the place of a chunk in the table:
/// then it, or what follows it, is of another use of the space.
struct XFSSearch: EvidenceSearch {
  private let volume: XFSVolume
  private var blocks: XFSBlockClaims
  private var log: XFSLogSearch

  /// A search for the XFS of a view; nil where it holds none of version 5.
  ///
  /// - Parameters:
  ///   - view: The snapshot, as far as it is known.
  ///   - start: Where the file system begins, in bytes.
  init?(_ view: any BlockSource, at start: UInt64 = 0) throws(BlockIOError) {
    guard let volume = try XFSVolume(view, at: start) else { return nil }
    self.volume = volume
    blocks = XFSBlockClaims(volume)
    log = XFSLogSearch(volume)
  }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) {
    blocks.look(at: new, content)
    log.look(at: new, content)
  }

  mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    var trust = XFSTrust(scene.orphans)
    let records = try log.resolve(in: scene, &trust)
    var claims = blocks.claims + (try blocks.assembled(in: scene))
    claims.removeAll { !trust.isPossible($0.new) }
    let contradicting = Self.isContradicting(claims + records.map(\.claim), trust, scene)
    let unique = try Self.unique(claims, trust, scene)
    var evidence: [Evidence] = []
    func add(_ claim: XFSClaim, _ kind: Evidence.Kind, isProof: Bool) {
      let isCertain = trust.isCertain(claim.new)
      if !isCertain && contradicting { return }
      let strength: Evidence.Strength = isCertain && isProof ? .proven : .likely
      evidence.append(Evidence(kind: kind, strength: strength, new: claim.new, old: claim.old))
    }
    for claim in unique { add(claim, .xfsBlock, isProof: true) }
    for claim in blocks.superblocks { add(claim, .xfsBlock, isProof: false) }
    for record in records where !record.isRival {
      add(record.claim, .xfsLog, isProof: record.isProof)
    }
    return evidence
  }

  /// Whether anything that is not certainly of this store claims the place of something else.
  private static func isContradicting(
    _ claims: [XFSClaim], _ trust: XFSTrust, _ scene: PlacementScene
  ) -> Bool {
    var claimants: [UInt64: UInt64] = [:]
    var contested: Set<UInt64> = []
    for claim in claims
    where claimants.updateValue(claim.new, forKey: claim.old) ?? claim.new != claim.new {
      contested.insert(claim.old)
    }
    return claims.contains { claim in
      !trust.isCertain(claim.new)
        && (contested.contains(claim.old) || scene.isTaken(claim.old, from: claim.new))
    }
  }

  /// The claims of which no two are for one place, but for those with the same content.
  ///
  /// Claims that are certainly of this store go first.
  private static func unique(
    _ claims: [XFSClaim], _ trust: XFSTrust, _ scene: PlacementScene
  ) throws(BlockIOError) -> [XFSClaim] {
    var unique: [XFSClaim] = []
    let sorted = claims.sorted { ($0.old, $0.new) < ($1.old, $1.new) }
    var index = 0
    while index < sorted.count {
      var end = index
      while end < sorted.count, sorted[end].old == sorted[index].old { end += 1 }
      let certain = sorted[index..<end].filter { trust.isCertain($0.new) }
      let rivals = certain.isEmpty ? Array(sorted[index..<end]) : certain
      var isSame = true
      for rival in rivals.dropFirst() where isSame && rival.new != rivals[0].new {
        isSame = try scene.isSameContent(rival.new, rivals[0].new)
      }
      if isSame { unique.append(rivals[0]) }
      index = end
    }
    return unique
  }
}

extension PlacementScene {
  /// Whether a chunk of the origin is mapped, and not to that chunk of the store.
  func isTaken(_ old: UInt64, from new: UInt64) -> Bool {
    view.table.newChunk(for: Chunk(old)).map { $0.index != new } ?? false
  }

  /// Reads a chunk of the snapshot: from a chunk of the store if that is given.
  func read(
    _ old: UInt64, from new: UInt64?, into buffer: IOBuffer, at position: Int
  ) throws(BlockIOError) {
    let start = old * chunkByteCount
    let count = min(chunkByteCount, view.byteCount - start)
    if let new {
      _ = try store.readAround(
        at: new * chunkByteCount, into: buffer, position..<position + Int(count))
    } else {
      var lost: [LostRange] = []
      try view.read(start..<start + count, into: buffer, at: position, lost: &lost)
    }
  }

  /// Whether two chunks of the store can be read and are the same.
  func isSameContent(_ first: UInt64, _ second: UInt64) throws(BlockIOError) -> Bool {
    let size = Int(min(chunkByteCount, 64 << 10))
    let buffers = (IOBuffer(byteCount: size), IOBuffer(byteCount: size))
    var position: UInt64 = 0
    while position < chunkByteCount {
      let (left, right) = (
        try store.readAround(at: first * chunkByteCount + position, into: buffers.0, 0..<size),
        try store.readAround(at: second * chunkByteCount + position, into: buffers.1, 0..<size)
      )
      if !left.isEmpty || !right.isEmpty || !buffers.0.equals(0..<size, in: buffers.1, at: 0) {
        return false
      }
      position += UInt64(size)
    }
    return true
  }
}
