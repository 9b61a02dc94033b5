/// A volume that is made of parts of several devices.
///
/// Of several copies, the first readable one is read. Bytes on a missing device cannot be read, as
/// if its sectors were bad.
public final class VolumeSource: BlockSource {
  public let name: String
  /// Where its bytes are; device n of the map is the nth of `init`'s devices.
  package let map: VolumeMap
  let devices: [any BlockSource]
  /// Whether nothing is known to be unreadable, so that there is no need to look for it.
  private let isWhole: Bool

  /// The only copy to read, even if it is out of date; nil for any readable one.
  private let onlyCopy: Int?

  /// The volume of that map, whose device n is `devices[n]`.
  package convenience init(_ name: String, _ map: VolumeMap, of devices: [any BlockSource]) {
    self.init(name, map, of: devices, onlyCopy: nil)
  }

  /// One copy of a volume; parts with fewer copies are read from their last.
  init(_ name: String, _ map: VolumeMap, of devices: [any BlockSource], onlyCopy: Int?) {
    self.onlyCopy = onlyCopy
    self.name = name
    self.map = map
    self.devices = devices
    isWhole =
      !map.isIncomplete && map.deviceEnds.allSatisfy { $0.value <= devices[$0.key].byteCount }
      && devices.allSatisfy { !$0.hasKnownUnreadable }
  }

  public var byteCount: UInt64 { map.byteCount }

  /// Each copy of it separately; parts with fewer copies are in all of them.
  package var copies: [VolumeSource] {
    (0..<map.copyCount).map { VolumeSource(name, map, of: devices, onlyCopy: $0) }
  }

  /// Refuses a volume that cannot be written because some of it is missing, or has parity.
  package func checkWritable() throws(BlockIOError) {
    try VolumeTarget.check(name, map, of: devices)
  }

  /// The device that has all of it contiguously, and from where on; nil if there is none.
  var onlyPlace: (device: any BlockSource, byteOffset: UInt64)? {
    guard map.segments.count == 1,
      case .place(.device(let device, let start)) = map.segments[0].layout
    else { return nil }
    return (devices[device], start)
  }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range, isUncached: false)
  }

  public func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range, isUncached: true)
  }

  private func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>, isUncached: Bool
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    try map.forEachPiece(of: bytes) { (piece) throws(BlockIOError) in
      let start = range.lowerBound + Int(piece.range.lowerBound - byteOffset)
      let target = start..<start + piece.range.count
      if let onlyCopy {
        let places = [piece.place] + piece.copies + piece.staleCopies
        let place = places[min(onlyCopy, places.count - 1)]
        return try read(place, of: piece, into: buffer, target, isUncached)
      }
      do throws(BlockIOError) {
        return try read(piece.place, of: piece, into: buffer, target, isUncached)
      } catch {
        guard error.isUnreadableMedium else { throw error }
        // A reader that reads around losses gives up a range for good, and must not if one copy is
        // fine.
        var failure = error
        for copy in piece.copies {
          do throws(BlockIOError) {
            return try read(copy, of: piece, into: buffer, target, isUncached)
          } catch {
            guard error.isUnreadableMedium else { throw error }
            if failure.isMarkedThroughout(byteCount: target.count) { failure = error }
          }
        }
        throw failure
      }
    }
  }

  private func read(
    _ place: ExtentPlace, of piece: VolumeMap.Piece, into buffer: IOBuffer, _ range: Range<Int>,
    _ isUncached: Bool
  ) throws(BlockIOError) {
    switch place {
    case .device(let device, let byteOffset) where isUncached:
      try devices[device].readUncached(at: byteOffset, into: buffer, range)
    case .device(let device, let byteOffset):
      try devices[device].read(at: byteOffset, into: buffer, range)
    case .zeroes: buffer.zero(range)
    case .missing(let what):
      throw BlockIOError(name, .read, .missing(what, piece.range), at: piece.range)
    }
  }

  // MARK: - What is known without reading

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    guard byteOffset < byteCount else { return nil }
    return try nextData(.volume(map, byteOffset: 0), in: byteOffset..<byteCount)
  }

  /// The first bytes of a range of a layout that may hold anything but zeroes.
  private func nextData(
    _ layout: ExtentLayout, in range: Range<UInt64>
  ) throws(BlockIOError) -> Range<UInt64>? {
    if range.isEmpty { return nil }
    switch layout {
    case .place(.device(let device, let start)):
      let source = devices[device]
      // Past the end of a device that is too short nothing can be read, which is not a hole.
      guard start + range.upperBound <= source.byteCount else { return range }
      guard let data = try source.nextData(from: start + range.lowerBound),
        data.lowerBound < start + range.upperBound
      else { return nil }
      return data.lowerBound - start..<min(data.upperBound - start, range.upperBound)
    case .place(.zeroes): return nil
    case .place(.missing): return range
    case .volume(let map, let start):
      let all = start + range.lowerBound..<start + range.upperBound
      for segment in map.segments[map.index(at: all.lowerBound)...] {
        let inside = segment.range.clamped(to: all)
        if inside.isEmpty { break }
        let base = segment.range.lowerBound
        let within = inside.lowerBound - base..<inside.upperBound - base
        guard let data = try nextData(segment.layout, in: within) else { continue }
        return base + data.lowerBound - start..<base + data.upperBound - start
      }
      return nil
    case .striped(let stripes, let size):
      return try nextData(stripes, stripeByteCount: size, in: range)
    case .rotating: return range
    case .copies(let layouts, let currentCount):
      // A missing copy does not know where data is.
      let whole = layouts.prefix(currentCount).first { !$0.isIncomplete }
      return try nextData(whole ?? layouts[0], in: range)
    }
  }

  /// The same for stripes: from the first byte that is data in one of them to the first after it
  /// that is in a hole.
  private func nextData(
    _ stripes: [ExtentLayout], stripeByteCount size: UInt64, in range: Range<UInt64>
  ) throws(BlockIOError) -> Range<UInt64>? {
    let geometry = StripeGeometry(count: stripes.count, byteCount: size)
    var data: [Range<UInt64>?] = []
    for (index, stripe) in stripes.enumerated() {
      data.append(try nextData(stripe, in: geometry.part(of: range, in: index)))
    }
    let starts = data.enumerated().compactMap { index, data in
      data.map { geometry.position(of: $0.lowerBound, in: index) }
    }
    guard let first = starts.min() else { return nil }
    var end = range.upperBound
    for (index, data) in data.enumerated() {
      let own = geometry.part(of: first..<range.upperBound, in: index)
      let hole = data?.lowerBound == own.lowerBound ? data?.upperBound : own.lowerBound
      if let hole, hole < own.upperBound { end = min(end, geometry.position(of: hole, in: index)) }
    }
    return first..<end
  }

  /// With too many stripes, only the losses of the first are listed; reading finds the rest.
  private static let pieceCountMax = 1 << 21

  public func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    isWhole ? [] : unreadable(in: range).ranges
  }

  /// The unreadable bytes of a range, and whether all of the range was examined.
  private func unreadable(
    in range: Range<UInt64>
  ) -> (ranges: [Range<UInt64>], isAll: Bool) {
    var unreadable: [Range<UInt64>] = []
    let all = range.clamped(to: 0..<byteCount)
    var position = all.lowerBound
    var pieceCount = 0
    while position < all.upperBound, pieceCount < Self.pieceCountMax {
      let piece = map.piece(at: position, before: all.upperBound)
      var lost = self.unreadable(piece.place, of: piece)
      for copy in piece.copies where !lost.isEmpty {
        let here = RangeSet(self.unreadable(copy, of: piece))
        lost = Array(RangeSet(lost).intersection(here).ranges)
      }
      for range in lost { unreadable.append(mergingInto: range) }
      position = piece.range.upperBound
      pieceCount += 1
    }
    return (unreadable, position == all.upperBound)
  }

  private func unreadable(_ place: ExtentPlace, of piece: VolumeMap.Piece) -> [Range<UInt64>] {
    switch place {
    case .zeroes: return []
    case .missing: return [piece.range]
    case .device(let device, let start):
      let source = devices[device]
      let bytes = start..<start + (piece.range.upperBound - piece.range.lowerBound)
      let inside = bytes.clamped(to: 0..<source.byteCount)
      var lost = source.knownUnreadable(in: inside)
      let end = max(source.byteCount, start)
      if end < bytes.upperBound { lost.append(mergingInto: end..<bytes.upperBound) }
      let shift = piece.range.lowerBound
      return lost.map { $0.lowerBound - start + shift..<$0.upperBound - start + shift }
    }
  }

  public var files: [FileSource] { devices.flatMap(\.files) }

  /// Whether all of it can be read, as far as known without trying; false if that could not be
  /// determined.
  public var isComplete: Bool {
    if isWhole { return true }
    let known = unreadable(in: 0..<byteCount)
    return known.ranges.isEmpty && known.isAll
  }

  public func willRead(_ range: Range<UInt64>) {
    map.forEachPiece(of: range.clamped(to: 0..<byteCount)) { piece in
      guard case .device(let device, let start) = piece.place else { return }
      devices[device].willRead(
        start..<start + (piece.range.upperBound - piece.range.lowerBound))
    }
  }

  public func hasCached(at byteOffset: UInt64) -> Bool {
    guard byteOffset < byteCount else { return false }
    let place = map.piece(at: byteOffset, before: byteOffset + 1).place
    guard case .device(let device, let start) = place else { return true }
    return devices[device].hasCached(at: start)
  }
}
