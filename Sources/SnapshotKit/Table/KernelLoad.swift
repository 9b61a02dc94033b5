internal import BlockIO
public import SnapshotFormat

/// What Linux does with a store when a snapshot is activated with it.
///
/// Measured against Linux 6.1 and 6.12, which agree on all of this. The table line's chunk size,
/// which a store does not tell, is taken to be the header's; where a header is refused or
/// replaced that does not matter.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `read_header`, `persistent_read_metadata`,
///   `persistent_usage`; `drivers/md/dm-snap.c`, `snapshot_status`.
public struct KernelLoad: Sendable {
  public enum Verdict: String, Sendable {
    /// The snapshot works, and maps what its table says.
    case loads
    /// The snapshot is there, and every read and write of it fails.
    case invalid
    /// `dmsetup create` fails.
    case refuses
    /// The magic is zero: activation writes a new header and clears area 0.
    case new
  }

  public let verdict: Verdict
  /// Why, in words that quote the kernel's message where there is one.
  public let reason: String
  /// What `dmsetup status` prints after the target's name, or nil where it cannot be known.
  public let status: String?
  /// How far the table reaches, where Linux reads it or would if the flag did not forbid it.
  public let extent: TableSummary?

  /// Judges a store, and walks its table once if it has a geometry.
  ///
  /// - Parameters:
  ///   - reading: The kernel that is asked; it matters only where a table would crash it.
  ///   - visit: Called with each piece of the table during that walk.
  public init<Failure: Error>(
    _ store: Store, reading: Reading = .kernel,
    visit: (StoreScanner.Piece, Span<DiskException>) throws(Failure) -> Void
  ) throws(Failure) {
    var extent: TableSummary?
    if let geometry = store.geometry, store.header?.hasMagic == true {
      extent = try StoreScanner(store.source, geometry).scan(visit)
    }
    self.extent = extent
    (verdict, reason, status) = Self.judge(store, extent, reading)
  }

  /// Judges a store.
  public init(_ store: Store, reading: Reading = .kernel) {
    self.init(store, reading: reading) { _, _ in }
  }

  /// How much of the store is handed out, as a part of it, by the status; nil where that does not
  /// say, or a wild new chunk makes it more than all.
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
      // How large the chunks of the new store are is the table line's to say; only a header whose
      // magic was erased lets us know.
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
      return (.refuses, Self.unreadable("area \(area.index) lies beyond the store's end"), nil)
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

  /// Why Linux would not survive a table with top bytes, or nil if it would.
  private static func crashReason(
    _ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary, _ reading: Reading
  ) -> String? {
    do throws(TableError) {
      _ = try ExceptionTable(store, geometry, extent, reading: reading)
      return nil
    } catch {
      switch error {
      case .kernelCrash, .tooManyDuplicates: return error.description
      case .unreadable, .changed: return nil  // whoever reads the table next will say so
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
