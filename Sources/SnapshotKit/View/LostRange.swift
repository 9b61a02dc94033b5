/// A range of the origin, or of the snapshot, whose content is lost, and why.
public struct LostRange: Equatable, Sendable {
  public enum Reason: String, Sendable {
    /// The medium of the origin failed.
    case originUnreadable = "origin-unreadable"
    /// The medium of the store failed.
    case storeUnreadable = "store-unreadable"
    /// The exception points past the end of the store.
    case beyondStore = "beyond-store"
  }

  public var range: Range<UInt64>
  public var reason: Reason

  public init(_ range: Range<UInt64>, _ reason: Reason) {
    self.range = range
    self.reason = reason
  }
}

extension LostRange: CustomStringConvertible {
  public var description: String {
    let why =
      switch reason {
      case .originUnreadable: "the origin cannot be read there"
      case .storeUnreadable: "the store cannot be read where it has them"
      case .beyondStore: "the exception points past the end of the store"
      }
    return
      "\(range.count) bytes at byte \(range.lowerBound) are lost, and zero in the image: \(why)"
  }
}

extension [LostRange] {
  /// Appends a range, as one with the last if it continues it for the same reason.
  mutating func append(merging lost: LostRange) {
    if let last, last.reason == lost.reason, last.range.upperBound == lost.range.lowerBound {
      self[count - 1].range = last.range.lowerBound..<lost.range.upperBound
    } else {
      append(lost)
    }
  }
}
