/// Something that is wrong, or worth knowing, in the evidence: a value, never thrown.
public struct Finding: Equatable, Sendable {
  /// What kind of finding; the catalogue has its severity and meaning.
  public var code: FindingCode
  /// Where the first of its kind is.
  public var place: Place
  /// What stands there.
  public var found: String
  /// What would have to stand there.
  public var required: String
  /// How many there are of the kind.
  public var count: UInt64 = 1
  /// The byte ranges of all of them in the store, ascending in table order, touching ones as one.
  public var ranges: [Range<UInt64>] = []
  /// Whether there were more ranges than ``Tally/rangeCountMax``.
  public var hasMoreRanges = false

  /// Where in a store a finding is; what does not apply is nil.
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

    public init(
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

  /// How bad it is.
  public var severity: Severity { code.entry.severity }
}

/// How bad a finding is for the user's data.
public enum Severity: String, CaseIterable, Comparable, Sendable {
  /// Worth knowing; nothing is wrong.
  case note
  /// Something may be wrong, or will be.
  case warning
  /// Data is lost, in doubt, or out of Linux's reach.
  case damage

  public static func < (left: Severity, right: Severity) -> Bool {
    left.rank < right.rank
  }

  private var rank: Int {
    switch self {
    case .note: 0
    case .warning: 1
    case .damage: 2
    }
  }
}

/// Findings of one kind, counted: thousands of them are one finding with ranges.
struct Tally {
  /// How many ranges are kept.
  static let rangeCountMax = 256

  private(set) var finding: Finding

  /// The first of its kind.
  init(_ finding: Finding) {
    self.finding = finding
    self.finding.ranges = finding.place.bytes.map { [$0] } ?? []
  }

  /// Says how many there are, where not each has a range.
  mutating func setCount(_ count: UInt64) { finding.count = count }

  /// Counts more at those bytes.
  mutating func add(_ bytes: Range<UInt64>, count: UInt64 = 1) {
    finding.count += count
    if let last = finding.ranges.last, last.upperBound == bytes.lowerBound {
      finding.ranges[finding.ranges.count - 1] = last.lowerBound..<bytes.upperBound
    } else if finding.ranges.count < Self.rangeCountMax {
      finding.ranges.append(bytes)
    } else {
      finding.hasMoreRanges = true
    }
  }
}
