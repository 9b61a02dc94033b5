/// Bytes that a copy of a medium lost, or has too many: everything behind them lies elsewhere.
///
/// `dd conv=noerror` without `sync` leaves out what it cannot read, and an interrupted copy that
/// was resumed at the wrong place repeats bytes, or skips some.
///
/// As text, `AT:BYTES`, or `FROM-TO:BYTES` where the place is known to lie somewhere in that range.
/// A negative number says how many bytes are too many.
public struct Gap: Hashable, Sendable {
  /// The bytes of the copy that are not to be relied on.
  ///
  /// The place of the loss lies among them, or they are too many. None, where the place is known.
  public let range: Range<UInt64>
  /// How many bytes the medium has more than the copy; negative where it has fewer.
  public let missingByteCount: Int64

  /// How many bytes of the medium nobody knows: those that stand where `range` and the loss are.
  public let unknownByteCount: UInt64

  /// The gap somewhere in a range of the copy.
  ///
  /// - Returns: nil where so few bytes cannot be that many too many, and for numbers that no file
  ///   has.
  public init?(in range: Range<UInt64>, missing: Int64) {
    guard range.upperBound <= Int64.max else { return nil }
    let (count, overflow) = Int64(range.upperBound - range.lowerBound)
      .addingReportingOverflow(missing)
    guard !overflow, count >= 0, missing != 0 else { return nil }
    self.range = range
    missingByteCount = missing
    unknownByteCount = UInt64(count)
  }

  /// The gap at a byte of the copy, or before it.
  public init?(at byteOffset: UInt64, missing: Int64) {
    let (end, overflow) = byteOffset.addingReportingOverflow(missing < 0 ? missing.magnitude : 0)
    guard !overflow else { return nil }
    self.init(in: byteOffset..<end, missing: missing)
  }

  /// The same in a copy that begins, or is named from, so many bytes further ahead.
  public func moved(by byteCount: Int64) -> Gap? {
    let (start, end) = (Int64(range.lowerBound), Int64(range.upperBound))
    let (newStart, overflow) = start.addingReportingOverflow(byteCount)
    let (newEnd, carry) = end.addingReportingOverflow(byteCount)
    guard !overflow, !carry, newStart >= 0 else { return nil }
    return Gap(in: UInt64(newStart)..<UInt64(newEnd), missing: missingByteCount)
  }
}

extension Gap: CustomStringConvertible {
  /// What stands behind `gap=`.
  public var description: String {
    let isExact = UInt64(max(-missingByteCount, 0)) == range.upperBound - range.lowerBound
    let place = isExact ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    return "\(place):\(missingByteCount)"
  }

  /// Reads what stands behind `gap=`.
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
  /// In the order of the copy; nil where one begins before the other ends.
  public var inOrder: [Gap]? {
    let ordered = sorted { $0.range.lowerBound < $1.range.lowerBound }
    let isApart = zip(ordered, ordered.dropFirst()).allSatisfy {
      $0.range.upperBound <= $1.range.lowerBound && $0.range != $1.range
    }
    return isApart ? ordered : nil
  }

  /// The bytes of the medium that nobody knows, by gaps in order.
  public var unknownRanges: [Range<UInt64>] {
    var shift: UInt64 = 0
    return map { gap in
      let start = gap.range.lowerBound &+ shift
      shift &+= UInt64(bitPattern: gap.missingByteCount)
      return start..<start + gap.unknownByteCount
    }
  }
}

extension VolumeSource {
  /// A medium of which there is a copy with gaps: what the copy does not tell cannot be read.
  ///
  /// - Throws: When the gaps do not lie in the copy, one behind the other.
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
