/// A transaction of a log: the joined data of its operations.
///
/// After a header of sixteen bytes it is regions. Each item is several of them; the first gives
/// their number. A region may be cut anywhere, to end in a later record. Logged data has the byte
/// order of the machine; only little-endian ones are supported here.
///
/// - Source: Linux `fs/xfs/xfs_log_recover.c`, `xlog_recover_add_to_trans`,
///   `xlog_recover_add_to_cont_trans`; `libxfs/xfs_log_format.h`, `struct xfs_trans_header`.
package struct XFSLogTransaction: Equatable, Sendable {
  /// An item: a change of something.
  package struct Item: Equatable, Sendable {
    /// The kind of change, see ``XFSLogItem``.
    package let type: UInt16
    /// Its regions in ``XFSLogTransaction/bytes``, at least one.
    package let regions: ArraySlice<Range<Int>>
  }

  /// When it began: a cycle of the log and a sector.
  package let lsn: UInt64
  /// The bytes of all regions.
  package private(set) var bytes: [UInt8] = []
  private var regions: [Range<Int>] = []
  private var headerByteCount = 0

  private static let headerByteCountMax = 16
  private static let regionCountMax = 257

  /// An empty one.
  package init(lsn: UInt64) { self.lsn = lsn }

  /// Adds a region, or the header; returns false if that is impossible.
  package mutating func add(region: Span<UInt8>) -> Bool {
    if region.isEmpty { return true }
    if headerByteCount == 0 {
      guard 4...Self.headerByteCountMax ~= region.count,
        region.little(at: 0, as: UInt32.self) == 0x5452_414e
      else { return false }
      headerByteCount = region.count
      return true
    }
    // The size of an item is in its first four bytes, which are never cut.
    guard headerByteCount == Self.headerByteCountMax else { return false }
    let start = bytes.count
    append(region)
    regions.append(start..<bytes.count)
    return true
  }

  /// Adds the rest of the last region, or of the header; returns false if that is impossible.
  package mutating func add(rest: Span<UInt8>) -> Bool {
    if headerByteCount < Self.headerByteCountMax {
      headerByteCount += rest.count
      return headerByteCount <= Self.headerByteCountMax
    }
    guard let last = regions.popLast() else { return false }
    append(rest)
    regions.append(last.lowerBound..<bytes.count)
    return true
  }

  private mutating func append(_ span: Span<UInt8>) {
    for index in span.indices { bytes.append(span[index]) }
  }

  /// Its items, in the order in which they were logged; nil if regions are missing.
  package func items() -> [Item]? {
    var (found, index) = ([Item](), 0)
    while index < regions.count {
      let first = bytes.span.extracting(regions[index])
      guard first.count >= 4 else { return nil }
      let count = Int(first.little(at: 2, as: UInt16.self))
      guard 1...Self.regionCountMax ~= count, count <= regions.count - index else { return nil }
      found.append(
        Item(type: first.little(at: 0), regions: regions[index..<index + count]))
      index += count
    }
    return found
  }
}
