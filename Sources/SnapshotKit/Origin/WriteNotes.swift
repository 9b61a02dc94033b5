internal import BlockIO
internal import FoundationEssentials
internal import SnapshotFormat

/// A file system's records of its own writes, in the snapshot and in the origin.
///
/// Both began as the same bytes. If a counter is higher in the origin than in the store's copy, the
/// origin was written since; if it is higher in the snapshot, the snapshot was written.
struct WriteNotes {
  /// Evidence that the origin was written after the snapshot was taken.
  private(set) var evidence: [String] = []
  /// Whether the snapshot's file system itself was written, later than the origin's.
  private(set) var isSnapshotNewer = false

  /// Reads the records of any known file system.
  init(_ view: SnapshotView) throws(BlockIOError) {
    if let shown = try ExtSuperblock(view), let own = try ExtSuperblock(view.origin) {
      try compare(shown, own, view)
    } else if let shown = try XFSSuperblock(view), let own = try XFSSuperblock(view.origin) {
      try compare(shown, own, view)
    } else if let shown = try BtrfsSuperblock(view), let own = try BtrfsSuperblock(view.origin),
      shown.uuid == own.uuid
    {
      compare(shown.generation, own.generation, "generation")
    }
  }

  /// Compares a number that only grows.
  private mutating func compare<Value: Comparable>(
    _ shown: Value, _ own: Value, _ name: String, text: (Value) -> String = { "\($0)" }
  ) {
    if own > shown {
      evidence.append("\(name) \(text(own)), in the snapshot \(text(shown))")
    } else if shown > own {
      isSnapshotNewer = true
    }
  }

  // MARK: - ext2, ext3, ext4

  private mutating func compare(
    _ shown: ExtSuperblock, _ own: ExtSuperblock, _ view: SnapshotView
  ) throws(BlockIOError) {
    guard shown.uuid == own.uuid else { return }
    compare(shown.writeTime, own.writeTime, "last written", text: Self.text)
    // A check of the snapshot's file system resets its counters.
    if isSnapshotNewer { return }
    compare(shown.mountTime, own.mountTime, "last mounted", text: Self.text)
    compare(shown.mountCount, own.mountCount, "mount count")
    compare(shown.writtenKiB, own.writtenKiB, "KiB ever written")
    if own.needsRecovery, !shown.needsRecovery, !isSnapshotNewer {
      evidence.append("its journal needs recovery, in the snapshot it does not")
    }
    guard let place = try own.journalOffset(in: view.origin),
      let log = try JournalSuperblock(view, at: place),
      let ownLog = try JournalSuperblock(view.origin, at: place)
    else { return }
    // Sequence numbers wrap around.
    let step = Int32(bitPattern: ownLog.sequence &- log.sequence)
    if step > 0 || (step == 0 && log.start == 0 && ownLog.start != 0) {
      evidence.append(
        step == 0
          ? "transactions in its journal, in the snapshot none"
          : "journal at transaction \(ownLog.sequence), in the snapshot at \(log.sequence)")
    } else if step < 0 {
      isSnapshotNewer = true
    }
  }

  private static func text(_ seconds: UInt64) -> String {
    Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
  }

  // MARK: - XFS

  private mutating func compare(
    _ shown: XFSSuperblock, _ own: XFSSuperblock, _ view: SnapshotView
  ) throws(BlockIOError) {
    guard shown.uuid == own.uuid else { return }
    compare(
      shown.sequence, own.sequence, "log sequence number", text: { "0x" + String($0, radix: 16) })
    guard let log = own.log?.clamped(to: 0..<view.byteCount) else { return }
    // Each sector of the log begins with the number of the cycle in which it was written.
    var cycles: (shown: UInt32, own: UInt32)?
    var budget = 64 << 20
    let buffers = (IOBuffer(byteCount: 1 << 16), IOBuffer(byteCount: 1 << 16))
    try view.forEachSegment(in: log) { (segment) throws(BlockIOError) in
      guard case .store = segment.place else { return }
      var position = segment.range.lowerBound
      while position < segment.range.upperBound, cycles == nil, budget > 0 {
        let count = Int(min(segment.range.upperBound - position, 1 << 16))
        var lost: [LostRange] = []
        try view.read(position..<position + UInt64(count), into: buffers.0, lost: &lost)
        let unread = try view.origin.readAround(at: position, into: buffers.1, 0..<count)
        for sector in stride(from: 0, to: count - 511, by: 512) where lost.isEmpty && unread.isEmpty
        {
          let pair = (shown: buffers.0.logCycle(at: sector), own: buffers.1.logCycle(at: sector))
          if pair.own > pair.shown, cycles == nil { cycles = pair }
          if pair.shown > pair.own { isSnapshotNewer = true }
        }
        budget -= count
        position += UInt64(count)
      }
    }
    if let cycles {
      evidence.append("its log in round \(cycles.own), in the snapshot in round \(cycles.shown)")
    }
  }
}

extension IOBuffer {
  /// The cycle of an XFS log in which a sector was written.
  ///
  /// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, `xlog_get_cycle`.
  fileprivate func logCycle(at byteOffset: Int) -> UInt32 {
    withBytes(byteOffset..<byteOffset + 8) { bytes in
      let first = bytes.littleEndian(at: 0, as: UInt32.self).byteSwapped
      return first == 0xfeed_babe
        ? bytes.littleEndian(at: 4, as: UInt32.self).byteSwapped : first
    }
  }
}
