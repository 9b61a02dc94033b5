internal import BlockIO

extension VolumeMapper {
  /// The layout of an md array of that many bytes on its legs.
  func layout(
    of raid: VolumeGroup.Raid, byteCount: UInt64, in volume: VolumeGroup.LogicalVolume,
    _ known: inout Known
  ) throws(VolumeError) -> ExtentLayout {
    if raid.type != "raid1", raid.stripeByteCount == 0 {
      throw unsupported(volume, "\(raid.type) without a stripe size")
    }
    let required = requiredByteCount(ofLegOf: raid, byteCount: byteCount)
    var legs: [ExtentLayout] = []
    for leg in raid.legs {
      let map = try map(of: leg.data, &known)
      guard map.byteCount >= required else {
        throw .unsupported("\(group.name)/\(leg.data)", "smaller than the part in use")
      }
      legs.append(.volume(map, byteOffset: 0))
    }
    switch raid.type {
    case "raid0", "raid0_meta":
      return .striped(legs, stripeByteCount: raid.stripeByteCount)
    case "raid1":
      // A leg that was split off is a volume of its own by now, and neither read nor written here.
      let splitOff = Set(raid.legs.indices.filter { group.isSplitOff(raid.legs[$0].data) })
      let isCurrent = try currentLegs(of: raid, &known).enumerated().map {
        $0.element && !splitOff.contains($0.offset)
      }
      return try copies(legs, isCurrent: isCurrent, splitOff: splitOff, volume)
    case "raid10", "raid10_near":
      return try layoutOfRaid10(raid, legs, volume, &known)
    default:
      guard let rotation = ParityRotation(lvm: raid.type), legs.count > rotation.parityCount else {
        throw unsupported(volume, raid.type)
      }
      let isCurrent = try currentLegs(of: raid, &known)
      // A leg that is out of date would have to be computed from the others.
      let readable = zip(legs, raid.legs).enumerated().map { index, leg in
        isCurrent[index]
          ? leg.0 : .place(.missing("\(leg.1.data), which is out of date (parity is not read)"))
      }
      return .rotating(readable, stripeByteCount: raid.stripeByteCount, rotation)
    }
  }

  /// The number of bytes of each leg that an array needs: whole rows of stripes.
  private func requiredByteCount(
    ofLegOf raid: VolumeGroup.Raid, byteCount: UInt64
  ) -> UInt64 {
    if raid.type == "raid1" { return byteCount }
    let legCount = raid.legs.count
    let dataCount =
      if raid.type.hasPrefix("raid10") {
        legCount / max(Int(clamping: raid.dataCopies), 1)
      } else {
        legCount - (ParityRotation(lvm: raid.type)?.parityCount ?? 0)
      }
    let row = raid.stripeByteCount.multipliedReportingOverflow(by: UInt64(max(dataCount, 1)))
    let rowCount = row.overflow ? 1 : (byteCount - 1) / row.partialValue + 1
    return rowCount.multipliedReportingOverflow(by: raid.stripeByteCount).partialValue
  }

  /// The "near" layout: neighbours are copies of each other, and stripes go over these groups.
  private func layoutOfRaid10(
    _ raid: VolumeGroup.Raid, _ legs: [ExtentLayout], _ volume: VolumeGroup.LogicalVolume,
    _ known: inout Known
  ) throws(VolumeError) -> ExtentLayout {
    let copyCount = Int(clamping: raid.dataCopies)
    guard copyCount > 0, legs.count % copyCount == 0 else {
      throw unsupported(volume, "raid10 of \(legs.count) legs with \(raid.dataCopies) copies")
    }
    let isCurrent = try currentLegs(of: raid, &known)
    var stripes: [ExtentLayout] = []
    for start in stride(from: 0, to: legs.count, by: copyCount) {
      let own = start..<start + copyCount
      stripes.append(
        try copies(Array(legs[own]), isCurrent: Array(isCurrent[own]), volume))
    }
    return stripes.count == 1
      ? stripes[0] : .striped(stripes, stripeByteCount: raid.stripeByteCount)
  }

  /// The legs that are in step, by the newest superblock and by their own.
  ///
  /// If all legs were read and none has a superblock, all are equal: it is written when the array
  /// first runs.
  private func currentLegs(
    of raid: VolumeGroup.Raid, _ known: inout Known
  ) throws(VolumeError) -> [Bool] {
    var superblocks: [RaidSuperblock?] = []
    var isUnreadable = false
    for leg in raid.legs {
      guard let name = leg.metadata else {
        superblocks.append(nil)
        continue
      }
      let map = try map(of: name, &known)
      do throws(BlockIOError) {
        superblocks.append(try RaidSuperblock(VolumeSource(name, map, of: devices)))
      } catch {
        guard error.isUnreadableMedium else { throw .io(error) }
        superblocks.append(nil)
        isUnreadable = true
      }
    }
    guard let newest = superblocks.compactMap(\.self).max(by: { $0.events < $1.events }) else {
      return raid.legs.map { _ in !isUnreadable }
    }
    return superblocks.enumerated().map { index, superblock in
      guard let superblock else { return false }
      let hasFailed = index < 64 && newest.failedLegs & 1 << UInt64(index) != 0
      // They are written one after another; after a crash some are a step late.
      return !hasFailed && superblock.isRecovered && newest.events - superblock.events <= 1
    }
  }
}

extension ParityRotation {
  /// The rotation that lvm2 and dm-raid call by that name; nil for an unknown name.
  ///
  /// - Source: Linux `drivers/md/dm-raid.c`, `raid_types`.
  init?(lvm type: String) {
    switch type {
    case "raid4": self.init(parityCount: 1, .first, .asymmetric)
    case "raid5_n": self.init(parityCount: 1, .last, .asymmetric)
    case "raid5", "raid5_ls": self.init(parityCount: 1, .left, .symmetric)
    case "raid5_la": self.init(parityCount: 1, .left, .asymmetric)
    case "raid5_rs": self.init(parityCount: 1, .right, .symmetric)
    case "raid5_ra": self.init(parityCount: 1, .right, .asymmetric)
    case "raid6", "raid6_zr": self.init(parityCount: 2, .right, .asymmetric)
    case "raid6_nr": self.init(parityCount: 2, .leftNext, .asymmetric)
    case "raid6_nc": self.init(parityCount: 2, .left, .symmetric)
    case "raid6_ls_6": self.init(parityCount: 2, .left, .symmetric, isSecondLast: true)
    case "raid6_la_6": self.init(parityCount: 2, .left, .asymmetric, isSecondLast: true)
    case "raid6_rs_6": self.init(parityCount: 2, .right, .symmetric, isSecondLast: true)
    case "raid6_ra_6": self.init(parityCount: 2, .right, .asymmetric, isSecondLast: true)
    case "raid6_n_6": self.init(parityCount: 2, .last, .asymmetric, isSecondLast: true)
    default: return nil
    }
  }
}
