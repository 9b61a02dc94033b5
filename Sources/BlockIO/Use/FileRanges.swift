/// The bytes of files and devices that a source is made of.
///
/// Stripes count as a whole, and not each by itself.
package struct FileRanges: Equatable {
  private var ranges: [FileIdentity: RangeSet<UInt64>] = [:]

  /// The ranges of all of a source; of one whose place is not known, all of its files.
  package init(of source: any BlockSource) {
    add(0..<source.byteCount, of: source)
  }

  /// Whether it is made of no file at all, but of memory.
  package var isEmpty: Bool { ranges.isEmpty }

  /// Whether any byte belongs to both.
  package func overlap(_ other: FileRanges) -> Bool {
    ranges.contains { file, own in
      other.ranges[file].map { !own.intersection($0).isEmpty } ?? false
    }
  }

  private mutating func add(_ range: Range<UInt64>, of source: any BlockSource) {
    if range.isEmpty { return }
    switch source {
    case let file as FileSource:
      ranges[file.identity, default: RangeSet()].insert(contentsOf: range)
    case let slice as SliceSource:
      let start = slice.range.lowerBound
      add(start + range.lowerBound..<start + range.upperBound, of: slice.base)
    case let rescued as RescuedSource:
      add(range, of: rescued.base)
    case let volume as VolumeSource:
      volume.map.forEachDeviceRange(of: range) { add($1, of: volume.devices[$0]) }
    default:
      for file in source.files { add(0..<file.byteCount, of: file) }
    }
  }
}
