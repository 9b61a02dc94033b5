/// The evidence used for the places of orphans, and the siblings used.
public struct Placing: Sendable {
  /// The placements in use.
  public var level: PlacementLevel
  /// Other snapshots of the same origin.
  public var siblings: [Sibling]

  /// Uses placements of that level, with those siblings.
  public init(_ level: PlacementLevel = .proven, siblings: [Sibling] = []) {
    self.level = level
    self.siblings = siblings
  }

  /// Nothing is placed.
  public static let none = Placing(.none)
}
