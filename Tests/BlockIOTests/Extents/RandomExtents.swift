import BlockIO
import TestSupport

/// A volume made up from a seed out of parts of devices, and, byte by byte, where each lies.
///
/// Every byte of a device is used once at the most. The places are dealt out by counting, and md's
/// rotations by ``RandomExtents/disk(_:ofData:row:disks:)``, so that the library does not check
/// itself.
struct RandomExtents {
  /// A byte's place.
  enum Cell: Hashable {
    case device(Int, Int)
    case zero, missing
  }

  /// The places of a byte of the volume.
  struct Places {
    /// The copies that are read.
    var current: [Cell]
    /// The copies that are only written.
    var stale: [Cell] = []
  }

  static let deviceCount = 4

  private(set) var map = VolumeMap([])
  private(set) var places: [Places] = []
  /// How much of each device is in use.
  private(set) var ends = Array(repeating: 0, count: deviceCount)
  private var random: SplitMix64
  /// Whether all of it is to be on devices, and without parity.
  private let isWritable: Bool

  init(seed: UInt64, isWritable: Bool = false) {
    random = SplitMix64(seed: seed)
    self.isWritable = isWritable
    let byteCount = 1 + random.below(3000)
    (map, places) = volume(byteCount, depth: 0)
  }

  // MARK: - Making it up

  private mutating func volume(_ byteCount: Int, depth: Int) -> (VolumeMap, [Places]) {
    var segments: [VolumeMap.Segment] = []
    var places: [Places] = []
    while places.count < byteCount {
      let count = min(byteCount - places.count, 1 + random.below(900))
      let (layout, own) = self.layout(count, depth: depth)
      segments.append(.init(UInt64(places.count)..<UInt64(places.count + count), layout))
      places += own
    }
    return (VolumeMap(segments), places)
  }

  private mutating func layout(_ byteCount: Int, depth: Int) -> (ExtentLayout, [Places]) {
    switch random.below(depth < 3 ? 10 : 4) {
    case 4, 5: return part(byteCount, depth)
    case 6, 7: return striped(byteCount, depth)
    case 8 where !isWritable: return rotating(byteCount, depth)
    case 8, 9: return copies(byteCount, depth)
    case 0 where !isWritable: return (.place(.zeroes), repeating(.zero, byteCount))
    case 1 where !isWritable: return (.place(.missing("a disk")), repeating(.missing, byteCount))
    default:
      let device = random.below(Self.deviceCount)
      let start = ends[device] + random.below(20)
      ends[device] = start + byteCount
      let cells = (start..<start + byteCount).map { Places(current: [.device(device, $0)]) }
      return (.place(.device(device, byteOffset: UInt64(start))), cells)
    }
  }

  private func repeating(_ cell: Cell, _ count: Int) -> [Places] {
    Array(repeating: Places(current: [cell]), count: count)
  }

  private mutating func part(_ byteCount: Int, _ depth: Int) -> (ExtentLayout, [Places]) {
    let (before, behind) = (random.below(40), random.below(40))
    let (map, places) = volume(before + byteCount + behind, depth: depth + 1)
    return (
      .volume(map, byteOffset: UInt64(before)), Array(places[before..<before + byteCount])
    )
  }

  private mutating func striped(_ byteCount: Int, _ depth: Int) -> (ExtentLayout, [Places]) {
    let (count, size) = (1 + random.below(4), 1 + random.below(70))
    // Which byte of which stripe is next.
    var next = Array(repeating: 0, count: count)
    var dealt: [(stripe: Int, byte: Int)] = []
    var stripe = 0
    while dealt.count < byteCount {
      for _ in 0..<size {
        dealt.append((stripe, next[stripe]))
        next[stripe] += 1
      }
      stripe = (stripe + 1) % count
    }
    let stripes = next.map { layout(max($0, 1), depth: depth + 1) }
    return (
      .striped(stripes.map(\.0), stripeByteCount: UInt64(size)),
      dealt.prefix(byteCount).map { stripes[$0.stripe].1[$0.byte] }
    )
  }

  private mutating func rotating(_ byteCount: Int, _ depth: Int) -> (ExtentLayout, [Places]) {
    let kind = Self.rotations[random.below(Self.rotations.count)]
    let disks = kind.parityCount + 1 + random.below(3)
    let (size, dataCount) = (1 + random.below(70), disks - kind.parityCount)
    let rowCount = (byteCount + size * dataCount - 1) / (size * dataCount)
    let made = (0..<disks).map { _ in layout(rowCount * size, depth: depth + 1) }
    var places: [Places] = []
    for row in 0..<rowCount {
      for data in 0..<dataCount {
        let disk = Self.disk(kind.algorithm, ofData: data, row: row, disks: disks)
        places += made[disk].1[row * size..<(row + 1) * size]
      }
    }
    return (
      .rotating(made.map(\.0), stripeByteCount: UInt64(size), kind.rotation),
      Array(places.prefix(byteCount))
    )
  }

  private mutating func copies(_ byteCount: Int, _ depth: Int) -> (ExtentLayout, [Places]) {
    let count = 1 + random.below(3)
    let currentCount = 1 + random.below(count)
    let made = (0..<count).map { _ in layout(byteCount, depth: depth + 1) }
    let places = (0..<byteCount).map { byte in
      var all = Places(current: [])
      for (index, copy) in made.enumerated() {
        if index < currentCount {
          all.current += copy.1[byte].current
        } else {
          all.stale += copy.1[byte].current
        }
        all.stale += copy.1[byte].stale
      }
      return all
    }
    return (.copies(made.map(\.0), currentCount: currentCount), places)
  }

  // MARK: - md

  /// md's names, and what the library makes of them.
  static let rotations: [(algorithm: String, parityCount: Int, rotation: ParityRotation)] = [
    ("PARITY_0", 1, ParityRotation(parityCount: 1, .first, .asymmetric)),
    ("PARITY_N", 1, ParityRotation(parityCount: 1, .last, .asymmetric)),
    ("LEFT_ASYMMETRIC", 1, ParityRotation(parityCount: 1, .left, .asymmetric)),
    ("LEFT_SYMMETRIC", 1, ParityRotation(parityCount: 1, .left, .symmetric)),
    ("RIGHT_ASYMMETRIC", 1, ParityRotation(parityCount: 1, .right, .asymmetric)),
    ("RIGHT_SYMMETRIC", 1, ParityRotation(parityCount: 1, .right, .symmetric)),
    ("ROTATING_ZERO_RESTART", 2, ParityRotation(parityCount: 2, .right, .asymmetric)),
    ("ROTATING_N_RESTART", 2, ParityRotation(parityCount: 2, .leftNext, .asymmetric)),
    ("ROTATING_N_CONTINUE", 2, ParityRotation(parityCount: 2, .left, .symmetric)),
    ("LEFT_ASYMMETRIC_6", 2, .init(parityCount: 2, .left, .asymmetric, isSecondLast: true)),
    ("LEFT_SYMMETRIC_6", 2, .init(parityCount: 2, .left, .symmetric, isSecondLast: true)),
    ("RIGHT_ASYMMETRIC_6", 2, .init(parityCount: 2, .right, .asymmetric, isSecondLast: true)),
    ("RIGHT_SYMMETRIC_6", 2, .init(parityCount: 2, .right, .symmetric, isSecondLast: true)),
    ("PARITY_N_6", 2, .init(parityCount: 2, .last, .asymmetric, isSecondLast: true)),
  ]

  /// The disk of some data, by the words of Linux: first the parities, then what is left over.
  ///
  /// - Source: Linux `drivers/md/raid5.c`, `raid5_compute_sector`.
  static func disk(_ algorithm: String, ofData data: Int, row: Int, disks: Int) -> Int {
    // (parity, second parity, whether data goes on behind the parity)
    let six = disks - 1
    let (parity, second, isBehind): (Int, Int?, Bool) =
      switch algorithm {
      case "PARITY_0": (0, nil, false)
      case "PARITY_N": (disks - 1, nil, false)
      case "LEFT_ASYMMETRIC": (disks - 1 - row % disks, nil, false)
      case "LEFT_SYMMETRIC": (disks - 1 - row % disks, nil, true)
      case "RIGHT_ASYMMETRIC": (row % disks, nil, false)
      case "RIGHT_SYMMETRIC": (row % disks, nil, true)
      case "ROTATING_ZERO_RESTART": (row % disks, (row % disks + 1) % disks, false)
      case "ROTATING_N_RESTART":
        (disks - 1 - (row + 1) % disks, (disks - (row + 1) % disks) % disks, false)
      case "ROTATING_N_CONTINUE":
        (disks - 1 - row % disks, (disks - 1 - row % disks + disks - 1) % disks, true)
      case "LEFT_ASYMMETRIC_6": (six - 1 - row % six, six, false)
      case "LEFT_SYMMETRIC_6": (six - 1 - row % six, six, true)
      case "RIGHT_ASYMMETRIC_6": (row % six, six, false)
      case "RIGHT_SYMMETRIC_6": (row % six, six, true)
      default: (disks - 2, disks - 1, false)
      }
    let start = isBehind ? parity + 1 : 0
    let free = (0..<disks).map { ($0 + start) % disks }.filter { $0 != parity && $0 != second }
    return free[data]
  }
}
