internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Reads the log of an XFS as it is in a snapshot, with some orphans in their supposed places.
struct XFSLogReader {
  /// The orphan supposed at a chunk of the origin.
  var assigned: [UInt64: UInt64] = [:]
  private let volume: XFSVolume
  private let scene: PlacementScene
  private let log: Range<UInt64>
  private let buffer = IOBuffer(byteCount: XFSLogRecord.sectorCountMax * 512)

  init(_ volume: XFSVolume, _ log: Range<UInt64>, _ scene: PlacementScene) {
    (self.volume, self.log, self.scene) = (volume, log, scene)
  }

  /// The chunks in which the log is.
  var chunks: Range<UInt64> {
    log.lowerBound / scene.chunkByteCount..<(log.upperBound - 1) / scene.chunkByteCount + 1
  }

  /// The sectors of the log in a chunk of the origin.
  func sectors(of chunk: UInt64) -> Range<UInt64> {
    let start = max(chunk * scene.chunkByteCount, log.lowerBound)
    let end = max(start, min((chunk + 1) * scene.chunkByteCount, log.upperBound))
    return (start - log.lowerBound) / 512..<(end - log.lowerBound) / 512
  }

  /// The chunks of the origin that a record is in, wrapping around.
  func chunks(of record: XFSLogRecord) -> [UInt64] {
    var chunks: [UInt64] = []
    for offset in 0..<UInt64(record.sectorCount) {
      let sector = (record.sector + offset) % volume.logSectorCount
      let chunk = (log.lowerBound + sector * 512) / scene.chunkByteCount
      if chunks.last != chunk { chunks.append(chunk) }
    }
    return chunks
  }

  /// The last record that begins before a sector and reaches it, if any: intact, or only a header.
  func record(reaching sector: UInt64) throws(BlockIOError) -> XFSLogRecord? {
    let count = volume.logSectorCount
    let step: UInt64 = 16
    var distance: UInt64 = 0
    while distance < UInt64(XFSLogRecord.sectorCountMax), distance < count {
      let length = min(step, count - distance)
      let first = (sector + count - distance - length) % count
      try read(first, count: Int(length))
      for index in (0..<Int(length)).reversed() {
        let header = buffer.withBytes(index * 512..<(index + 1) * 512) {
          XFSLogRecord($0, of: volume.geometry)
        }
        guard let header, header.sector == (first + UInt64(index)) % count else { continue }
        let reach = distance + length - UInt64(index)
        return UInt64(header.sectorCount) > reach ? header : nil
      }
      distance += length
    }
    return nil
  }

  /// Whether the checksum of a record holds with the orphans as they are assigned.
  func isIntact(_ record: XFSLogRecord) throws(BlockIOError) -> Bool {
    guard !record.isCleared, record.sectorCount <= XFSLogRecord.sectorCountMax,
      UInt64(record.sectorCount) <= volume.logSectorCount
    else { return false }
    try read(record.sector, count: record.sectorCount)
    return buffer.withBytes(0..<record.sectorCount * 512) { record.isIntact($0) }
  }

  /// Reads sectors of the ring into the buffer.
  private func read(_ first: UInt64, count: Int) throws(BlockIOError) {
    var sector = first
    var position = 0
    while position < count * 512 {
      let byte = log.lowerBound + sector * 512
      let chunk = byte / scene.chunkByteCount
      let end = min((chunk + 1) * scene.chunkByteCount, log.upperBound)
      let length = min(UInt64(count * 512 - position), end - byte)
      if let new = assigned[chunk] {
        let source = new * scene.chunkByteCount + byte % scene.chunkByteCount
        _ = try scene.store.readAround(
          at: source, into: buffer, position..<position + Int(length))
      } else {
        var lost: [LostRange] = []
        try scene.view.read(byte..<byte + length, into: buffer, at: position, lost: &lost)
      }
      position += Int(length)
      sector = (sector + length / 512) % volume.logSectorCount
    }
  }
}
