/// What bytes read as that the snapshot had and that are lost: unreadable, or named by nothing.
package enum LossPolicy: String, CaseIterable, Codable, Sendable {
  /// Nothing: reading them fails, so that no copy of them lies.
  case error
  /// Zeroes.
  case zero
  /// What the origin has there now.
  case origin
  /// A text that nobody takes for data, again and again.
  case pattern

  /// The text: sixteen bytes, from each multiple of sixteen on.
  package static let patternBytes = Array("LOST BY DMSNAP.\n".utf8)
}
