internal import BlockIO
internal import FileSystemFormat

/// An XFS of version 5 in a view, from some byte on.
struct XFSVolume: Sendable {
  let geometry: XFSGeometry
  /// Where it begins, in bytes of the view.
  let start: UInt64
  /// The internal log, in bytes of the view; nil if the log is elsewhere.
  let log: Range<UInt64>?

  /// Reads the superblock; nil where there is none of version 5 whose checksum holds.
  init?(_ view: any BlockSource, at start: UInt64) throws(BlockIOError) {
    guard start % 512 == 0, start < view.byteCount, view.byteCount - start >= 4096 else {
      return nil
    }
    let byteCount = min(UInt64(XFSGeometry.byteCountMax), (view.byteCount - start) / 512 * 512)
    let buffer = IOBuffer(byteCount: Int(byteCount))
    _ = try view.readAround(at: start, into: buffer, 0..<buffer.byteCount)
    guard
      let geometry = buffer.withBytes(0..<buffer.byteCount, { XFSGeometry($0) }),
      !start.addingReportingOverflow(geometry.byteCount).overflow
    else { return nil }
    self.geometry = geometry
    self.start = start
    log = geometry.log.map { start + $0.lowerBound..<start + $0.upperBound }
  }

  /// The chunk of the view of which the byte at `position` is at `address` of the file system; nil
  /// if chunks do not lie so.
  func chunk(_ address: UInt64, at position: Int, chunkByteCount: Int) -> UInt64? {
    let place = start + address
    let size = UInt64(chunkByteCount)
    return place % size == UInt64(position) ? place / size : nil
  }

  /// The number of sectors in the log.
  var logSectorCount: UInt64 { log.map { ($0.upperBound - $0.lowerBound) / 512 } ?? 0 }

  /// The chunk of the view of which the byte at `position` begins a sector of the log.
  func chunk(ofLogSector sector: UInt64, at position: Int, chunkByteCount: Int) -> UInt64? {
    guard let log, sector < logSectorCount else { return nil }
    return chunk(
      log.lowerBound - start + sector * 512, at: position, chunkByteCount: chunkByteCount)
  }
}

/// An orphan that names its chunk.
struct XFSClaim: Sendable {
  let new: UInt64
  let old: UInt64
}

/// The orphans that are certainly of this store, and no residue of another use of its space.
///
/// A checksum proves a place, not a generation: the chunks of another clone of the same image have
/// the same UUID and the same addresses. Linux allocates chunks in order. So an orphan before one
/// that is certainly of this store is of this store too.
struct XFSTrust {
  private let orphans: [Orphan]
  /// Orphans before this one are of this store.
  var end: UInt64 = 0

  init(_ orphans: [Orphan]) { self.orphans = orphans }

  /// Whether an orphan is certainly of this store.
  func isCertain(_ new: UInt64) -> Bool {
    switch reason(new) {
    case .exceptionLost: true
    case .endLost, .inFlight: new < end
    case .endInDoubt, .leaked, nil: false
    }
  }

  /// Whether an orphan may belong to the snapshot at all: leaked chunks never did.
  func isPossible(_ new: UInt64) -> Bool {
    switch reason(new) {
    case .exceptionLost, .endLost, .endInDoubt, .inFlight: true
    case .leaked, nil: false
    }
  }

  private func reason(_ new: UInt64) -> Orphan.Reason? {
    let index = orphans.partitioningIndex { $0.new + $0.count > new }
    return index < orphans.count && orphans[index].new <= new ? orphans[index].reason : nil
  }
}
