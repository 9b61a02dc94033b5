package import BlockIO

/// Maps the logical volumes of a group to bytes of its physical ones.
package struct VolumeMapper {
  /// A byte has copies, which may be on volumes with copies, up to this total.
  private static let copyCountMax = 64
  /// Segments are on segments, which are on others, in at most this many ways.
  private static let segmentCountMax = 1 << 20

  let group: VolumeGroup
  /// The copy of a mirror that the user wants to read, even if it may be out of date.
  let leg: Int?
  /// Whether legs that are out of date are written.
  private let includesStale: Bool
  /// The physical volumes that were found; device n of a map is the nth.
  let devices: [any BlockSource]
  private let places: [String: (volume: VolumeGroup.PhysicalVolume, device: Int?)]
  private let volumes: [String: VolumeGroup.LogicalVolume]

  /// A mapper of `group` over the bytes of the physical volumes that were found.
  ///
  /// - Parameter includesStale: Whether legs that are out of date are mapped: they are never read,
  ///   but written with the others.
  package init(
    _ group: VolumeGroup, leg: Int? = nil, includesStale: Bool = false,
    device: (LVMIdentifier) -> (any BlockSource)?
  ) {
    self.group = group
    self.leg = leg
    self.includesStale = includesStale
    var devices: [any BlockSource] = []
    places = Dictionary(
      group.physicalVolumes.map { volume in
        guard let source = device(volume.uuid) else { return (volume.name, (volume, nil)) }
        devices.append(source)
        return (volume.name, (volume, devices.count - 1))
      }, uniquingKeysWith: { first, _ in first })
    self.devices = devices
    volumes = Dictionary(
      group.logicalVolumes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The volume of that name, or its first bytes, to be read.
  package func source(
    of name: String, prefix byteCount: UInt64 = .max
  ) throws(VolumeError) -> VolumeSource {
    VolumeSource("\(group.name)/\(name)", try map(of: name).prefix(byteCount), of: devices)
  }

  /// The map of the volume of that name.
  package func map(of name: String) throws(VolumeError) -> VolumeMap {
    var known: Known = [:]
    return try map(of: name, &known)
  }

  /// The maps made already: many volumes may be on one.
  typealias Known = [String: VolumeMap]

  func map(of name: String, _ known: inout Known) throws(VolumeError) -> VolumeMap {
    if let map = known[name] { return map }
    guard let volume = volumes[name] else { throw .noVolume("\(group.name)/\(name)", group) }
    // In a decoded group no volume contains itself, and there are only a few layers.
    var segments: [VolumeMap.Segment] = []
    for segment in volume.segments {
      let range = try bytes(of: segment.extents)
      segments.append(
        VolumeMap.Segment(range, try layout(of: segment, in: volume, &known)))
    }
    let map = VolumeMap(segments)
    guard map.copyCount <= Self.copyCountMax else {
      throw unsupported(volume, "\(map.copyCount) copies of each byte")
    }
    guard map.segmentCount <= Self.segmentCountMax else {
      throw unsupported(volume, "more than \(Self.segmentCountMax) segments")
    }
    known[name] = map
    return map
  }

  /// Bytes of extents; a volume has no more than a signed number can count.
  private func bytes(of extents: Range<UInt64>) throws(VolumeError) -> Range<UInt64> {
    let end = extents.upperBound.multipliedReportingOverflow(by: group.extentByteCount)
    guard !end.overflow, end.partialValue <= Int64.max else {
      throw .unsupported(group.name, "a volume of more bytes than Linux can count")
    }
    return extents.lowerBound * group.extentByteCount..<end.partialValue
  }

  // MARK: - Segments

  private func layout(
    of segment: VolumeGroup.Segment, in volume: VolumeGroup.LogicalVolume, _ known: inout Known
  ) throws(VolumeError) -> ExtentLayout {
    let extentCount = segment.extents.upperBound - segment.extents.lowerBound
    switch segment.mapping {
    case .zero: return .place(.zeroes)
    case .error: return .place(.missing("nothing: an error segment"))
    case .striped(let places, let stripeByteCount):
      let own = extentCount / UInt64(max(places.count, 1))
      let stripes = try layouts(places, extentCount: own, &known)
      if stripes.count == 1 { return stripes[0] }
      // Linux refuses others too; the last stripes would go past their volume.
      guard stripeByteCount > 0,
        (own * group.extentByteCount).isMultiple(of: stripeByteCount)
      else {
        throw unsupported(
          volume, "stripes of \(stripeByteCount) bytes, which do not divide its extents")
      }
      return .striped(stripes, stripeByteCount: stripeByteCount)
    case .mirror(let places, let mirror):
      let legs = try layouts(places, extentCount: extentCount, &known)
      if let moved = mirror.extentsMoved {
        // Until all of a segment has moved, the first place has everything that was written.
        return legs.count > 1 && moved >= extentCount ? legs[1] : legs[0]
      }
      return try copies(legs, isCurrent: currentLegs(of: mirror, legs.count, &known), volume)
    case .raid(let raid):
      guard segment.extents.lowerBound == 0, !raid.legs.isEmpty else {
        throw unsupported(volume, "\(raid.type) of several segments")
      }
      let byteCount = try bytes(of: segment.extents).upperBound
      return try layout(of: raid, byteCount: byteCount, in: volume, &known)
    case .unsupported(let type): throw unsupported(volume, type)
    }
  }

  func unsupported(_ volume: VolumeGroup.LogicalVolume, _ what: String) -> VolumeError {
    .unsupported("\(group.name)/\(volume.name)", what)
  }

  private func layouts(
    _ places: [VolumeGroup.Place], extentCount: UInt64, _ known: inout Known
  ) throws(VolumeError) -> [ExtentLayout] {
    var layouts: [ExtentLayout] = []
    for place in places {
      layouts.append(try layout(at: place, extentCount: extentCount, &known))
    }
    return layouts
  }

  private func layout(
    at place: VolumeGroup.Place, extentCount: UInt64, _ known: inout Known
  ) throws(VolumeError) -> ExtentLayout {
    switch place {
    case .physical(let name, let extent):
      guard let (volume, device) = places[name] else {
        throw .unsupported(group.name, "a physical volume \(name) that it does not have")
      }
      let end = extent.addingReportingOverflow(extentCount)
      // After the last extent there may be metadata.
      guard !end.overflow, end.partialValue <= volume.extentCount else {
        throw .unsupported(name, "extents past the end of a physical volume")
      }
      let bytes = try bytes(of: extent..<end.partialValue)
      let (start, overflow) = volume.startByteOffset.addingReportingOverflow(bytes.lowerBound)
      guard !overflow, start <= UInt64(Int64.max) - UInt64(bytes.count) else {
        throw .unsupported(name, "extents past Linux's limit")
      }
      guard let device else { return .place(.missing(volume.words)) }
      return .place(.device(device, byteOffset: start))
    case .logical(let name, let extent):
      let map = try map(of: name, &known)
      let end = extent.addingReportingOverflow(extentCount)
      guard !end.overflow, try bytes(of: extent..<end.partialValue).upperBound <= map.byteCount
      else { throw .unsupported("\(group.name)/\(name)", "smaller than the part in use") }
      return .volume(map, byteOffset: extent * group.extentByteCount)
    }
  }

  // MARK: - Copies

  /// Copies, the readable ones first.
  ///
  /// A leg that may be out of date is read only if the user asks for it.
  func copies(
    _ legs: [ExtentLayout], isCurrent: [Bool], splitOff: Set<Int> = [],
    _ volume: VolumeGroup.LogicalVolume
  ) throws(VolumeError) -> ExtentLayout {
    var isCurrent = isCurrent
    if let leg {
      guard legs.indices.contains(leg) else {
        throw .noLeg("\(group.name)/\(volume.name)", leg, count: legs.count)
      }
      isCurrent = legs.indices.map { $0 == leg }
    }
    let current = legs.indices.filter { isCurrent[$0] }.map { legs[$0] }
    let stale =
      includesStale
      ? legs.indices.filter { !isCurrent[$0] && !splitOff.contains($0) }.map { legs[$0] } : []
    if current.isEmpty {
      let nowhere = ExtentLayout.place(
        .missing("a leg of \(volume.name) that is known to be up to date (--leg N reads another)"))
      return .copies([nowhere] + stale, currentCount: 1)
    }
    return .copies(current + stale, currentCount: current.count)
  }

  /// The legs of a mirror that are in step: the first, from which dm-mirror updates the others, and
  /// all if a log on disk marks all regions as in step.
  private func currentLegs(
    of mirror: VolumeGroup.Mirror, _ count: Int, _ known: inout Known
  ) throws(VolumeError) -> [Bool] {
    var isInSync = false
    if let log = mirror.log, let map = try? map(of: log, &known) {
      isInSync = try wrapping(
        VolumeError.io, try MirrorLog.isInSync(VolumeSource(log, map, of: devices)))
    }
    return (0..<count).map { $0 == 0 || isInSync }
  }
}

extension VolumeGroup.PhysicalVolume {
  /// Its description in messages when it is missing.
  package var words: String { "physical volume \(name) (\(uuid), last seen as \(device))" }
}
