import BlockIO
@testable import SnapshotKit
import SystemPackage
import TestSupport

/// A store, and its origin if that matters, in which an audit finds one kind of finding.
struct FindingMaker {
  var store: any BlockSource
  var origin: (any BlockSource)?
  var place = Finding.Place()
  var count: UInt64 = 1
  var ranges: [Range<UInt64>]?
  var verdict: Audit.Verdict
  /// What else an audit finds there.
  var others: [FindingCode] = []
  /// What must live as long as the store does.
  var keeps: AnyObject?

  init(
    _ store: [UInt8], origin: [UInt8]? = nil, _ verdict: Audit.Verdict, _ place: Finding.Place,
    count: UInt64 = 1, others: [FindingCode] = []
  ) {
    self.store = FaultySource(store, name: "store.img")
    self.origin = origin.map { FaultySource($0, name: "origin.img") }
    (self.place, self.count, self.verdict, self.others) = (place, count, verdict, others)
  }
}

extension Finding.Place {
  /// An exception's.
  fileprivate static func slot(
    _ slot: Int, _ old: UInt64, _ new: UInt64, in builder: StoreBuilder
  ) -> Finding.Place {
    let start = UInt64(builder.byteOffset(slot: slot))
    return Finding.Place(
      area: 0, slot: slot, bytes: start..<start + 16, oldChunk: old, newChunk: new)
  }

  fileprivate static func bytes(_ bytes: Range<UInt64>) -> Finding.Place {
    Finding.Place(bytes: bytes)
  }
}

extension FindingMaker {
  static let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40)
  /// Ten exceptions: old chunks 3 to 12 in new chunks 2 to 11.
  static let ten = builder.copying(3..<13)
  static let origin = Stamp.origin(byteCount: 24 * 4096)

  /// The maker of a kind; the compiler insists that each has one. Nil where it cannot be made here.
  static func maker(of code: FindingCode) throws -> FindingMaker? {
    switch code {
    case .headerUnreadable, .headerMagicErased, .headerZeroed, .headerForeign, .headerInvalid,
      .headerValidOdd, .headerVersion, .headerChunkSize, .headerChunkSizeContradicted, .headerTail:
      headerMaker(of: code)
    case .storeTooShort, .storeNextAreaBeyondEnd, .storePartialChunk, .storeAtBoundary, .storeFull:
      storeMaker(of: code)
    case .areaUnreadable, .areaHole, .areaStale, .areaImplausible, .areaHeaderImage, .areaLost,
      .areaDamaged,
      .generationAmbiguous:
      areaMaker(of: code)
    case .newInHeader, .newInMetadata, .newBeyondEnd, .newDuplicate, .oldDuplicate,
      .oldBeyondOrigin, .topByte, .outOfOrder, .leakedChunks, .inFlight:
      exceptionMaker(of: code)
    case .dataUnreadable, .dataIdentical, .mergeInterrupted, .mergeResidue:
      contextMaker(of: code)
    case .originSmaller, .originLarger, .sameUUID, .originUnchanged, .originWritten,
      .originUnknown, .unrelatedOrigin, .originIsDisk, .originIsStore:
      originMaker(of: code)
    case .inUse: try inUseMaker()
    // These are a salvage's own: GenerationTests makes them, and PlacementTests.
    case .unsupported, .orphans, .placedLikely, .generationOverwritten, .generationEndInDoubt,
      .generationMaybeOverwritten:
      nil
    // ShiftEvidenceTests and ZeroBlockTests make these, and SurroundingsTests.
    case .storeShifted, .storeUnconfirmed, .dataZeroBlock, .insideFilesystem: nil
    // These are of volume groups: VolumeCheckTests makes them.
    case .pvMissing, .volumeCutOff, .volumeStale, .volumeMetadata, .volumeOlder, .volumeReused,
      .volumeMerging, .volumeChunkSize, .volumeAdopted, .volumeAreaShort, .volumeShortened:
      nil
    }
  }

  private static func headerMaker(of code: FindingCode) -> FindingMaker? {
    switch code {
    case .headerUnreadable:
      var maker = FindingMaker(ten.image(), .damaged, .bytes(0..<16))
      maker.store = FaultySource(ten.image(), unreadable: [0..<1])
      return maker
    case .headerMagicErased: return FindingMaker(ten.image(.magicErased), .damaged, .bytes(0..<4))
    case .headerZeroed: return FindingMaker(ten.image(.headerZeroed), .damaged, .bytes(0..<16))
    case .headerForeign: return FindingMaker(ten.image(.magic("LUKS")), .damaged, .bytes(0..<16))
    case .headerInvalid:
      return FindingMaker(ten.image(.valid(0)), .damaged, .bytes(4..<8), others: [.inFlight])
    case .headerValidOdd: return FindingMaker(ten.image(.valid(2)), .healthy, .bytes(4..<8))
    case .headerVersion: return FindingMaker(ten.image(.version(2)), .damaged, .bytes(8..<12))
    case .headerChunkSize:
      return FindingMaker(
        ten.image(.chunkSectors(7)), .damaged, .bytes(12..<16),
        others: [.headerChunkSizeContradicted])
    case .headerChunkSizeContradicted:
      return FindingMaker(
        ten.image(.chunkSectors(16)), .damaged, Finding.Place(area: 0, bytes: 4096..<8192),
        others: [.headerTail])
    case .headerTail:
      return FindingMaker(
        ten.image(.bytes([1], at: 100), .bytes([1], at: 200)), .usable, .bytes(100..<201))
    default: return nil
    }
  }

  private static func storeMaker(of code: FindingCode) -> FindingMaker? {
    let small = StoreBuilder(chunkSectors: 1, chunkCount: 34)  // an area and its 32 data chunks
    switch code {
    case .storeTooShort:
      return FindingMaker(
        ten.image(.cut(byteCount: 8 * 4096)), .damaged, Finding.Place(),
        others: [.newBeyondEnd])
    case .storeNextAreaBeyondEnd:
      return FindingMaker(
        small.copying(0..<32).image(), .damaged,
        Finding.Place(area: 1, bytes: 34 * 512..<35 * 512), others: [.storeFull])
    case .storePartialChunk:
      return FindingMaker(
        ten.sized(40, extra: 1536).image(), .healthy, .bytes(40 * 4096..<40 * 4096 + 1536))
    case .storeAtBoundary:
      return FindingMaker(
        small.copying(0..<31).image(.valid(0), .bytes([1], at: 33 * 512)), .damaged,
        Finding.Place(area: 0), others: [.headerInvalid, .inFlight])
    case .storeFull: return FindingMaker(ten.sized(12).image(), .healthy, Finding.Place())
    default: return nil
    }
  }

  private static func areaMaker(of code: FindingCode) -> FindingMaker? {
    let wholeArea = Finding.Place(area: 0, bytes: 4096..<8192)
    switch code {
    case .areaUnreadable:
      var maker = FindingMaker(ten.image(), .damaged, wholeArea)
      maker.store = FaultySource(ten.image(), unreadable: [5000..<5001])
      return maker
    case .areaHole:
      var maker = FindingMaker(
        ten.image(
          .exception(slot: 12, old: 7, new: 9), .exception(slot: 13, old: 8, new: 10),
          .exception(slot: 15, old: 7, new: 0)),
        .damaged, .slot(12, 7, 9, in: ten), count: 3)
      let start = UInt64(ten.byteOffset(slot: 12))
      maker.ranges = [start..<start + 32, start + 48..<start + 64]
      return maker
    case .areaStale:
      let stale = StoreBuilder(chunkSectors: 1, chunkCount: 110).copying(0..<100)
      return FindingMaker(
        stale.image(.zeroChunk(1)), .healthy, Finding.Place(area: 1, bytes: 34 * 512..<35 * 512),
        count: 3, others: [.mergeResidue])
    case .areaImplausible:
      return FindingMaker(
        ten.image(.randomChunk(1, seed: 1)), .unusable, wholeArea,
        others: [
          .storeNextAreaBeyondEnd, .newBeyondEnd, .topByte, .leakedChunks,
        ])
    case .areaHeaderImage:
      let header = Array(ten.image(.valid(0)).prefix(4096))
      return FindingMaker(
        ten.image(.bytes(header, at: 4096)), .unusable, wholeArea,
        others: [.areaImplausible, .newBeyondEnd, .leakedChunks])
    case .areaLost, .generationAmbiguous:
      // Its old chunks ascend, so that those before and behind the lost area could be two tables'.
      let ascending = StoreBuilder(chunkSectors: 1, chunkCount: 110).copying(
        (0..<100).map { $0 * 3 })
      return FindingMaker(
        ascending.image(.zeroChunk(34)), .damaged,
        Finding.Place(area: 1, bytes: 34 * 512..<35 * 512),
        others: [
          .areaStale, .generationEndInDoubt, code == .areaLost ? .generationAmbiguous : .areaLost,
        ])
    case .areaDamaged:
      let garbage = [UInt8](repeating: 0xff, count: 64)
      return FindingMaker(
        ten.image(.bytes(garbage, at: 4096)), .damaged, wholeArea,
        others: [.newBeyondEnd, .topByte, .oldDuplicate, .outOfOrder, .leakedChunks])
    default: return nil
    }
  }

  private static func exceptionMaker(of code: FindingCode) -> FindingMaker? {
    func maker(
      _ slot: Int, _ old: UInt64, _ new: UInt64, _ verdict: Audit.Verdict,
      others: [FindingCode] = []
    ) -> FindingMaker {
      FindingMaker(
        ten.image(.exception(slot: slot, old: old, new: new)), origin: origin, verdict,
        .slot(slot, old, new, in: ten), others: others)
    }
    let last: UInt64 = 1 << 56
    return switch code {
    case .newInHeader: maker(9, 20, last, .damaged, others: [.topByte, .leakedChunks])
    case .newInMetadata:
      maker(9, 20, 1, .damaged, others: [.mergeInterrupted])
    case .newBeyondEnd: maker(9, 20, 40, .damaged, others: [.storeTooShort, .leakedChunks])
    case .newDuplicate: maker(9, 20, 5, .damaged, others: [.outOfOrder, .mergeInterrupted])
    case .oldDuplicate: maker(9, 5, 11, .damaged)
    case .oldBeyondOrigin: maker(9, 24, 11, .damaged, others: [.originSmaller])
    case .topByte: maker(9, 20, last | 11, .damaged, others: [.leakedChunks])
    case .outOfOrder: swapped()
    case .leakedChunks: leaking()
    case .inFlight:
      FindingMaker(
        ten.image(.valid(0)), .damaged,
        Finding.Place(bytes: 12 * 4096..<40 * 4096, newChunk: 12), count: 28,
        others: [.headerInvalid])
    default: nil
    }
  }

  private static func swapped() -> FindingMaker {
    FindingMaker(
      ten.image(.exception(slot: 2, old: 5, new: 5), .exception(slot: 3, old: 6, new: 4)),
      .healthy, .slot(3, 6, 4, in: ten))
  }

  private static func leaking() -> FindingMaker {
    var maker = FindingMaker(
      builder.adding((1, 2), (2, 3), (3, 6), (4, 8)).image(), .healthy,
      .bytes(4 * 4096..<6 * 4096), count: 3)
    maker.ranges = [4 * 4096..<6 * 4096, 7 * 4096..<8 * 4096]
    return maker
  }

  private static func contextMaker(of code: FindingCode) -> FindingMaker? {
    switch code {
    case .dataUnreadable:
      var maker = FindingMaker(ten.image(), .damaged, .bytes(2 * 4096..<2 * 4096 + 512))
      let text = Array("0 + 1\n0 8192 +\n8192 512 -\n8704 1000000 +\n".utf8)
      guard let map = try? BadSectorMap(parsing: text.span) else { return nil }
      maker.store = RescuedSource(FaultySource(ten.image()), map)
      return maker
    case .dataIdentical:
      let store = ten.image()
      var same = origin
      same.put(Array(store[2 * 4096..<4 * 4096]), at: 3 * 4096)
      return FindingMaker(store, origin: same, .healthy, Finding.Place(), count: 2)
    case .mergeInterrupted:
      return FindingMaker(
        ten.image(.bytes([1], at: 13 * 4096 - 1)), .healthy, .bytes(12 * 4096..<13 * 4096))
    case .mergeResidue:
      return FindingMaker(
        builder.image(.bytes([1], at: 2 * 4096)), .healthy, .bytes(2 * 4096..<3 * 4096))
    default: return nil
    }
  }

  private static func inUseMaker() throws -> FindingMaker? {
    guard LoopDevice.isAvailable else { return nil }
    let directory = try TemporaryDirectory()
    let path = try directory.write(ten.image(), to: "store.img")
    var maker = FindingMaker(ten.image(), .usable, Finding.Place())
    maker.store = try FileSource(path: FilePath(path))
    maker.keeps = Kept(directory, try LoopDevice(over: path))
    return maker
  }

  private final class Kept {
    let directory: TemporaryDirectory
    let device: LoopDevice
    init(_ directory: TemporaryDirectory, _ device: LoopDevice) {
      (self.directory, self.device) = (directory, device)
    }
  }
}
