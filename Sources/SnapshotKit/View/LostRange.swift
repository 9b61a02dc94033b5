/// A range of the origin, or of the snapshot, whose content is lost, and why.
public struct LostRange: Equatable, Sendable {
  /// A reason for a loss.
  public enum Reason: String, Sendable {
    /// The medium of the origin failed.
    case originUnreadable = "origin-unreadable"
    /// The medium of the store failed.
    case storeUnreadable = "store-unreadable"
    /// The exception points past the end of the store.
    case beyondStore = "beyond-store"
    /// The copy of the store lost bytes, which may be those before or those after.
    case lostInCopy = "lost-in-copy"
    /// The exception is damaged, so the place of its data is unknown.
    case exceptionDamaged = "exception-damaged"
    /// The exception is gone; those before and after it show which chunk it was for.
    case exceptionLost = "exception-lost"
    /// The device that the volume is on failed, or is missing.
    case volumeUnreadable = "volume-unreadable"
    /// A newer generation put its own data over it.
    case overwritten
  }

  /// The bytes.
  public var range: Range<UInt64>
  /// The reason for the loss.
  public var reason: Reason

  /// A lost range.
  public init(_ range: Range<UInt64>, _ reason: Reason) {
    self.range = range
    self.reason = reason
  }
}

extension LostRange: CustomStringConvertible {
  public var description: String {
    let why =
      switch reason {
      case .originUnreadable: "the origin cannot be read there (zeroes in an image)"
      case .storeUnreadable: "the store cannot be read where it has them (zeroes in an image)"
      case .beyondStore: "their exception points past the end of the store"
      case .lostInCopy:
        "the copy of the store lost bytes near their data (the origin shows through)"
      case .exceptionDamaged: "their exception is damaged (the origin shows through)"
      case .exceptionLost: "their exception is gone (the origin shows through)"
      case .volumeUnreadable: "what the volume is on cannot be read (zeroes in the image)"
      case .overwritten: "a newer table has used their place (the origin shows through)"
      }
    let count = range.upperBound - range.lowerBound  // not `count`, which may not fit an Int
    return "\(count) byte\(count == 1 ? "" : "s") at byte \(range.lowerBound)"
      + " \(count == 1 ? "is" : "are") lost: \(why)"
  }
}

extension [LostRange] {
  /// The ranges of both, ascending.
  public func merged(with others: [LostRange]) -> [LostRange] {
    (self + others).sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// Appends a range, merged with the last if it continues it for the same reason.
  mutating func append(merging lost: LostRange) {
    if let last, last.reason == lost.reason, last.range.upperBound == lost.range.lowerBound {
      self[count - 1].range = last.range.lowerBound..<lost.range.upperBound
    } else {
      append(lost)
    }
  }
}
