package import BlockIO
internal import SnapshotFormat

extension Gap {
  /// The gaps of a copy of a store, where bytes are missing or too many, for messages.
  package var words: String {
    let count = "\(missingByteCount.magnitude) bytes"
    let what = missingByteCount > 0 ? "\(count) are missing" : "\(count) are extra"
    return "\(what) \(place)"
  }

  /// The place as text.
  var place: String {
    range.isEmpty
      ? "before byte \(range.lowerBound)"
      : "between byte \(range.lowerBound) and byte \(range.upperBound)"
  }
}

extension [Gap] {
  /// The finding of them; nil if there are none.
  var finding: Finding? {
    guard let first else { return nil }
    var tally = Tally(
      Finding(
        code: .storeShifted, place: Finding.Place(bytes: first.range),
        found: prefix(4).map(\.words).joined(separator: "; ")
          + (count > 4 ? "; and \(count - 4) more" : ""),
        required: "all areas in their places"))
    for gap in dropFirst() { tally.add(gap.range) }
    return tally.finding
  }
}

extension ShiftEvidence {
  /// The finding of exceptions for which nothing confirms the place of the data; nil if there are
  /// none.
  func unconfirmed(_ runs: [ExceptionRun], _ geometry: StoreGeometry) -> Finding? {
    guard let start = unconfirmedStart else { return nil }
    let first = geometry.chunk(containing: start).index
    let count = runs.reduce(UInt64(0)) { count, run in
      count + (run.new + run.count - min(max(run.new, first), run.new + run.count))
    }
    guard count > 0 else { return nil }
    let bytes = start..<max(start, geometry.sectorCount * 512)
    return Finding(
      code: .storeUnconfirmed, place: Finding.Place(bytes: bytes),
      found:
        "\(count) exceptions whose data is past byte \(start), where no area is in its place",
      required: "an area in its place", count: count, ranges: [bytes])
  }
}
