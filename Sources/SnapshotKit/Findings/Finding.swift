/// Something that is wrong, or worth knowing, in the evidence: a value, never thrown.
public struct Finding: Equatable, Sendable {
  /// The kind of finding; the catalogue has its severity and meaning.
  public var code: FindingCode
  /// Where the first of its kind is.
  public var place: Place
  /// The value found there.
  public var found: String
  /// The value required there.
  public var required: String
  /// The number of findings of the kind.
  public var count: UInt64 = 1
  /// The byte ranges of all of them in the store, ascending in table order, touching ones as one.
  public var ranges: [Range<UInt64>] = []
  /// Whether there were more ranges than are kept.
  public var hasMoreRanges = false

  /// The place of a finding in a store; values that do not apply are nil.
  public struct Place: Equatable, Sendable {
    /// The metadata area.
    public var area: UInt64?
    /// The slot in the area, from 0.
    public var slot: Int?
    /// The bytes of the store.
    public var bytes: Range<UInt64>?
    /// The exception's chunk of the origin.
    public var oldChunk: UInt64?
    /// The exception's chunk of the store.
    public var newChunk: UInt64?

    /// A place; leave out values that do not apply.
    package init(
      area: UInt64? = nil, slot: Int? = nil, bytes: Range<UInt64>? = nil,
      oldChunk: UInt64? = nil, newChunk: UInt64? = nil
    ) {
      self.area = area
      self.slot = slot
      self.bytes = bytes
      self.oldChunk = oldChunk
      self.newChunk = newChunk
    }
  }

  /// Its severity for the user's data.
  public var severity: Severity { code.entry.severity }
}
