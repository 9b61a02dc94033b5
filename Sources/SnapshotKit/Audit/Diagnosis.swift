internal import BlockIO
internal import SnapshotFormat

/// The most likely cause of a store's state, for messages.
///
/// The findings list the faults; this names the accident that causes such findings.
package struct Diagnosis: Sendable {
  /// The cause.
  package let cause: String
  /// The prospect of recovery.
  package let prospect: Prospect

  /// The prospect of recovery, in exceptions.
  package struct Prospect: Equatable, Sendable {
    /// The number of usable exceptions.
    package let usableCount: UInt64
    /// The number of those that may belong to another table.
    package let doubtfulCount: UInt64
    /// The number of lost exceptions; the maximum, if the number is unknown.
    package let lostCount: UInt64
    /// Whether more may be lost, after the end.
    package let isEndLost: Bool
  }

  /// The diagnosis of a store; nil if nothing happened to it.
  package init?(_ audit: Audit) {
    guard let cause = Self.cause(of: audit) else { return nil }
    self.cause = cause
    let generation = audit.plan?.generations.first
    let byPlace = generation?.lostChunkCount(for: [.beyondStore, .lostInCopy, .overwritten])
    // Chunks shortly past a short origin's end are present, but need a longer origin.
    let pastOrigin = audit.neededOriginByteCount.flatMap { _ in
      generation?.findings.first { $0.code == .oldBeyondOrigin }?.count
    }
    let lostCount =
      (generation?.lostExceptionCount ?? 0) + (byPlace ?? 0) + (generation?.inFlightCount ?? 0)
    prospect = Prospect(
      usableCount: generation?.exceptionCount ?? audit.usableCount,
      doubtfulCount: generation?.doubtfulCount ?? 0,
      lostCount: lostCount - min(pastOrigin ?? 0, lostCount),
      isEndLost: generation?.isEndLost ?? false)
  }

  private static func cause(of audit: Audit) -> String? {
    let codes = Set(audit.findings.map(\.code))
    return shiftCause(audit) ?? headerCause(audit, codes) ?? tableCause(audit, codes)
      ?? pastCause(audit, codes)
  }

  /// A word for the store, by its path: only the file name shows what it is.
  private static func noun(_ audit: Audit) -> String {
    let name = audit.store.source.name
    let file = name.split(separator: "/").last ?? ""
    if file.hasPrefix("overlay-") || name.contains("/LiveOS/") { return "live-USB overlay" }
    return file.hasSuffix("-cow") ? "LVM snapshot" : "snapshot"
  }

  // MARK: - Accidents

  private static func shiftCause(_ audit: Audit) -> String? {
    guard let gaps = audit.plan?.gaps, let first = gaps.first else {
      return fragmentCause(audit)
    }
    let others = gaps.count == 1 ? "" : ", and at \(gaps.count - 1) more such places"
    return first.missingByteCount > 0
      ? "this copy lost \(first.missingByteCount) bytes \(first.place)\(others): dd conv=noerror"
        + " without sync skips unreadable bytes, and a fragmented file has other bytes there"
      : "this copy has \(first.missingByteCount.magnitude) surplus bytes \(first.place)\(others): a"
        + " part was copied twice, or the file is fragmented, with another file in between"
  }

  /// A file system puts the parts of a file where it has room, so areas are elsewhere.
  private static func fragmentCause(_ audit: Audit) -> String? {
    let signs: Set<FindingCode> = [
      .areaImplausible, .areaLost, .areaDamaged, .areaHole, .storeUnconfirmed,
    ]
    guard audit.store.surroundings != nil,
      audit.findings.contains(where: { signs.contains($0.code) })
    else { return nil }
    return "other data is where its areas should be: this is only the first fragment of a file;"
      + " read the file through its file system"
  }

  private static func headerCause(_ audit: Audit, _ codes: Set<FindingCode>) -> String? {
    if codes.contains(.headerMagicErased) {
      return "wipefs, or LVM making a new volume, erased the signature and nothing else"
    }
    if codes.contains(.headerZeroed) {
      return switch audit.zeroedByteCount {
      case 65536...:
        "the beginning was zeroed (at least \(audit.zeroedByteCount) bytes), as a live system's"
          + " \"reset overlay\" does to the first 64 KiB"
      case 4096...:
        "the beginning was zeroed (at least \(audit.zeroedByteCount) bytes), as lvcreate and"
          + " lvconvert do to the first 4 KiB of a volume"
      default: "the first sectors were zeroed"
      }
    }
    if codes.contains(.headerForeign) {
      return audit.headerHoldsExceptions
        ? "Linux up to 2.6.31 wrote exceptions over the header while it invalidated the snapshot"
        : "something wrote over the header: another program, or a bad copy"
    }
    if codes.contains(.headerUnreadable), audit.store.header == nil {
      return "the medium fails where the header is"
    }
    if codes.contains(.headerChunkSizeContradicted) || codes.contains(.headerChunkSize) {
      return "the header's chunk size is damaged, or a new header was written over an older store"
    }
    if codes.contains(.headerVersion) { return "the header's version is damaged" }
    if codes.contains(.headerInvalid) { return invalidCause(audit, codes) }
    return nil
  }

  private static func invalidCause(_ audit: Audit, _ codes: Set<FindingCode>) -> String {
    let noun = noun(audit)
    if codes.contains(.storeAtBoundary) {
      return
        "this \(noun) filled up to where its next area had no room, and Linux marked it invalid"
    }
    if codes.contains(.storeFull) {
      return "this \(noun) overflowed: its store was full when a chunk had to be copied, and Linux"
        + " marked it invalid"
    }
    return "Linux marked this \(noun) invalid: it overflowed, or a write to its store failed"
  }

  private static func tableCause(_ audit: Audit, _ codes: Set<FindingCode>) -> String? {
    // Garbage in an area also names chunks past the end, and continues past it.
    if codes.contains(.storeTooShort) || codes.contains(.storeNextAreaBeyondEnd),
      !codes.contains(.areaImplausible)
    {
      let limit: UInt64 = 4 << 30
      let isAtLimit = (limit - (1 << 20)...limit).contains(audit.store.source.byteCount)
      return "the store was cut short: "
        + (isAtLimit
          ? "it ends at 4 GiB, the most that a file on FAT can have"
          : "a partial copy, a volume made smaller, or a file system's limit")
    }
    if codes.contains(.dataUnreadable), !codes.contains(.areaUnreadable) {
      return "the medium fails: sectors of the snapshot's data were not read"
    }
    if codes.contains(.areaUnreadable)
      || audit.plan?.unreadable.isEmpty == false
    {
      return "the medium fails in metadata areas"
    }
    if codes.contains(.originSmaller) {
      return "the origin ends before the table does: it is another one, an incomplete copy, or one"
        + " that had been extended with zeroes"
    }
    if hasOldKernelsMark(audit) {
      return "metadata areas hold other data: Linux before 3.12 wrote over them"
        + " (CVE-2013-4299), or the medium or a copy is damaged"
    }
    if codes.contains(.areaImplausible) {
      return "metadata areas hold other data: the copy is shifted or damaged, or is of a fragmented"
        + " file, or another program wrote there"
    }
    if codes.contains(.areaHole) || codes.contains(.areaDamaged) {
      return "a write of a metadata area was torn (power loss), or sectors of it were lost"
    }
    if codes.contains(.areaLost), audit.plan?.generations.first?.isCurrent == true {
      return "metadata areas were lost: zeroed or overwritten"
    }
    if codes.contains(where: { $0.entry.severity == .damage && $0.isException }) {
      return "single exceptions are damaged: flipped bits, or an edited store"
    }
    return nil
  }

  /// Whether a displaced exception has an area as its data chunk: nonsense in an area may look like
  /// that by itself.
  private static func hasOldKernelsMark(_ audit: Audit) -> Bool {
    let nonsense = audit.findings.first { $0.code == .areaImplausible }?.place.area
    return audit.findings.contains { $0.code == .newInMetadata && $0.place.area != nonsense }
  }

  private static func pastCause(_ audit: Audit, _ codes: Set<FindingCode>) -> String? {
    guard audit.extent?.exceptionCount == 0, audit.load.verdict == .loads else { return nil }
    if audit.usableCount > 0 {
      return "a new, empty table was started over an older one: a reset, or activation after the"
        + " signature was wiped"
    }
    if codes.contains(.mergeResidue) {
      return "a merge was completed, or the table was erased; the store does not show which"
    }
    return nil
  }
}

extension FindingCode {
  /// Whether it is about single exceptions.
  fileprivate var isException: Bool { rawValue.hasPrefix("exception.") }
}

extension Audit {
  /// The number of bytes at the beginning of the store that are zero, up to a megabyte.
  fileprivate var zeroedByteCount: Int {
    let byteCount = Int(min(store.source.byteCount, 1 << 20))
    let buffer = IOBuffer(byteCount: byteCount)
    do throws(BlockIOError) {
      _ = try store.source.readAround(at: 0, into: buffer, 0..<byteCount)
    } catch {
      return 0  // the choice of a text is not worth failing for
    }
    return buffer.nonZeroBytes(0..<byteCount)?.lowerBound ?? byteCount
  }

  /// Whether the bytes of the header are those of the table's first exception, or look like one.
  fileprivate var headerHoldsExceptions: Bool {
    guard let geometry, let header = store.header else { return false }
    let new = UInt64(header.version) | UInt64(header.chunkSectors) << 32
    return new < geometry.chunkCount && geometry.isData(Chunk(new))
  }
}
