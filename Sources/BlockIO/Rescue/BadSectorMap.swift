/// The bytes of a file or device that could not be read, by a mapfile of GNU ddrescue.
///
/// Only bytes that the mapfile calls finished were read. All others are unreadable: those that
/// failed, those not tried yet, and those before its first block or after its last.
public struct BadSectorMap: Equatable, Sendable {
  /// The ranges that were read, in bytes: ascending, none empty, none touching another.
  let readable: [Range<UInt64>]

  /// The first unreadable bytes of `range`, up to the next readable one; nil if all of it was read.
  package func firstUnreadableRange(in range: Range<UInt64>) -> Range<UInt64>? {
    var start = range.lowerBound
    var next = readable.indexOfFirst(endingAfter: start)
    if next < readable.count, readable[next].lowerBound <= start {
      start = readable[next].upperBound
      next += 1
    }
    guard start < range.upperBound else { return nil }
    guard next < readable.count else { return start..<range.upperBound }
    return start..<min(readable[next].lowerBound, range.upperBound)
  }

  /// The unreadable bytes of `range`, ascending, in as few ranges as possible.
  public func unreadableRanges(in range: Range<UInt64>) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    var rest = range
    while let unreadable = firstUnreadableRange(in: rest) {
      ranges.append(unreadable)
      rest = unreadable.upperBound..<range.upperBound
    }
    return ranges
  }
}

/// The place where a mapfile is invalid, and the reason.
public struct BadSectorMapError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line, from 1.
  public let line: Int
  /// The place in the line, in bytes, from 1.
  public let column: Int
  /// The text found there, described or in quotation marks.
  public let found: String
  /// The requirement at that place.
  public let required: String

  public var description: String {
    "line \(line), column \(column): found \(found), but \(required) is required"
  }
}
