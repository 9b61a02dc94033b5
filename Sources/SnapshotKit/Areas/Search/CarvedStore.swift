public import BlockIO
public import SnapshotFormat

/// A COW store found in an image by its structure.
public struct CarvedStore: Equatable, Sendable {
  /// The remains of the header.
  public enum Header: String, Sendable {
    /// It agrees with the areas, or there are no exceptions to contradict it.
    case intact
    /// A part of it is left: only the magic, or everything but the magic.
    case damaged
    /// Nothing of it is left.
    case lost
  }

  /// Where the store begins, in bytes of the image.
  public internal(set) var byteOffset: UInt64
  /// The chunk size that header and areas agree on.
  public internal(set) var chunkSize: ChunkSize
  /// The remains of the header.
  public internal(set) var header: Header
  /// The number of exceptions in the areas, from the first area found to the table's end.
  public internal(set) var exceptionCount: UInt64
  /// The number of these with the next new chunk in Linux's order.
  public internal(set) var inOrderCount: UInt64
  /// The first area that holds exceptions; 0 unless the areas before it are lost, or there are
  /// none.
  public internal(set) var firstArea: AreaIndex
  /// The number of areas that hold those exceptions.
  public internal(set) var areaCount: UInt64
  /// The number of damaged or missing areas between the first and the last.
  public internal(set) var damagedAreaCount: UInt64
  /// The minimum size of the store: up to the last chunk that is known to belong to it, in bytes
  /// from its beginning.
  public internal(set) var chainByteCount: UInt64
  /// The file system of the image in which it was found.
  public internal(set) var surroundings: Surroundings?
  /// Whether it is a file in fragments: areas of it are elsewhere in that file system.
  public internal(set) var isInFragments = false
  /// Gaps of the image: bytes of the store that it lost, or has too many, in bytes from its
  /// beginning.
  public internal(set) var gaps: [Gap] = []
  /// The number of exceptions of older tables in areas after the table's end.
  public internal(set) var staleExceptionCount: UInt64 = 0

  /// Sets the file system that the store is in.
  ///
  /// An apparent gap is then the end of a fragment, followed by another file's data.
  mutating func place(in surroundings: Surroundings?) {
    guard let surroundings else { return }
    self.surroundings = surroundings
    isInFragments = !gaps.isEmpty
    gaps = []
  }

  /// The number of independent facts that support the store: each exception in order is one, an
  /// intact header counts 16 and a damaged one 8.
  public var factCount: UInt64 {
    let headerCount: UInt64 =
      switch header {
      case .intact: 16
      case .damaged: 8
      case .lost: 0
      }
    return inOrderCount + headerCount
  }

  /// The confidence: 1 - 1 / (1 + n) for n facts, rounded down to thousandths.
  public var confidence: Double {
    (1000 * Double(factCount) / Double(factCount + 1)).rounded(.down) / 1000
  }
}

/// A store that begins before the image.
public struct BeheadedStore: Equatable, Sendable {
  /// The first area found, in bytes of the image.
  public internal(set) var areaByteOffset: UInt64
  /// The number of bytes of the store before the image.
  public internal(set) var missingByteCount: UInt64
  /// The chunk size that its areas have.
  public internal(set) var chunkSize: ChunkSize
  /// The number of exceptions in these areas.
  public internal(set) var exceptionCount: UInt64
}
