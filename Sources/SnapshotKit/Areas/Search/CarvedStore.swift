public import BlockIO
public import SnapshotFormat

/// A COW store that was found in an image by what it looks like.
public struct CarvedStore: Equatable, Sendable {
  /// What is left of the header.
  public enum Header: String, Sendable {
    /// It says what the areas say, or there are no exceptions to say otherwise.
    case intact
    /// A part of it is there: the magic alone, or all but the magic.
    case damaged
    /// Nothing of it is there.
    case lost
  }

  /// Where the store begins, in bytes of the image.
  public internal(set) var byteOffset: UInt64
  /// The chunk size that header and areas agree on.
  public internal(set) var chunkSize: ChunkSize
  /// What is left of the header.
  public internal(set) var header: Header
  /// How many exceptions the areas hold, from the first that is there up to the table's end.
  public internal(set) var exceptionCount: UInt64
  /// How many of these have the new chunk that Linux hands out next.
  public internal(set) var inOrderCount: UInt64
  /// The first area that holds exceptions; 0 unless the areas before it are lost, or nothing is
  /// left.
  public internal(set) var firstArea: AreaIndex
  /// How many areas hold those exceptions.
  public internal(set) var areaCount: UInt64
  /// How many areas between the first and the last are damaged or missing.
  public internal(set) var damagedAreaCount: UInt64
  /// How much of the image the store takes up at the least: up to the last chunk that is known to
  /// belong to it, in bytes from its beginning.
  public internal(set) var chainByteCount: UInt64
  /// The file system of the image in which it was found.
  public internal(set) var surroundings: Surroundings?
  /// Whether it is a file in fragments: areas of it stand elsewhere in that file system.
  public internal(set) var isInFragments = false
  /// Where the image lost bytes of the store, or has some too many, in bytes from its beginning.
  public internal(set) var gaps: [Gap] = []
  /// How many exceptions of older tables stand in areas behind the table's end.
  public internal(set) var staleExceptionCount: UInt64 = 0

  /// Says in which file system the store lies.
  ///
  /// What seemed to be lost bytes is where one fragment ends, and what follows is another file's.
  mutating func place(in surroundings: Surroundings?) {
    guard let surroundings else { return }
    self.surroundings = surroundings
    isInFragments = !gaps.isEmpty
    gaps = []
  }

  /// How many independent facts speak for the store: each exception in order is one, an intact
  /// header counts for 16 and a damaged one for 8.
  public var factCount: UInt64 {
    let headerCount: UInt64 =
      switch header {
      case .intact: 16
      case .damaged: 8
      case .lost: 0
      }
    return inOrderCount + headerCount
  }

  /// How sure it is that this is a store: 1 - 1 / (1 + n) for n facts, rounded down to thousandths.
  public var confidence: Double {
    (1000 * Double(factCount) / Double(factCount + 1)).rounded(.down) / 1000
  }
}

/// A store of which the image holds only what lies behind its beginning.
public struct BeheadedStore: Equatable, Sendable {
  /// The first area that was found, in bytes of the image.
  public internal(set) var areaByteOffset: UInt64
  /// How many bytes of the store lie before the image.
  public internal(set) var missingByteCount: UInt64
  /// The chunk size that its areas have.
  public internal(set) var chunkSize: ChunkSize
  /// How many exceptions these areas hold.
  public internal(set) var exceptionCount: UInt64
}
