/// `audit --format json`: every finding.
///
///     {"schema": "dmsnap.audit.v1", "verdict": "damaged", "findings": [
///       {"code": "header.invalid", "severity": "damage",
///        "place": {"area", "slot", "byteOffset", "byteCount", "oldChunk", "newChunk"},
///        "found": "valid 0", "required": "1", "count": 1,
///        "ranges": [{"byteOffset": 4, "byteCount": 4}], "hasMoreRanges": false}]}
///
/// Values that do not apply in a place are null. `ranges` are bytes of the store, at most 256.
public struct AuditReport: Encodable, Sendable {
  let schema = "dmsnap.audit.v1"
  let verdict: String
  let findings: [Entry]

  struct Entry: Encodable {
    let code: String
    let severity: String
    let place: Place
    let found: String
    let required: String
    let count: UInt64
    let ranges: [ByteRangeReport]
    let hasMoreRanges: Bool
  }

  struct Place: Encodable {
    @Nullable var area: UInt64?
    @Nullable var slot: Int?
    @Nullable var byteOffset: UInt64?
    @Nullable var byteCount: UInt64?
    @Nullable var oldChunk: UInt64?
    @Nullable var newChunk: UInt64?
  }

  /// The report of an audit.
  public init(_ audit: Audit) {
    verdict = audit.verdict.rawValue
    findings = audit.findings.map { finding in
      Entry(
        code: finding.code.rawValue, severity: finding.severity.rawValue,
        place: Place(
          area: finding.place.area, slot: finding.place.slot,
          byteOffset: finding.place.bytes?.lowerBound,
          byteCount: finding.place.bytes.map { UInt64($0.count) },
          oldChunk: finding.place.oldChunk, newChunk: finding.place.newChunk),
        found: finding.found, required: finding.required, count: finding.count,
        ranges: finding.ranges.map { ByteRangeReport($0) }, hasMoreRanges: finding.hasMoreRanges)
    }
  }
}

/// A range of bytes.
struct ByteRangeReport: Encodable {
  let byteOffset: UInt64
  let byteCount: UInt64

  init(_ range: Range<UInt64>) {
    byteOffset = range.lowerBound
    byteCount = range.upperBound - range.lowerBound  // not `count`, which may not fit an Int
  }
}
