/// Consecutive orphans whose place was found.
public struct Placement: Equatable, Sendable {
  /// The first chunk of the origin.
  public var old: UInt64
  /// The first chunk of the store.
  public let new: UInt64
  /// The number of chunks.
  public var count: UInt64
  /// How far to trust it.
  public let strength: Evidence.Strength
  /// The kinds of evidence for it, in alphabetical order.
  public let evidence: [Evidence.Kind]

  /// The exceptions that were lost, as one run.
  var run: ExceptionRun { ExceptionRun(old: old, new: new, count: count) }
}

/// A level of placement.
public enum PlacementLevel: String, CaseIterable, Sendable {
  /// None: orphans are left out.
  case none
  /// The proven placements.
  case proven
  /// The likely placements as well.
  case likely

  /// Whether a placement of that strength is used.
  public func uses(_ strength: Evidence.Strength) -> Bool {
    switch self {
    case .none: false
    case .proven: strength == .proven
    case .likely: true
    }
  }
}
