internal import BlockIO
internal import SnapshotFormat

/// The required content of a lost chunk, as far as the file system shows it.
struct FileDataNeed {
  /// The expected content of a block.
  enum Block: Equatable {
    /// Unknown.
    case unknown
    /// A part of a file that is not its end.
    case whole
    /// The end of a file, after so many bytes.
    case end(UInt32)
    /// The origin's content there, unless that was written as well.
    case kept(hash: UInt32, isZero: Bool)
  }

  /// The expected content of each block of the chunk.
  var blocks: [Block]
  /// Whether all of it belongs to one file.
  var isOneFile = false
  /// A file that has some of it, and whether another one has, too.
  fileprivate(set) var file: UInt64?
  fileprivate(set) var isShared = false
}

/// The chunks that must have been written, because files have blocks there that were free before,
/// and whose data is not found.
struct FileDataNeeds {
  /// The expected content of each of them.
  private(set) var needs: [UInt64: FileDataNeed] = [:]
  /// Chunks in whose beginning a file goes on that has the end of the chunk before.
  private(set) var goingOn: Set<UInt64> = []
  /// Chunks among them that were copied right after the chunk before: only that file can have
  /// caused both copies.
  private(set) var adjoining: Set<UInt64> = []
  /// Whether there are more than can be looked at.
  private(set) var isTooMuch = false

  /// The number of ends of files in them.
  var endCount: Int {
    needs.values.reduce(0) { sum, need in
      sum + need.blocks.count { if case .end = $0 { true } else { false } }
    }
  }

  private static let countMax = 1 << 16

  /// The needs of a scene's files.
  init(
    _ mapper: some FileMapper, _ scene: PlacementScene, _ places: FileDataPlaces
  ) throws(BlockIOError) {
    let (size, chunkSize) = (UInt64(mapper.blockByteCount), scene.chunkByteCount)
    try mapper.forEachFile(of: scene.view) { file in
      guard !file.isDirectory else { return }
      for extent in Self.joined(file.extents) {
        for part in places.freeParts(of: extent.bytes) {
          for chunk in part.lowerBound / chunkSize...(part.upperBound - 1) / chunkSize
          where places.isLost(chunk) {
            let bytes = chunk * chunkSize..<(chunk + 1) * chunkSize
            add(chunk, part.clamped(to: bytes), file, extent, size, chunkSize)
          }
        }
      }
    }
    adjoining = goingOn.filter { chunk in
      [chunk - 1, chunk].allSatisfy { needs[$0]?.isShared != true }
    }
    for (chunk, need) in needs {
      for index in need.blocks.indices {
        let byteOffset = chunk * chunkSize + UInt64(index) * size
        guard !places.isFree(byte: byteOffset),
          let block = try scene.origin.whole(at: byteOffset, count: Int(size))
        else { continue }
        let hash = ContentHash(block.span)
        needs[chunk]?.blocks[index] = .kept(hash: hash.short, isZero: hash.isZero)
      }
    }
  }

  /// Consecutive bytes of a file: where they are, and where in the file.
  private typealias Part = (bytes: Range<UInt64>, logicalByte: UInt64)

  private static func joined(_ extents: [FileLayout.Extent]) -> [Part] {
    var parts: [Part] = []
    for extent in extents where extent.byteCount > 0 {
      let (end, overflow) = extent.physicalByte.addingReportingOverflow(extent.byteCount)
      guard !overflow else { continue }
      if let last = parts.last, last.bytes.upperBound == extent.physicalByte,
        last.logicalByte &+ UInt64(last.bytes.count) == extent.logicalByte
      {
        parts[parts.count - 1].bytes = last.bytes.lowerBound..<end
      } else {
        parts.append((extent.physicalByte..<end, extent.logicalByte))
      }
    }
    return parts
  }

  private mutating func add(
    _ chunk: UInt64, _ bytes: Range<UInt64>, _ file: FileLayout, _ part: Part, _ size: UInt64,
    _ chunkSize: UInt64
  ) {
    guard needs.count < Self.countMax || needs[chunk] != nil else {
      isTooMuch = true
      return
    }
    let start = chunk * chunkSize
    let blank = FileDataNeed(
      blocks: [FileDataNeed.Block](repeating: .unknown, count: Int(chunkSize / size)))
    var need = needs[chunk] ?? blank
    if need.file == nil { need.file = file.inode }
    if need.file != file.inode { need.isShared = true }
    var byte = bytes.lowerBound
    while byte < bytes.upperBound {
      let logical = part.logicalByte &+ (byte - part.bytes.lowerBound)
      let index = Int((byte - start) / size)
      if logical < file.byteCount, index < need.blocks.count {
        let rest = file.byteCount - logical
        need.blocks[index] = rest >= size ? .whole : .end(UInt32(rest))
      }
      byte += size
    }
    if part.bytes.lowerBound <= start, start + chunkSize <= part.bytes.upperBound {
      need.isOneFile = true
    }
    for edge in [chunk, chunk + 1]
    where part.bytes.lowerBound < edge * chunkSize && edge * chunkSize < part.bytes.upperBound {
      goingOn.insert(edge)
    }
    needs[chunk] = need
  }
}
