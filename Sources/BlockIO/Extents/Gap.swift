/// Bytes that a copy of a medium lost, or has too many: everything after them is shifted.
///
/// `dd conv=noerror` without `sync` leaves out unreadable sectors, and an interrupted copy that was
/// resumed at the wrong place repeats bytes, or skips some.
///
/// As text, `AT:BYTES`, or `FROM-TO:BYTES` if the place is known only to be in that range. A
/// negative number is the number of bytes that are too many.
public struct Gap: Hashable, Sendable {
  /// The bytes of the copy that cannot be relied on; empty if the place is known.
  ///
  /// The place of the loss is among them, or they are too many.
  public let range: Range<UInt64>
  /// The number of bytes that the medium has more than the copy; negative if it has fewer.
  public let missingByteCount: Int64

  /// The number of bytes of the medium that are unknown: those in the place of `range` and the
  /// loss.
  package let unknownByteCount: UInt64

  /// A gap somewhere in a range of the copy.
  ///
  /// - Returns: nil if the range has fewer bytes than are too many, or if a number is too large for
  ///   any file.
  public init?(in range: Range<UInt64>, missing: Int64) {
    guard range.upperBound <= Int64.max else { return nil }
    let (count, overflow) = Int64(range.upperBound - range.lowerBound)
      .addingReportingOverflow(missing)
    guard !overflow, count >= 0, missing != 0 else { return nil }
    self.range = range
    missingByteCount = missing
    unknownByteCount = UInt64(count)
  }

  /// A gap at a byte of the copy, or before it.
  public init?(at byteOffset: UInt64, missing: Int64) {
    let (end, overflow) = byteOffset.addingReportingOverflow(missing < 0 ? missing.magnitude : 0)
    guard !overflow else { return nil }
    self.init(in: byteOffset..<end, missing: missing)
  }

  /// The same gap in a copy that begins that many bytes earlier.
  public func moved(by byteCount: Int64) -> Gap? {
    let (start, end) = (Int64(range.lowerBound), Int64(range.upperBound))
    let (newStart, overflow) = start.addingReportingOverflow(byteCount)
    let (newEnd, carry) = end.addingReportingOverflow(byteCount)
    guard !overflow, !carry, newStart >= 0 else { return nil }
    return Gap(in: UInt64(newStart)..<UInt64(newEnd), missing: missingByteCount)
  }
}

extension Gap: CustomStringConvertible {
  /// The argument of `gap=`.
  public var description: String {
    let isExact = UInt64(max(-missingByteCount, 0)) == range.upperBound - range.lowerBound
    let place = isExact ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    return "\(place):\(missingByteCount)"
  }

  /// Reads the argument of `gap=`.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let missing = Int64(parts[1]) else { return nil }
    let places = parts[0].split(separator: "-", omittingEmptySubsequences: false)
    guard places.count <= 2, let start = UInt64(places[0]) else { return nil }
    guard places.count == 2 else {
      self.init(at: start, missing: missing)
      return
    }
    guard let end = UInt64(places[1]), start <= end else { return nil }
    self.init(in: start..<end, missing: missing)
  }
}

extension [Gap] {
  /// In the order of the copy; nil if one begins before another ends.
  package var inOrder: [Gap]? {
    let ordered = sorted { $0.range.lowerBound < $1.range.lowerBound }
    let isApart = zip(ordered, ordered.dropFirst()).allSatisfy {
      $0.range.upperBound <= $1.range.lowerBound && $0.range != $1.range
    }
    return isApart ? ordered : nil
  }

  /// The unknown bytes of the medium, for gaps in order.
  package var unknownRanges: [Range<UInt64>] {
    var shift: UInt64 = 0
    return map { gap in
      let start = gap.range.lowerBound &+ shift
      shift &+= UInt64(bitPattern: gap.missingByteCount)
      return start..<start + gap.unknownByteCount
    }
  }
}

extension VolumeSource {
  /// A medium of which there is a copy with gaps: bytes missing from the copy cannot be read.
  ///
  /// - Throws: If the gaps are not in the copy, one after the other.
  public convenience init(
    _ name: String, _ copy: any BlockSource, with gaps: [Gap]
  ) throws(BlockIOError) {
    guard let gaps = gaps.inOrder else {
      throw BlockIOError(name, .open, .refused("its gaps overlap"))
    }
    var segments: [VolumeMap.Segment] = []
    var end: UInt64 = 0
    func append(_ byteCount: UInt64, _ place: ExtentPlace) throws(BlockIOError) {
      if byteCount == 0 { return }
      let (next, overflow) = end.addingReportingOverflow(byteCount)
      guard !overflow, next <= Int64.max else {
        throw BlockIOError(name, .open, .beyondEnd(byteCount: UInt64(Int64.max)))
      }
      segments.append(VolumeMap.Segment(end..<next, .place(place)))
      end = next
    }
    var position: UInt64 = 0
    for gap in gaps {
      guard gap.range.upperBound <= copy.byteCount else {
        throw BlockIOError(
          name, .open, .beyondEnd(byteCount: copy.byteCount), at: gap.range)
      }
      try append(gap.range.lowerBound - position, .device(0, byteOffset: position))
      try append(gap.unknownByteCount, .missing("a part of the medium"))
      position = gap.range.upperBound
    }
    try append(copy.byteCount - position, .device(0, byteOffset: position))
    self.init(name, VolumeMap(segments), of: [copy])
  }
}
