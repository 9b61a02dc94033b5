internal import BlockIO
internal import FoundationEssentials
internal import SnapshotFormat

/// The bytes that the chunks of a table have in common with those of an origin.
struct OriginRelation {
  /// The number of chunks of the table to examine, spread evenly over it.
  ///
  /// One that is related ends the search: only a wrong origin costs them all.
  private static let sampleCount: UInt64 = 2048

  /// The number of compared chunks that hold something in both the store and the origin.
  private(set) var comparedCount = 0
  /// Whether the store's copies come from the origin: a sector is in both, or one has the origin's
  /// UUID.
  private(set) var isRelated = false
  /// The UUIDs of other XFSs whose metadata the store has copies of, once for each chunk.
  private(set) var foreign: [String] = []

  /// Compares the store's copies in `view` with the same places of `origin`.
  ///
  /// - Parameter uuid: The UUID of the origin's file system. XFS, btrfs and copies of an ext4
  ///   superblock have it in their metadata, so that even a completely rewritten chunk is
  ///   recognised.
  init(
    _ view: SnapshotView, _ origin: any BlockSource, uuid: String?
  ) throws(BlockIOError) {
    let chunkByteCount = view.table.geometry.chunkSize.byteCount
    let chunkCount = view.mappedByteCount / chunkByteCount
    let step = max(1, chunkCount / Self.sampleCount) * chunkByteCount
    let words = uuid.flatMap(Self.words)
    let buffers = (IOBuffer(byteCount: 4096), IOBuffer(byteCount: 4096))
    var next: UInt64 = 0  // in bytes of the table, from the beginning of a run
    for run in view.table.runs {
      guard let bytes = view.bytes(of: run), bytes.lowerBound < origin.byteCount else { break }
      let byteCount = bytes.upperBound - bytes.lowerBound
      while next < byteCount {
        let start = bytes.lowerBound + next
        let end = min(start + min(chunkByteCount, 4096), bytes.upperBound, origin.byteCount)
        next += step
        guard start < end else { continue }
        var lost: [LostRange] = []
        try view.read(start..<end, into: buffers.0, lost: &lost)
        let count = Int(end - start)
        let unreadable = try origin.readAround(at: start, into: buffers.1, 0..<count)
        guard lost.isEmpty, unreadable.isEmpty else { continue }
        if let words, Self.contains(words, buffers.0, count) {
          isRelated = true
          return
        }
        if let uuid = Self.ownerOfXFSMetadata(in: buffers.0, count) { foreign.append(uuid) }
        guard !buffers.0.isUniform(0..<count), !buffers.1.isUniform(0..<count) else { continue }
        comparedCount += 1
        if Self.haveCommonSector(buffers.0, buffers.1, count) {
          isRelated = true
          return
        }
      }
      next -= byteCount
    }
  }

  /// The UUID in an XFS inode, log record or superblock that begins a sector.
  ///
  /// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `xfs_log_format.h`.
  private static func ownerOfXFSMetadata(in buffer: IOBuffer, _ count: Int) -> String? {
    for sector in stride(from: 0, to: count - 511, by: 512) {
      let place = buffer.withBytes(sector..<sector + 8) { bytes -> Int? in
        switch bytes.littleEndian(at: 0, as: UInt32.self).byteSwapped {
        case 0x5846_5342: 32  // "XFSB"
        case 0xfeed_babe: 304
        case let first where first >> 16 == 0x494e && bytes[4] == 3: 160  // "IN"
        default: nil
        }
      }
      guard let place else { continue }
      let uuid = buffer.bytes(sector + place..<sector + place + 16)
      return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { uuid[$0].hexadecimal }
        .joined(separator: "-")
    }
    return nil
  }

  private static func haveCommonSector(_ left: IOBuffer, _ right: IOBuffer, _ count: Int) -> Bool {
    stride(from: 0, to: count - 511, by: 512).contains { sector in
      let place = sector..<sector + 512
      return left.equals(place, in: right, at: sector) && !left.isUniform(place)
    }
  }

  /// A UUID as on disk; nil for the shorter numbers of some file systems.
  private static func words(_ text: String) -> [UInt32]? {
    guard let uuid = UUID(uuidString: text)?.uuid else { return nil }
    func word(_ bytes: (UInt8, UInt8, UInt8, UInt8)) -> UInt32 {
      UInt32(bytes.0) | UInt32(bytes.1) << 8 | UInt32(bytes.2) << 16 | UInt32(bytes.3) << 24
    }
    return [
      word((uuid.0, uuid.1, uuid.2, uuid.3)), word((uuid.4, uuid.5, uuid.6, uuid.7)),
      word((uuid.8, uuid.9, uuid.10, uuid.11)), word((uuid.12, uuid.13, uuid.14, uuid.15)),
    ]
  }

  /// Whether four words follow each other somewhere in the first bytes of a buffer.
  private static func contains(_ words: [UInt32], _ buffer: IOBuffer, _ count: Int) -> Bool {
    buffer.withRecords(of: UInt32.self, count: count / 4) { record in
      guard record.count >= words.count else { return false }
      return (0...record.count - words.count).contains { start in
        words.indices.allSatisfy { UInt32(littleEndian: record[start + $0]) == words[$0] }
      }
    }
  }
}
