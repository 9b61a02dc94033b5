internal import BlockIO

/// Where the content of a file is.
public struct FileMap: Equatable, Sendable {
  /// Its pieces, ascending within the file; the gaps between them are holes.
  public var extents: [FileExtent]
  /// Blocks that hold the map or the attributes, in bytes of the source.
  public var structures: [Range<UInt64>]
  /// Further copies of its data, in bytes of the source: data of btrfs in the profile DUP.
  public var copies: [Range<UInt64>]
  /// Damage met: if there is any, the map is incomplete.
  public var damage: [FileSystemDamage]

  /// A map.
  package init(
    extents: [FileExtent] = [], structures: [Range<UInt64>] = [], copies: [Range<UInt64>] = [],
    damage: [FileSystemDamage] = []
  ) {
    (self.extents, self.structures) = (extents, structures)
    (self.copies, self.damage) = (copies, damage)
  }
}

extension FileMap {
  /// The bytes of the file that are lost if ascending bytes of the source are, including bytes of
  /// unknown place.
  package func lost(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    let unknown = extents.compactMap { $0.place == .lost ? $0.file : nil }
    return (unknown + touched(by: ranges)).union
  }

  /// The bytes of the file that are in ascending ranges of the source.
  package func touched(by ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var touched: [Range<UInt64>] = []
    for extent in extents {
      switch extent.place {
      case .lost, .unwritten, .inline(nil): break
      case .data(let start):
        guard let bytes = extent.sourceRange else { break }
        touched += ranges.parts(in: bytes).map {
          let first = extent.file.lowerBound + ($0.lowerBound - start)
          return first..<first + ($0.upperBound - $0.lowerBound)
        }
      case .inline(let bytes?), .compressed(let bytes, _):
        if ranges.touches(bytes) { touched.append(extent.file) }
      }
    }
    return touched.union
  }
}

extension [FileExtent] {
  /// The first bytes of those that lie on bytes of another, which happens in no directory and no
  /// attributes: reading them block by block would have no end.
  var repetitions: Set<UInt64> {
    let places = compactMap { extent -> (bytes: Range<UInt64>, file: UInt64)? in
      guard case .data = extent.place, let bytes = extent.sourceRange else { return nil }
      return (bytes, extent.file.lowerBound)
    }.sorted { ($0.bytes.lowerBound, $0.file) < ($1.bytes.lowerBound, $1.file) }
    var (end, repetitions) = (UInt64(0), Set<UInt64>())
    for place in places {
      if place.bytes.lowerBound < end {
        repetitions.insert(place.file)
      } else {
        end = place.bytes.upperBound
      }
    }
    return repetitions
  }
}

/// Consecutive bytes of a file.
public struct FileExtent: Equatable, Sendable {
  /// The bytes of the file.
  public let file: Range<UInt64>
  /// Where they are.
  public let place: Place

  /// Where bytes of a file are.
  public enum Place: Equatable, Sendable {
    /// In the source, from that byte on, as they are.
    case data(at: UInt64)
    /// Space that is reserved in the source, from that byte on, and reads as zeroes.
    case unwritten(at: UInt64)
    /// Among the file's metadata, in those bytes of the source if they have a place of their own.
    case inline(Range<UInt64>?)
    /// In those bytes of the source, compressed by that method (`zlib`, `lzo`, `zstd`).
    case compressed(Range<UInt64>, method: String)
    /// At an unknown place: the structure that has the place is damaged.
    case lost
  }

  /// Bytes of a file, and where they are.
  package init(_ file: Range<UInt64>, _ place: Place) { (self.file, self.place) = (file, place) }

  /// The bytes of the source that it takes, whether they hold its content as it is or not.
  public var sourceRange: Range<UInt64>? {
    switch place {
    case .data(let start), .unwritten(let start):
      {
        let (end, overflow) = start.addingReportingOverflow(file.upperBound - file.lowerBound)
        return start..<(overflow ? .max : end)
      }()
    case .inline(let range): range
    case .compressed(let range, _): range
    case .lost: nil
    }
  }
}
