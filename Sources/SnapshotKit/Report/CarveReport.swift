internal import SnapshotFormat

/// `carve --format json`: the stores that an image holds.
///
///     {"schema": "dmsnap.carve.v1", "image": {"path", "byteCount"},
///      "stores": [{"byteOffset", "chunkSectors", "exceptionCount",
///                  "header": "intact" | "damaged" | "lost", "confidence",
///                  "inOrderCount", "firstArea", "areaCount", "damagedAreaCount",
///                  "chainByteCount", "staleExceptionCount",
///                  "filesystem": {"type", "byteOffset"} | null,
///                  "gaps": [{"byteOffset", "byteCount", "missingByteCount"}]}],
///      "beheaded": [{"areaByteOffset", "missingByteCount", "chunkSectors", "exceptionCount"}],
///      "container": {"type", "advice"} | null,
///      "unreadable": [{"byteOffset", "byteCount"}]}
///
/// Offsets are bytes of the named image. `confidence` is that of ``CarvedStore``.
public struct CarveReport: Encodable, Sendable {
  let schema = "dmsnap.carve.v1"
  let image: InspectReport.Place
  let stores: [Entry]
  let beheaded: [BeheadedEntry]
  @Nullable var container: ContainerReport?
  let unreadable: [ByteRangeReport]

  struct Entry: Encodable {
    let byteOffset: UInt64
    let chunkSectors: UInt32
    let exceptionCount: UInt64
    let header: String
    let confidence: Double
    let inOrderCount: UInt64
    let firstArea: UInt64
    let areaCount: UInt64
    let damagedAreaCount: UInt64
    let chainByteCount: UInt64
    let staleExceptionCount: UInt64
    let gaps: [GapReport]
    @Nullable var filesystem: Filesystem?

    init(_ store: CarvedStore) {
      byteOffset = store.byteOffset
      chunkSectors = store.chunkSize.sectorCount
      exceptionCount = store.exceptionCount
      header = store.header.rawValue
      confidence = store.confidence
      inOrderCount = store.inOrderCount
      firstArea = store.firstArea.index
      areaCount = store.areaCount
      damagedAreaCount = store.damagedAreaCount
      chainByteCount = store.chainByteCount
      staleExceptionCount = store.staleExceptionCount
      gaps = store.gaps.map { GapReport($0) }
      filesystem = store.surroundings.map {
        Filesystem(type: $0.type, byteOffset: $0.byteOffset, inFragments: store.isInFragments)
      }
    }
  }

  struct Filesystem: Encodable {
    let type: String
    let byteOffset: UInt64
    let inFragments: Bool
  }

  struct BeheadedEntry: Encodable {
    let areaByteOffset: UInt64
    let missingByteCount: UInt64
    let chunkSectors: UInt32
    let exceptionCount: UInt64

    init(_ store: BeheadedStore) {
      areaByteOffset = store.areaByteOffset
      missingByteCount = store.missingByteCount
      chunkSectors = store.chunkSize.sectorCount
      exceptionCount = store.exceptionCount
    }
  }

  /// The report of a search of an image of that name and length.
  public init(_ carving: Carving, path: String, byteCount: UInt64) {
    image = InspectReport.Place(path: path, byteCount: byteCount)
    stores = carving.stores.map { Entry($0) }
    beheaded = carving.beheaded.map { BeheadedEntry($0) }
    container = carving.container.map { ContainerReport($0) }
    unreadable = carving.unreadable.map { ByteRangeReport($0) }
  }
}
