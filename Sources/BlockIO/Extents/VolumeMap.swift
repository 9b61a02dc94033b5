/// The places of the bytes of a volume that is composed of parts of several devices.
///
/// Devices are numbers here; readers and writers know which these are.
package struct VolumeMap: Sendable {
  /// A part of the volume that is laid out in one way.
  package struct Segment: Sendable {
    /// Its bytes in the volume.
    package let range: Range<UInt64>
    /// Where they are, counted from the segment's first byte.
    package let layout: ExtentLayout

    /// A segment of those bytes.
    package init(_ range: Range<UInt64>, _ layout: ExtentLayout) {
      self.range = range
      self.layout = layout
    }
  }

  /// In the volume's order, from byte 0 on, without gaps.
  package let segments: [Segment]
  /// Whether some of it has no bytes, because a device is missing.
  package let isIncomplete: Bool
  /// Whether all of it can be written; nothing with parity can, as parity is not updated.
  package let isWritable: Bool
  /// In how many places a byte is, at most.
  package let copyCount: Int
  /// In how many ways segments are reached; segments of volumes below count once for each use.
  package let segmentCount: Int
  /// The end of the used part of each device, by the device's number.
  ///
  /// A volume below counts as a whole, even if only a part of it is used.
  let deviceEnds: [Int: UInt64]

  /// A map of those segments, none of which is empty.
  package init(_ segments: [Segment]) {
    var end: UInt64 = 0
    for segment in segments {
      precondition(segment.range.lowerBound == end && !segment.range.isEmpty, "a gap in a map")
      end = segment.range.upperBound
    }
    self.segments = segments
    // Computed once: volumes are made of volumes, and may share them.
    isIncomplete = segments.contains { $0.layout.isIncomplete }
    isWritable = segments.allSatisfy { $0.layout.isWritable }
    copyCount = segments.map(\.layout.copyCount).max() ?? 1
    segmentCount = segments.reduce(0) { $0.addingSaturated($1.layout.segmentCount) }
    var ends: [Int: UInt64] = [:]
    for segment in segments {
      segment.layout.addDeviceEnds(
        segment.range.upperBound - segment.range.lowerBound, to: &ends)
    }
    deviceEnds = ends
  }

  /// The map of the volume's first bytes, at most that many.
  package func prefix(_ byteCount: UInt64) -> VolumeMap {
    VolumeMap(
      segments.filter { $0.range.lowerBound < byteCount }.map {
        Segment($0.range.lowerBound..<min($0.range.upperBound, byteCount), $0.layout)
      })
  }

  /// The length of the volume.
  package var byteCount: UInt64 { segments.last?.range.upperBound ?? 0 }

  /// Contiguous bytes of a range, and where they are.
  package struct Piece {
    /// In the volume.
    package let range: Range<UInt64>
    /// Where they are.
    package let place: ExtentPlace
    /// Further copies of the same bytes.
    let copies: [ExtentPlace]
    /// Copies that may be out of date: they are only written.
    let staleCopies: [ExtentPlace]
  }

  /// Visits the pieces of a range of the volume, in its order.
  package func forEachPiece<Failure: Error>(
    of range: Range<UInt64>, _ visit: (Piece) throws(Failure) -> Void
  ) throws(Failure) {
    var position = range.lowerBound
    while position < range.upperBound {
      let piece = self.piece(at: position, before: range.upperBound)
      try visit(piece)
      position = piece.range.upperBound
    }
  }

  /// The piece that begins at a byte of the volume, and ends before another.
  func piece(at byteOffset: UInt64, before end: UInt64) -> Piece {
    let segment = segments[index(at: byteOffset)]
    let start = segment.range.lowerBound
    let found = segment.layout.find(
      byteOffset - start..<min(end, segment.range.upperBound) - start)
    return Piece(
      range: byteOffset..<byteOffset + found.byteCount, place: found.place, copies: found.copies,
      staleCopies: found.staleCopies)
  }

  /// Visits where the bytes of a range lie on each device, whole stripes as one.
  func forEachDeviceRange(of range: Range<UInt64>, _ visit: (Int, Range<UInt64>) -> Void) {
    guard !range.isEmpty, range.upperBound <= byteCount else { return }
    for segment in segments[index(at: range.lowerBound)...] {
      guard segment.range.lowerBound < range.upperBound else { break }
      let own = segment.range.clamped(to: range)
      let start = segment.range.lowerBound
      segment.layout.forEachDeviceRange(
        of: own.lowerBound - start..<own.upperBound - start, visit)
    }
  }

  /// The index of the segment that a byte is in.
  func index(at byteOffset: UInt64) -> Int {
    max(segments.partitioningIndex { $0.range.lowerBound > byteOffset } - 1, 0)
  }
}

/// The place of contiguous bytes of a volume.
package enum ExtentPlace: Equatable, Sendable {
  /// On the device of that number.
  case device(Int, byteOffset: UInt64)
  /// Nowhere: they read as zeroes.
  case zeroes
  /// On something that is missing, described by the string.
  case missing(String)
}

/// The layout of a part of a volume.
///
/// Each layout has an address space of its own, which begins at 0.
package indirect enum ExtentLayout: Sendable {
  /// All in one place, one byte after another.
  case place(ExtentPlace)
  /// As the bytes of another volume, from that byte on.
  case volume(VolumeMap, byteOffset: UInt64)
  /// In stripes, each in turn.
  case striped([ExtentLayout], stripeByteCount: UInt64)
  /// In stripes, to all but one or two in each row, which have parity there.
  case rotating([ExtentLayout], stripeByteCount: UInt64, ParityRotation)
  /// The same in each: read from the first that is readable, written to all. Only the first
  /// `currentCount` are known to be up to date, and are read.
  case copies([ExtentLayout], currentCount: Int)

  /// The result of looking up a range.
  struct Found {
    var place: ExtentPlace
    var copies: [ExtentPlace] = []
    var staleCopies: [ExtentPlace] = []
    /// The number of bytes of the range that are contiguous there, at least one.
    var byteCount: UInt64
  }

  /// Finds the place of the first bytes of a range, and how many of them are contiguous.
  func find(_ range: Range<UInt64>) -> Found {
    let byteCount = range.upperBound - range.lowerBound
    switch self {
    case .place(.device(let device, let start)):
      return Found(
        place: .device(device, byteOffset: start + range.lowerBound), byteCount: byteCount)
    case .place(let place):
      return Found(place: place, byteCount: byteCount)
    case .volume(let map, let start):
      let piece = map.piece(at: start + range.lowerBound, before: start + range.upperBound)
      return Found(
        place: piece.place, copies: piece.copies, staleCopies: piece.staleCopies,
        byteCount: piece.range.upperBound - piece.range.lowerBound)
    case .striped(let stripes, let size):
      let geometry = StripeGeometry(count: stripes.count, byteCount: size)
      let (stripe, start) = geometry.place(of: range.lowerBound)
      return stripes[stripe].find(start..<start + min(byteCount, size - start % size))
    case .rotating(let disks, let size, let rotation):
      let geometry = StripeGeometry(count: disks.count - rotation.parityCount, byteCount: size)
      let (data, start) = geometry.place(of: range.lowerBound)
      let disk = rotation.disk(ofData: data, row: start / size, diskCount: disks.count)
      return disks[disk].find(start..<start + min(byteCount, size - start % size))
    case .copies(let layouts, let currentCount):
      var found = layouts[0].find(range)
      for (index, layout) in layouts.enumerated().dropFirst() {
        let other = layout.find(range)
        found.byteCount = min(found.byteCount, other.byteCount)
        if index < currentCount {
          found.copies += [other.place] + other.copies
          found.staleCopies += other.staleCopies
        } else {
          found.staleCopies += [other.place] + other.copies + other.staleCopies
        }
      }
      return found
    }
  }

  var isIncomplete: Bool {
    switch self {
    case .place(.missing): true
    case .place: false
    case .volume(let map, _): map.isIncomplete
    case .striped(let layouts, _), .rotating(let layouts, _, _),
      .copies(let layouts, _):
      layouts.contains { $0.isIncomplete }
    }
  }

  fileprivate var copyCount: Int {
    switch self {
    case .place: 1
    case .volume(let map, _): map.copyCount
    case .striped(let layouts, _), .rotating(let layouts, _, _):
      layouts.map(\.copyCount).max() ?? 1
    case .copies(let layouts, _):
      layouts.reduce(0) { $0.addingSaturated($1.copyCount) }
    }
  }

  fileprivate var segmentCount: Int {
    switch self {
    case .place: 1
    case .volume(let map, _): map.segmentCount
    case .striped(let layouts, _), .rotating(let layouts, _, _), .copies(let layouts, _):
      layouts.reduce(0) { $0.addingSaturated($1.segmentCount) }
    }
  }

  /// Visits where the bytes of a range lie on each device, whole stripes as one.
  fileprivate func forEachDeviceRange(
    of range: Range<UInt64>, _ visit: (Int, Range<UInt64>) -> Void
  ) {
    switch self {
    case .place(.device(let device, let start)):
      visit(device, start + range.lowerBound..<start + range.upperBound)
    case .place: break
    case .volume(let map, let start):
      map.forEachDeviceRange(of: start + range.lowerBound..<start + range.upperBound, visit)
    case .striped(let layouts, let size):
      let geometry = StripeGeometry(count: layouts.count, byteCount: size)
      for (index, layout) in layouts.enumerated() {
        layout.forEachDeviceRange(of: geometry.part(of: range, in: index), visit)
      }
    case .rotating(let layouts, let size, let rotation):
      // Data and parity take turns: a row is the same range of every disk.
      let row = size * UInt64(layouts.count - rotation.parityCount)
      let rows = range.lowerBound / row * size..<(range.upperBound + row - 1) / row * size
      for layout in layouts { layout.forEachDeviceRange(of: rows, visit) }
    case .copies(let layouts, _):
      for layout in layouts { layout.forEachDeviceRange(of: range, visit) }
    }
  }

  /// Adds how far its first bytes use each device.
  fileprivate func addDeviceEnds(_ byteCount: UInt64, to ends: inout [Int: UInt64]) {
    func add(_ layouts: [ExtentLayout], stripeByteCount size: UInt64, dataCount: Int) {
      let geometry = StripeGeometry(count: dataCount, byteCount: size)
      // No stripe has more than the first.
      let own = geometry.part(of: 0..<byteCount, in: 0).upperBound
      for layout in layouts { layout.addDeviceEnds(own, to: &ends) }
    }
    switch self {
    case .place(.device(let device, let start)):
      ends[device] = max(ends[device] ?? 0, start + byteCount)
    case .place: break
    case .volume(let map, _): ends.merge(map.deviceEnds) { max($0, $1) }
    case .striped(let layouts, let size):
      add(layouts, stripeByteCount: size, dataCount: layouts.count)
    case .rotating(let layouts, let size, let rotation):
      add(layouts, stripeByteCount: size, dataCount: layouts.count - rotation.parityCount)
    case .copies(let layouts, _):
      for layout in layouts { layout.addDeviceEnds(byteCount, to: &ends) }
    }
  }

  fileprivate var isWritable: Bool {
    switch self {
    case .place(.device): true
    case .place, .rotating: false
    case .volume(let map, _): map.isWritable
    case .striped(let layouts, _), .copies(let layouts, _): layouts.allSatisfy { $0.isWritable }
    }
  }
}

extension Int {
  /// The sum of two counts, or the largest number if it would overflow.
  fileprivate func addingSaturated(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
