/// The reading of lost bytes of the snapshot: those that are unreadable, or without an exception.
package enum LossPolicy: String, CaseIterable, Codable, Sendable {
  /// An error: reading them fails, so that no copy looks intact.
  case error
  /// Zeroes.
  case zero
  /// The origin's current bytes.
  case origin
  /// A recognisable text, repeated.
  case pattern

  /// The text: sixteen bytes, from each multiple of sixteen on.
  package static let patternBytes = Array("LOST BY DMSNAP.\n".utf8)
}
