internal import BlockIO
internal import SnapshotFormat

/// The known places of chunks of file data: in the table, proven, or likely by now.
struct FileDataPlaces {
  private let scene: PlacementScene
  /// The bytes that were free in the origin.
  private let free: [Range<UInt64>]
  /// The places in the store's order of the chunks that were found here, by chunk of the origin;
  /// and the other way around.
  private var positions: [UInt64: Int] = [:]
  private var olds: [Int: UInt64] = [:]
  private(set) var evidence: [Evidence] = []

  init(_ scene: PlacementScene, free: [Range<UInt64>]) {
    self.scene = scene
    let end = scene.origin.byteCount
    self.free = free.lazy.filter { $0.lowerBound < end }.map { $0.clamped(to: 0..<end) }
  }

  /// Whether a byte was free in the origin.
  func isFree(byte: UInt64) -> Bool {
    let index = free.indexOfFirst(endingAfter: byte)
    return index < free.count && free[index].lowerBound <= byte
  }

  /// The free bytes of the origin in a range, ascending.
  func freeParts(of bytes: Range<UInt64>) -> [Range<UInt64>] {
    var parts: [Range<UInt64>] = []
    var index = free.indexOfFirst(endingAfter: bytes.lowerBound)
    while index < free.count, free[index].lowerBound < bytes.upperBound {
      parts.append(free[index].clamped(to: bytes))
      index += 1
    }
    return parts
  }

  /// Whether all of a chunk of the origin was free.
  func isFree(_ chunk: UInt64) -> Bool {
    guard chunk < scene.originChunkCount else { return false }
    let bytes = chunk * scene.chunkByteCount..<(chunk + 1) * scene.chunkByteCount
    let index = free.indexOfFirst(endingAfter: bytes.lowerBound)
    return index < free.count && free[index].lowerBound <= bytes.lowerBound
      && bytes.upperBound <= free[index].upperBound
  }

  /// Whether a chunk of the origin is not known at all.
  func isLost(_ chunk: UInt64) -> Bool {
    chunk < scene.originChunkCount && positions[chunk] == nil && !scene.isMapped(chunk)
  }

  /// The place of a chunk of the origin in the store's order; nil if unknown.
  func position(of chunk: UInt64) -> Int? {
    positions[chunk]
      ?? scene.view.table.newChunk(for: Chunk(chunk)).flatMap { scene.position($0.index) }
  }

  /// The chunk of the origin known to be in a place of the store's order.
  func old(at position: Int) -> UInt64? {
    if let old = olds[position] { return old }
    guard position >= 0,
      let new = scene.geometry.dataChunk(inOrder: UInt64(position))?.index
    else { return nil }
    if let old = scene.proven[new] { return old }
    let index = scene.runs.partitioningIndex { $0.new > new }
    guard index > 0 else { return nil }
    let run = scene.runs[index - 1]
    return new - run.new < run.count ? run.old + (new - run.new) : nil
  }

  /// Says that an orphan is likely a copy of a chunk of the origin.
  mutating func claim(_ new: UInt64, _ chunk: UInt64, _ kind: Evidence.Kind) {
    guard let position = scene.position(new), old(at: position) == nil, isLost(chunk) else {
      return
    }
    olds[position] = chunk
    positions[chunk] = position
    evidence.append(Evidence(kind: kind, strength: .likely, new: new, old: chunk))
  }
}

extension PlacementScene {
  /// The number of data chunks before one in the store; nil if it is not a data chunk.
  func position(_ new: UInt64) -> Int? {
    geometry.position(ofData: Chunk(new)).flatMap { Int(exactly: $0) }
  }
}
