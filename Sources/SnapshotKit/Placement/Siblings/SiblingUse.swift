/// The use made of a sibling as a witness.
public struct SiblingUse: Equatable, Sendable {
  /// Its store's name.
  public let name: String
  /// Whether it was used.
  public let verdict: Verdict

  /// Whether a sibling was used, and why not.
  public enum Verdict: String, Sendable {
    /// Both stores have a common order, with the same content.
    case used
    /// Its chunks have another size: nothing can be compared.
    case otherChunkSize = "other-chunk-size"
    /// Nothing was copied for both in one order.
    case noCommonOrder = "no-common-order"
    /// Chunks that both copied differ: it is no snapshot of this origin, or was written through.
    case otherContent = "other-content"

    /// The reason why it was not used; nil if it was.
    public var problem: String? {
      switch self {
      case .used: nil
      case .otherChunkSize: "its chunks have another size"
      case .noCommonOrder: "no run of copies is common to both snapshots"
      case .otherContent:
        "their common copies differ: it is not a snapshot of this origin, or was written through"
      }
    }
  }
}
