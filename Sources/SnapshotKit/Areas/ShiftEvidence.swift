internal import BlockIO
internal import SnapshotFormat

/// The places where a copy of a store lost bytes, or has extra ones, as far as its areas show.
///
/// Areas are where the chunk size puts them, and the new chunks of each show which one it is. If an
/// area is not in its place but complete some sectors before or after it, and the following ones
/// continue from there, the copy lost bytes between the last area in its place and that one, or has
/// extra ones. The areas themselves narrow the place down: sectors of an area that are in order are
/// still before it, those that are in order again are after it. Nothing shows where between the
/// areas the place is, so all data in between is in doubt.
///
/// Areas that were swapped are no loss: then others are in their old places, or one that was
/// skipped turns up later.
struct ShiftEvidence {
  /// The maximum number of bytes lost or extra in one place.
  private static let shiftMax: UInt64 = 4 << 20
  /// The maximum number of bytes read in search of the next area.
  private static let searchByteCountMax: UInt64 = 64 << 20
  /// The number of areas after a displaced one that are checked for being in their places.
  private static let lookAheadCount: UInt64 = 8
  /// More gaps than these are not plausible for a copy.
  private static let gapCountMax = 256

  /// In the order of the copy.
  private(set) var gaps: [Gap] = []
  /// The byte of the store, gaps included, from which on nothing confirms the place of its data:
  /// the next area is not in its place, or not completely, and none is found after it.
  private(set) var unconfirmedStart: UInt64?

  private let chunkSize: ChunkSize
  private let geometry: StoreGeometry
  private let reader: AreaReader
  private let source: any BlockSource

  /// A complete area.
  private struct Sighting {
    let area: UInt64
    /// Its place in the copy, from its first right byte on.
    let range: Range<UInt64>
    /// The number of bytes by which it is after its place; negative before it.
    let shift: Int64
    /// By how many leaked chunks the new chunks are shifted before it, and after it.
    let leakBefore: UInt64
    let leak: UInt64
    /// Whether the table continues after it.
    let isFull: Bool
    /// The number of bytes of the area, from its first, that are exceptions; meaningless if its
    /// beginning is lost.
    let usedByteCount: UInt64
    /// Whether it is only the beginning of an area, which is the next to find.
    var isBeginning = false

    /// If the table ends in it at the end of a sector, the part before that; otherwise nil.
    var beginning: Sighting? {
      guard !isFull, usedByteCount % 512 == 0 else { return nil }
      return Sighting(
        area: area &- 1, range: range.lowerBound..<range.lowerBound + usedByteCount, shift: shift,
        leakBefore: leakBefore, leak: leak, isFull: true, usedByteCount: usedByteCount,
        isBeginning: true)
    }

    /// The beginning of a store, before area 0: that many bytes of a header, in their place.
    static func beginning(headerByteCount: UInt64) -> Sighting {
      Sighting(
        area: .max, range: 0..<headerByteCount, shift: 0, leakBefore: 0, leak: 0, isFull: true,
        usedByteCount: 0)
    }

    var next: UInt64 { area &+ 1 }
  }

  /// Follows the areas of a store.
  init(_ source: any BlockSource, _ chunkSize: ChunkSize) throws(BlockIOError) {
    self.source = source
    self.chunkSize = chunkSize
    geometry = StoreGeometry(chunkSize: chunkSize, byteCount: .max)
    reader = AreaReader(source)
    var last = Sighting.beginning(headerByteCount: Store(source).isRecognised ? 512 : 0)
    while gaps.count < Self.gapCountMax {
      var found =
        last.isBeginning ? nil : try sighting(of: last.next, shift: last.shift, leak: last.leak)
      if found == nil { found = try search(after: last) }
      guard let next = found else {
        try examineLastArea(after: last)
        break
      }
      if next.shift != last.shift {
        try addGap(between: last, next)
      } else if last.isBeginning {
        break
      }
      last = next
      if next.isFull { continue }
      // Zeroes from the end of a sector on may be where something was left out.
      guard let beginning = next.beginning else { break }
      last = beginning
    }
  }

  /// Marks everything after the first gap as unconfirmed: the store is read from inside a file
  /// system, perhaps in fragments, and the bytes between these are unknown.
  mutating func doubtGaps() {
    guard let first = gaps.first else { return }
    unconfirmedStart = first.range.lowerBound
    gaps = []
  }

  /// Whether the areas fit a header's chunk size, but shifted, better than another chunk size.
  static func explains(
    _ own: ChunkSize, rather other: ChunkSize?, _ source: any BlockSource
  ) -> Bool {
    func count(_ source: any BlockSource, _ chunkSize: ChunkSize) throws(BlockIOError) -> UInt64 {
      try AreaReader(source).chain(
        of: StorePlace(start: 0, chunkSize: chunkSize), from: AreaIndex(0), hasSoundHeader: true
      ).inOrderCount
    }
    do throws(BlockIOError) {
      let gaps = try ShiftEvidence(source, own).gaps
      guard let first = gaps.first else { return false }
      let ours = try count(VolumeSource(source.name, source, with: gaps), own)
      let others = try other.map { (size) throws(BlockIOError) in try count(source, size) } ?? 0
      // Both may hold for a short table; zeroes where it ends were more likely lost than added.
      return first.missingByteCount > 0 ? ours > 0 && ours >= others : ours > others
    } catch {
      return false  // the next read of the store will report it
    }
  }

  // MARK: - Areas

  /// The place of an area with that shift; nil if before the first byte.
  private func byteOffset(of area: UInt64, shift: Int64) -> UInt64? {
    guard let place = geometry.byteOffset(of: AreaIndex(area)).flatMap(Int64.init(exactly:)) else {
      return nil
    }
    let (sum, overflow) = place.addingReportingOverflow(shift)
    return overflow || sum < 0 ? nil : UInt64(sum)
  }

  private func placed(
    _ area: UInt64, shift: Int64, leak: UInt64
  ) throws(BlockIOError) -> (byteOffset: UInt64, area: PlacedArea)? {
    guard let offset = byteOffset(of: area, shift: shift),
      let placed = try reader.place(AreaIndex(area), at: offset, leak: leak, chunkSize)
    else { return nil }
    return (offset, placed)
  }

  /// The area, if it is there.
  private func sighting(
    of area: UInt64, shift: Int64, leak: UInt64
  ) throws(BlockIOError) -> Sighting? {
    guard let (offset, placed) = try placed(area, shift: shift, leak: leak), placed.isRight else {
      return nil
    }
    return Sighting(
      area: area, range: offset..<offset + chunkSize.byteCount, shift: shift, leakBefore: leak,
      leak: placed.confirmedLeak, isFull: placed.look.isFull,
      usedByteCount: placed.look.liveCount * UInt64(DiskException.byteCount))
  }

  /// An area whose first sectors are lost, if the others are there.
  private func sighting(
    of area: UInt64, from sector: Int, shift: Int64, leak: UInt64
  ) throws(BlockIOError) -> Sighting? {
    if sector == 0 { return try sighting(of: area, shift: shift, leak: leak) }
    guard let offset = byteOffset(of: area, shift: shift),
      let broken = try broken(area, at: offset, leak: leak), broken.isRight(from: sector)
    else { return nil }
    return Sighting(
      area: area, range: offset + UInt64(sector) * 512..<offset + chunkSize.byteCount,
      shift: shift, leakBefore: leak, leak: leak, isFull: broken.isFull, usedByteCount: .max)
  }

  /// An area, sector by sector; nil if it is not all there, or is too large.
  private func broken(
    _ area: UInt64, at byteOffset: UInt64, leak: UInt64
  ) throws(BlockIOError) -> BrokenArea? {
    guard byteOffset <= source.byteCount, chunkSize.byteCount <= source.byteCount - byteOffset,
      chunkSize.byteCount <= UInt64(AreaReader.bufferByteCount)
    else { return nil }
    let position = area * chunkSize.exceptionsPerArea + leak
    return try reader.withExceptions(at: byteOffset, byteCount: Int(chunkSize.byteCount)) {
      BrokenArea($0, from: position, geometry)
    }
  }

  private func isRight(_ area: UInt64, _ shift: Int64, _ leak: UInt64) throws(BlockIOError) -> Bool
  {
    try placed(area, shift: shift, leak: leak)?.area.isRight ?? false
  }

  // MARK: - The next area

  /// The next area that is complete, or lacks only its first sectors, in its place or not.
  private func search(after last: Sighting) throws(BlockIOError) -> Sighting? {
    // A store that nothing was copied to has an empty area 0; areas after it are older.
    let isEmpty =
      last.next == 0 && !last.isBeginning
      ? try placed(0, shift: 0, leak: 0)?.area.look.isEmpty ?? false : false
    let buffer = IOBuffer(byteCount: 1 << 20)
    var (position, budget) = (last.range.upperBound, Self.searchByteCountMax)
    var isDisordered = false
    for area in last.next... {
      guard budget > 0, let place = byteOffset(of: area, shift: last.shift),
        place < source.byteCount + Self.shiftMax
      else { break }
      position = max(position, place - min(place, Self.shiftMax))
      let end = min(place + chunkSize.byteCount + Self.shiftMax, source.byteCount)
      while position < end, budget > 0 {
        guard let data = try source.nextData(from: position), data.lowerBound < end else { break }
        position = max(position, data.lowerBound / 512 * 512)
        let count = Int(min(UInt64(buffer.byteCount), end - position, budget) / 512 * 512)
        if count == 0 { break }
        _ = try source.readAround(at: position, into: buffer, 0..<count)
        let found = buffer.withRecords(of: DiskException.self, count: count / 16) {
          suspects(in: $0, at: position, after: last)
        }
        for suspect in found {
          guard (suspect.shift - last.shift).magnitude <= Self.shiftMax,
            let sighting = try sighting(
              of: suspect.area, from: suspect.sector, shift: suspect.shift, leak: last.leak),
            try isConvincing(sighting, after: last, isEmpty: isEmpty)
          else { continue }
          if sighting.shift == last.shift { return sighting }
          if try isLoss(sighting, after: last, isDisordered) { return sighting }
          isDisordered = true
        }
        budget -= min(budget, UInt64(count))
        position += UInt64(count)
      }
      // If the table seems to end there, only the next areas are checked.
      if isEmpty || last.isBeginning && area > last.next { break }
      position = max(position, min(end, source.byteCount))
      budget -= min(budget, 512)  // holes cost nothing, but there may be very many areas
    }
    return nil
  }

  /// A sector that begins like one of an area that is still to come.
  private struct Suspect {
    let area: UInt64
    /// Its number in that area.
    let sector: Int
    let shift: Int64
  }

  private func suspects(
    in exceptions: Span<DiskException>, at byteOffset: UInt64, after last: Sighting
  ) -> [Suspect] {
    var found: [Suspect] = []
    let (size, perArea) = (AreaLaw.slotsPerSector, chunkSize.exceptionsPerArea)
    for sector in 0..<exceptions.count / size {
      let exception = exceptions[sector * size]
      let (old, new) = (exception.oldChunk, exception.newChunk)
      guard AreaLaw.canExist(old, new), new >= StoreGeometry.firstDataChunk,
        let position = geometry.position(ofData: Chunk(new)), position >= last.leak
      else { continue }
      let (area, slot) = (position - last.leak).quotientAndRemainder(dividingBy: perArea)
      // In an area that was broken off, only the next sectors can follow.
      guard slot == 0 ? area >= last.next : area == last.next && slot % UInt64(size) == 0,
        let place = self.byteOffset(of: area, shift: 0)
      else { continue }
      let sectorOffset = byteOffset + UInt64(sector) * 512
      let inArea = slot / UInt64(size)
      found.append(
        Suspect(
          area: area, sector: Int(inArea),
          shift: Int64(sectorOffset) - Int64(place) - Int64(inArea) * 512))
    }
    return found
  }

  /// Whether an area out of its place is more than a few small numbers, or an older store's.
  private func isConvincing(
    _ sighting: Sighting, after last: Sighting, isEmpty: Bool
  ) throws(BlockIOError) -> Bool {
    let isWhole = sighting.range.upperBound - sighting.range.lowerBound == chunkSize.byteCount
    let isWeak =
      isWhole
      && sighting.usedByteCount < UInt64(AreaLaw.strongCount * DiskException.byteCount)
    // The area that must come next may be the last and have few; where areas are skipped as well,
    // few numbers fit some area or other.
    if sighting.area > 0 { return !isEmpty && (sighting.area == last.next || !isWeak) }
    if isWeak { return false }
    // Linux itself would have zeroed the bytes before an empty area 0, but nothing after it.
    guard isEmpty, sighting.shift > 0 else { return true }
    return sighting.isFull ? try isRight(1, sighting.shift, sighting.leak) : false
  }

  /// Whether an area is out of its place because bytes before it are lost, or too many.
  private func isLoss(
    _ next: Sighting, after last: Sighting, _ isDisordered: Bool
  ) throws(BlockIOError) -> Bool {
    if try isRight(next.area, last.shift, last.leak) { return false }
    let stride = chunkSize.areaStride * chunkSize.byteCount
    guard (next.shift - last.shift).magnitude % stride == 0 else { return true }
    // It is in another area's place: it may have been written there.
    guard !isDisordered else { return false }
    for area in next.area + 1..<next.area + Self.lookAheadCount
    where try isRight(area, last.shift, last.leak) { return false }
    if next.isFull, try !isRight(next.area + 1, next.shift, next.leak) { return false }
    for area in last.next..<next.area {
      for other in next.area...next.area + Self.lookAheadCount {
        let shift = Int64(other - area) * Int64(stride) + last.shift
        if try isRight(area, shift, last.leak) { return false }
      }
    }
    return true
  }

  // MARK: - The place

  /// Narrows down where between two areas bytes are missing, or too many.
  private mutating func addGap(between last: Sighting, _ next: Sighting) throws(BlockIOError) {
    let missing = last.shift - next.shift
    var (start, end) = (last.range.upperBound, next.range.lowerBound)
    if let (offset, placed) = try placed(last.next, shift: last.shift, leak: last.leak),
      offset >= start
    {
      let ordered = offset + placed.orderedByteCount
      if placed.orderedByteCount > 0, ordered <= end { start = ordered }
    }
    if next.area > last.next, let offset = byteOffset(of: next.area - 1, shift: next.shift) {
      let areaEnd = offset + chunkSize.byteCount
      let count = try orderedTailByteCount(next.area - 1, endingAt: areaEnd, next.leakBefore)
      if count > 0, areaEnd <= end { end = max(start, areaEnd - count) }
    }
    add(start, end, missing)
  }

  /// The number of bytes at the end of an area that are sectors full of exceptions in their place.
  private func orderedTailByteCount(
    _ area: UInt64, endingAt end: UInt64, _ leak: UInt64
  ) throws(BlockIOError) -> UInt64 {
    let count = Int(min(chunkSize.byteCount, UInt64(AreaReader.bufferByteCount)))
    guard end <= source.byteCount, end >= UInt64(count) else { return 0 }
    let firstSlot = (area + 1) * chunkSize.exceptionsPerArea - UInt64(count / 16)
    return try reader.withExceptions(at: end - UInt64(count), byteCount: count) { exceptions in
      let wrong = exceptions.indices.last {
        geometry.dataChunk(inOrder: firstSlot + UInt64($0) + leak)?.index
          != exceptions[$0].newChunk
      }
      return UInt64((exceptions.count - 1 - (wrong ?? -1)) / AreaLaw.slotsPerSector * 512)
    } ?? 0
  }

  private mutating func add(_ start: UInt64, _ end: UInt64, _ missing: Int64) {
    // If there are too many bytes, the place cannot be narrower than they are.
    let start = missing < 0 ? min(start, end - min(end, missing.magnitude)) : start
    if let gap = Gap(in: start..<end, missing: missing) { gaps.append(gap) }
  }

  // MARK: - The last area

  /// Looks for a loss in the last area, by its own sectors and the store's length.
  private mutating func examineLastArea(after last: Sighting) throws(BlockIOError) {
    guard !last.isBeginning, let offset = byteOffset(of: last.next, shift: last.shift),
      let found = try broken(last.next, at: offset, leak: last.leak)
    else { return }
    guard let gap = found.gap(isConfirmed: { fits($0) }),
      gap.missingSectorCount.magnitude <= UInt(Self.shiftMax / 512)
    else {
      if found.isOutOfPlace {
        unconfirmedStart = UInt64(exactly: Int64(last.range.upperBound) - last.shift)
      }
      return
    }
    add(
      offset + UInt64(gap.start) * 512, offset + UInt64(gap.end) * 512,
      Int64(gap.missingSectorCount) * 512)
  }

  /// Whether a store with that many more sectors would have whole chunks, unlike the copy.
  private func fits(_ missingSectorCount: Int) -> Bool {
    let sectors = Int64(source.byteCount / 512) + Int64(missingSectorCount)
    let perChunk = Int64(chunkSize.sectorCount)
    return source.byteCount % chunkSize.byteCount != 0 && sectors % perChunk == 0
  }
}
