internal import SnapshotFormat

/// Checks one area against ``AreaLaw``, exception by exception, for carving and the search for
/// shifted areas: whole areas, without the neighbours by which ``SlotJudge`` judges a slot.
struct AreaCheck {
  private let geometry: StoreGeometry
  private var position: UInt64
  private var expected: UInt64
  private var nextMetadata: UInt64
  private var isTerminated = false

  /// By how many leaked chunks the new chunks are shifted at the end of the area.
  private(set) var shift: UInt64
  /// The exceptions before the first whose new chunk is 0.
  private(set) var liveCount: UInt64 = 0
  /// The live exceptions that Linux could have made, in order or not.
  private(set) var possibleCount: UInt64 = 0
  /// The exceptions in the whole area whose new chunk is the next in order.
  private(set) var inOrderCount: UInt64 = 0
  /// The exceptions in the whole area that the law does not allow.
  private(set) var unlawfulCount: UInt64 = 0
  /// The highest new chunk that the law allows.
  private(set) var highestNewChunk: UInt64 = 0
  /// Whether anything but zeroes follows the first exception whose new chunk is 0.
  private(set) var hasTail = false
  /// Whether any byte of it could not be read.
  var isUnreadable = false

  /// A check of an area whose new chunks are shifted by at least `shift`.
  init(_ area: AreaIndex, shift: UInt64, _ chunkSize: ChunkSize) {
    geometry = StoreGeometry(chunkSize: chunkSize, byteCount: .max)
    position = area.index &* chunkSize.exceptionsPerArea
    self.shift = shift
    (expected, nextMetadata) = (0, 0)
    expect()
  }

  /// Every slot is in use.
  var isFull: Bool { liveCount == geometry.chunkSize.exceptionsPerArea }
  /// All is zero: an area that Linux has prepared.
  var isEmpty: Bool { liveCount == 0 && !hasTail && !isUnreadable }
  /// There are exceptions, and everything is as the law has it.
  var isLawful: Bool {
    liveCount > 0 && unlawfulCount == 0 && !hasTail && !isUnreadable
      && inOrderCount >= (liveCount + 1) / 2
  }
  /// There are exceptions, and Linux could have made each of them.
  var isPossible: Bool {
    liveCount > 0 && possibleCount == liveCount && !hasTail && !isUnreadable
  }
  /// Whether the area is certainly not lawful, whatever follows.
  var hasFailed: Bool { unlawfulCount > 0 || hasTail || isUnreadable }

  /// Checks the next exceptions of the area.
  mutating func add(_ exceptions: Span<DiskException>) {
    for slot in exceptions.indices {
      let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
      if new == 0 {
        isTerminated = true
        if old != 0 { hasTail = true }
      } else {
        add(old, new)
      }
      position &+= 1
      expected &+= 1
      if expected == nextMetadata {
        expected &+= 1
        nextMetadata &+= geometry.chunkSize.areaStride
      }
    }
  }

  private mutating func add(_ old: UInt64, _ new: UInt64) {
    if isTerminated { hasTail = true } else { liveCount += 1 }
    let place = AreaLaw.canExist(old, new) ? place(of: new) : nil
    if place != nil, !isTerminated { possibleCount += 1 }
    guard let place, place >= position &+ shift, place - position - shift <= riseMax else {
      unlawfulCount += 1
      return
    }
    if place == position &+ shift {
      inOrderCount += 1
    } else {
      shift = place - position
      expect()
    }
    highestNewChunk = max(highestNewChunk, new)
  }

  /// The number of chunks that may have leaked in addition to those that the shift shows.
  private var riseMax: UInt64 {
    UInt64(shift == 0 && liveCount == 1 ? AreaLaw.leakMax : AreaLaw.riseMax)
  }

  private func place(of new: UInt64) -> UInt64? {
    new == expected ? position &+ shift : geometry.position(ofData: Chunk(new))
  }

  /// Computes which chunk the slot at `position` should have.
  private mutating func expect() {
    let stride = geometry.chunkSize.areaStride
    expected = geometry.dataChunk(inOrder: position &+ shift)?.index ?? 0
    nextMetadata = expected / stride * stride + StoreGeometry.headerChunkCount
    if nextMetadata < expected { nextMetadata += stride }
  }
}
