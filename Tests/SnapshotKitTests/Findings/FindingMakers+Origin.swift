import BlockIO
@testable import SnapshotKit
import TestSupport

extension FindingMaker {
  /// Ten exceptions, the first for the chunk with the superblock.
  private static let first = builder.copying(0..<10)
  /// Where the store has its copy of that chunk.
  private static let copyOffset = 2 * 4096

  /// The first page of a swap space with a UUID of that byte.
  private static func swapSpace(_ uuid: UInt8) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4096)
    bytes.put([1, 0, 0, 0, 20, 0, 0, 0], at: 1024)  // its version, and its last page
    bytes.put(Array(repeating: uuid, count: 16), at: 1036)
    bytes.put(Array("SWAPSPACE2".utf8), at: 4086)
    return bytes
  }

  static func originMaker(of code: FindingCode) -> FindingMaker? {
    switch code {
    case .originSmaller:
      return FindingMaker(
        ten.image(), origin: Stamp.origin(byteCount: 12 * 4096), .damaged,
        Finding.Place(oldChunk: 12), others: [.oldBeyondOrigin])
    case .originLarger:
      var maker = FindingMaker(ten.image(), .healthy, Finding.Place())
      maker.origin = FaultySource(byteCount: 13 * 64 * 4096, name: "origin.img", pieces: [])
      return maker
    case .sameUUID:
      var both = origin
      both.put(swapSpace(0x11), at: 0)
      return FindingMaker(ten.image(), origin: both, .healthy, Finding.Place())
    case .originUnchanged:
      var image = [UInt8](repeating: 0, count: origin.count)
      image.put(Array("hsqs".utf8), at: 0)
      image.put([4, 0], at: 28)  // its version
      image.put(UInt64(8192).littleEndianBytes, at: 40)  // its length
      return FindingMaker(
        ten.sized(12).image(.valid(0)), origin: image, .damaged, Finding.Place(),
        others: [.headerInvalid, .storeFull])
    case .originWritten, .originUnknown:
      // The store's copy of the origin's first chunk has an ext4 superblock, and so has the origin.
      func superblock(writtenAt time: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1024)
        bytes.put(time.littleEndianBytes, at: 0x30)
        bytes.put([0x53, 0xef], at: 0x38)
        return bytes
      }
      let store = (code == .originWritten ? first : first.sized(12)).image(
        .valid(0), .bytes(superblock(writtenAt: 1000), at: copyOffset + 1024))
      var written = origin
      written.put(superblock(writtenAt: code == .originWritten ? 1001 : 1000), at: 1024)
      return FindingMaker(
        store, origin: written, .damaged, Finding.Place(),
        others: [.headerInvalid] + (code == .originWritten ? [.inFlight] : [.storeFull]))
    case .unrelatedOrigin:
      var other = origin
      other.put(swapSpace(0x22), at: 0)
      return FindingMaker(
        first.image(.bytes(swapSpace(0x11), at: copyOffset)), origin: other, .usable,
        Finding.Place())
    case .originIsDisk:
      var disk = origin
      disk.put([0x83, 0, 0, 0, 8, 0, 0, 0, 184, 0, 0, 0], at: 446 + 4)  // from sector 8 to the end
      disk.put([0, 0, 0, 0], at: 446)
      disk.put([UInt8](repeating: 0, count: 48), at: 462)
      disk.put([0x55, 0xaa], at: 510)
      disk.put(swapSpace(0x11), at: 4096)
      return FindingMaker(
        first.image(.bytes(swapSpace(0x11), at: copyOffset)), origin: disk, .usable,
        Finding.Place())
    case .originIsStore:
      return FindingMaker(ten.image(), origin: ten.image(), .usable, Finding.Place())
    default: return nil
    }
  }
}
