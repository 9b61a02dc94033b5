internal import BlockIO
package import SnapshotFormat

/// Linux's handling of a store when a snapshot is activated with it.
///
/// Measured with Linux 6.1 and 6.12, which agree on all of this. The chunk size of the table line,
/// which a store does not record, is assumed to be the header's; if a header is refused or replaced
/// that does not matter.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `read_header`, `persistent_read_metadata`,
///   `persistent_usage`; `drivers/md/dm-snap.c`, `snapshot_status`.
public struct KernelLoad: Sendable {
  /// Linux's verdict on a store.
  public enum Verdict: String, Sendable {
    /// The snapshot works, and maps its table.
    case loads
    /// The snapshot is active, and every read and write of it fails.
    case invalid
    /// `dmsetup create` fails.
    case refuses
    /// The magic is zero: activation writes a new header and clears area 0.
    case new
  }

  /// Linux's verdict.
  public let verdict: Verdict
  /// The reason, with the kernel's message, if there is one.
  public let reason: String
  /// The text that `dmsetup status` prints after the target's name; nil if it cannot be known.
  public let status: String?
  /// The extent of the table, if Linux reads it or would but for the flag.
  public let extent: TableSummary?

  /// Judges a store, and walks its table once if it has a geometry.
  ///
  /// - Parameters:
  ///   - reading: Which kernel; it matters only if a table would crash it.
  ///   - visit: Called with each piece of the table during that walk.
  package init<Failure: Error>(
    _ store: Store, reading: Reading = .kernel,
    visit: (StoreScanner.Piece, Span<DiskException>) throws(Failure) -> Void
  ) throws(Failure) {
    var extent: TableSummary?
    if let geometry = store.geometry, store.header?.hasMagic == true {
      extent = try StoreScanner(store.areas, geometry).scan(visit)
    }
    self.extent = extent
    (verdict, reason, status) = Self.judge(store, extent, reading)
  }

  /// Judges a store.
  public init(_ store: Store, reading: Reading = .kernel) {
    self.init(store, reading: reading) { _, _ in }
  }

  /// The used fraction of the store, by the status; nil if there is no status, or if a wild new
  /// chunk makes it more than all.
  public var fill: Double? {
    guard let parts = status?.split(whereSeparator: { $0 == "/" || $0 == " " }), parts.count == 3,
      let allocated = UInt64(parts[0]), let total = UInt64(parts[1]), total >= allocated, total > 0
    else { return nil }
    return Double(allocated) / Double(total)
  }

  private static func judge(
    _ store: Store, _ extent: TableSummary?, _ reading: Reading
  ) -> (Verdict, reason: String, status: String?) {
    guard let header = store.header else {
      return (.refuses, Self.unreadable("the header cannot be read"), nil)
    }
    if header.magic == 0 {
      let reason = "the magic is zero: activation would write a header and erase area 0"
      // The table line determines the new store's chunk size; only a header whose magic was erased
      // lets us know it.
      let status =
        header.isErased ? store.geometry.map { Self.status(of: TableSummary.empty, in: $0) } : nil
      return (.new, reason, status)
    }
    guard header.hasMagic else { return (.refuses, "Invalid or corrupt snapshot", nil) }
    guard let geometry = store.geometry, let extent else {
      return (.refuses, chunkSizeReason(header.chunkSectors), nil)
    }
    guard geometry.wholeChunkCount >= 1 else {
      return (.refuses, Self.unreadable("the store is shorter than its header chunk"), nil)
    }
    guard header.version == SnapshotHeader.supportedVersion else {
      return (
        .refuses, "unable to handle snapshot disk version \(Int32(bitPattern: header.version))", nil
      )
    }
    guard header.valid != 0 else {
      return (.invalid, "Snapshot is marked invalid", "Invalid")
    }
    switch extent.end {
    case .beyondEnd(let area):
      return (.refuses, Self.unreadable("area \(area.index) is past the store's end"), nil)
    case .unreadable(let area, _):
      return (.refuses, Self.unreadable("area \(area.index) cannot be read"), nil)
    case .terminator:
      if extent.hasTopBytes, let crash = crashReason(store, geometry, extent, reading) {
        return (.refuses, crash, nil)
      }
      return (.loads, "the table is read to its end", status(of: extent, in: geometry))
    }
  }

  private static func unreadable(_ what: String) -> String {
    "Failed to read snapshot metadata (-EIO): \(what)"
  }

  /// The reason why a table with top bytes would crash Linux; nil if it would not.
  private static func crashReason(
    _ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary, _ reading: Reading
  ) -> String? {
    do throws(TableError) {
      _ = try ExceptionTable(store, geometry, extent, reading: reading)
      return nil
    } catch {
      switch error {
      case .kernelCrash, .tooManyDuplicates: return error.description
      case .unreadable, .changed: return nil  // the next read of the table will report it
      }
    }
  }

  /// The numbers of `dmsetup status`, in 64-bit arithmetic that wraps around as the kernel's does.
  private static func status(of extent: TableSummary, in geometry: StoreGeometry) -> String {
    let chunkSectors = UInt64(geometry.chunkSize.sectorCount)
    var nextFree = extent.nextFree
    if geometry.isMetadata(nextFree) { nextFree.index &+= 1 }
    let metadataChunkCount = extent.areaCount + StoreGeometry.headerChunkCount
    return "\(nextFree.index &* chunkSectors)/\(geometry.sectorCount)"
      + " \(metadataChunkCount * chunkSectors)"
  }

  private static func chunkSizeReason(_ sectorCount: UInt32) -> String {
    do throws(ChunkSizeError) {
      _ = try ChunkSize(sectorCount: sectorCount)
      return "invalid on-disk chunk size \(sectorCount)"
    } catch {
      return "invalid on-disk chunk size \(sectorCount): \(error)"
    }
  }
}
