internal import BlockIO

/// A gap in a copy of a store: how many bytes are missing somewhere in a range of the copy;
/// negative if there are too many.
struct GapReport: Encodable {
  let byteOffset: UInt64
  let byteCount: UInt64
  let missingByteCount: Int64

  init(_ gap: Gap) {
    byteOffset = gap.range.lowerBound
    byteCount = gap.range.upperBound - gap.range.lowerBound
    missingByteCount = gap.missingByteCount
  }
}
