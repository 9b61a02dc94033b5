/// What was written to a disk and not flushed, over what is on its medium.
struct VolatileCache: Sendable {
  /// Whole sectors as a write left them.
  struct Write {
    var sectors: Range<Int>
    var bytes: [UInt8]
  }

  /// What a reader sees.
  private(set) var content: [UInt8]
  /// What was written since, in that order.
  private(set) var unflushed: [Write] = []
  private var durable: [UInt8]

  init(_ bytes: [UInt8]) { (content, durable) = (bytes, bytes) }

  /// Puts all of it on the medium.
  mutating func flush() {
    durable = contentAfterPowerCut(.kept)
    unflushed = []
  }

  /// Writes bytes to the cache.
  mutating func write(_ bytes: [UInt8], to place: Range<Int>) {
    if place.isEmpty { return }
    content.put(bytes, at: place.lowerBound)
    let sectors = place.lowerBound / 512..<(place.upperBound + 511) / 512
    let end = min(sectors.upperBound * 512, content.count)
    unflushed.append(
      Write(sectors: sectors, bytes: Array(content[sectors.lowerBound * 512..<end])))
  }

  /// What is on the medium after a power cut.
  func contentAfterPowerCut(_ fate: VolatileTarget.Fate) -> [UInt8] {
    var bytes = durable
    switch fate {
    case .lost: break
    case .kept:
      for write in unflushed { bytes.put(write.bytes, at: write.sectors.lowerBound * 512) }
    case .writes(let mask):
      for (bit, write) in unflushed.enumerated() where mask >> UInt64(bit) & 1 == 1 {
        bytes.put(write.bytes, at: write.sectors.lowerBound * 512)
      }
    case .torn(var sectorCount):
      for write in unflushed where sectorCount > 0 {
        let part = Array(write.bytes.prefix(sectorCount * 512))
        bytes.put(part, at: write.sectors.lowerBound * 512)
        sectorCount -= write.sectors.count
      }
    case .sectors(var number):
      for (sector, versions) in unflushed.versions {
        let chosen = number % (versions.count + 1)
        number /= versions.count + 1
        if chosen > 0 { bytes.put(Array(versions[chosen - 1]), at: sector * 512) }
      }
    case .random(let seed):
      var random = SplitMix64(seed: seed)
      let loss = 1 + random.below(7)  // of eight
      for write in unflushed {
        let isTorn = random.oneIn(4)
        var isLost = random.below(8) < loss
        for sector in write.sectors {
          if isTorn { isLost = random.below(8) < loss }
          if !isLost { bytes.put(Array(write.bytes(ofSector: sector)), at: sector * 512) }
        }
      }
    }
    return bytes
  }

  /// Linux reports a failed flush once. What was not flushed counts as clean then, whether it is on
  /// the medium or not, and may go from the cache at any time; or it is still there to be flushed.
  mutating func failFlush(_ chance: SplitMix64) {
    var chance = chance
    let isMixed = chance.oneIn(2)
    var course = chance.below(4)
    var stillUnflushed: [Write] = []
    for (sector, versions) in unflushed.versions {
      guard let last = versions.last else { continue }
      if isMixed { course = chance.below(4) }
      switch course {
      case 0: durable.put(Array(last), at: sector * 512)  // it was written
      case 1:  // it stays
        stillUnflushed += versions.map {
          Write(sectors: sector..<sector + 1, bytes: Array($0))
        }
      case 2: break  // it is in the cache only, where a reader finds it
      default:  // it is gone
        let end = min(sector * 512 + 512, durable.count)
        content.put(Array(durable[sector * 512..<end]), at: sector * 512)
      }
    }
    unflushed = stillUnflushed
  }
}

extension VolatileCache.Write {
  /// One of its sectors, of which the disk's last may be short.
  fileprivate func bytes(ofSector sector: Int) -> ArraySlice<UInt8> {
    let start = (sector - sectors.lowerBound) * 512
    return bytes[start..<min(start + 512, bytes.count)]
  }
}

extension [VolatileCache.Write] {
  /// What was written to each sector, one after the other, ascending by sector.
  var versions: [(sector: Int, versions: [ArraySlice<UInt8>])] {
    var found: [Int: [ArraySlice<UInt8>]] = [:]
    for write in self {
      for sector in write.sectors {
        found[sector, default: []].append(write.bytes(ofSector: sector))
      }
    }
    return found.sorted { $0.key < $1.key }.map { (sector: $0.key, versions: $0.value) }
  }
}
