import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// An undo store holds what the merge overwrites, in a form that Linux reads, and refuses all else.
@Suite struct UndoStoreTests {
  private static let builder = StoreBuilder(chunkSectors: 1, chunkCount: 80)
    .copying(Array(3..<20) + Array(30..<41) + [25, 50, 0, 62])
  private static let store = builder.image()
  private static let origin = Stamp.origin(byteCount: 63 * 512)

  /// A merge that was done, with its undo store.
  private func merged(
    _ store: [UInt8] = Self.store, _ origin: [UInt8] = Self.origin
  ) throws -> (origin: [UInt8], undo: [UInt8]) {
    let rig = MergeRig(store, into: origin, undo: try MergeRig.emptyUndo(of: store, into: origin))
    try rig.merge()
    return (rig.origin.bytes, try #require(rig.undo).bytes)
  }

  /// How many exceptions, and how many chunks of 512 bytes their undo store has.
  @Test(arguments: [(0, 2), (1, 3), (31, 33), (32, 35), (33, 36), (63, 66), (64, 68), (70, 74)])
  func `it has room for its areas, the last one never full`(count: Int, chunkCount: Int) throws {
    let store = StoreBuilder(chunkSectors: 1).copying(0..<count).image()
    let origin = Stamp.origin(byteCount: 80 * 512)
    let (_, undo) = try merged(store, origin)
    #expect(undo.count == chunkCount * 512)
    let reference = ReferenceDecoder(undo)
    #expect(reference.verdict == .loads)
    #expect(reference.exceptions.map(\.old) == (0..<UInt64(count)).map { $0 })
    #expect(reference.exceptions.map(\.new) == builderOrder(count))
  }

  /// The data chunks that Linux hands out, where an area holds 32.
  private func builderOrder(_ count: Int) -> [UInt64] {
    Array((UInt64(2)...).lazy.prefix(count * 2 + 2)).filter { $0 % 33 != 1 }.prefix(count) + []
  }

  @Test func `it has the origin's old data, ascending by chunk`() throws {
    let (_, undo) = try merged()
    let reference = ReferenceDecoder(undo)
    #expect(reference.exceptions.map(\.old) == Self.builder.exceptions.map(\.old).sorted())
    for (old, new) in reference.exceptions {
      #expect(
        Array(undo[Int(new) * 512..<Int(new + 1) * 512])
          == Array(Self.origin[Int(old) * 512..<Int(old + 1) * 512]))
    }
  }

  @Test func `an origin's partial last chunk is filled up with zeroes`() throws {
    let store = StoreBuilder(chunkSectors: 8).copying([1]).image()
    let (_, undo) = try merged(store, Stamp.origin(byteCount: 4096 + 1024 + 100))
    let data = Array(undo[2 * 4096..<3 * 4096])
    #expect(Array(data.prefix(1024)) == Stamp.sectors(8..<10, by: "origin gen 0"))
    #expect(data.dropFirst(1024).allSatisfy { $0 == 0 })
  }

  @Test(arguments: [1, 2, 8, 64, 2048, 4096])
  func `it has the source's chunk size`(chunkSectors: Int) throws {
    let unit = UInt64(chunkSectors * 512)
    let header = StoreBuilder(chunkSectors: 1).image(.chunkSectors(UInt32(chunkSectors)))
    let exceptions = [(0, 2), (1, 3)].flatMap {
      UInt64($0.0).littleEndianBytes + UInt64($0.1).littleEndianBytes
    }
    let store = FaultySource(
      byteCount: unit * 5, pieces: [(0, Array(header.prefix(16))), (unit, exceptions)])
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    let origin = VolatileTarget(Stamp.origin(byteCount: chunkSectors * 512 + 512))
    let view = SnapshotView(of: origin, through: loaded.table, of: store)
    let before = origin.bytes
    let file = VolatileTarget([UInt8](repeating: 0, count: Int(UndoStore.byteCount(for: view))))
    let undo = try UndoStore(of: view, over: origin, in: file, isNew: true)
    _ = try Merger(view, of: store, into: origin).merge(undo: undo, verify: true) { _, _, _ in }
    #expect(origin.bytes.allSatisfy { $0 == 0 })
    #expect(KernelLoad(Store(file)).verdict == .loads)
    let back = try LoadedTable(Store(file), reading: .kernel)
    #expect(back.geometry.chunkSize.sectorCount == UInt32(chunkSectors))
    let backView = SnapshotView(of: origin, through: back.table, of: file)
    _ = try Merger(backView, of: file, into: origin).merge(undo: nil, verify: true) { _, _, _ in }
    #expect(origin.bytes.firstDifference(from: before) == nil)
  }

  @Test func `everything is on the medium before the origin is touched`() throws {
    // With an undo disk that loses what is not flushed, cut at the origin's first write.
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    for count in 0..<100 {
      let rig = MergeRig(Self.store, into: Self.origin, undo: empty, operationCountMax: count)
      guard (try? rig.merge()) == nil else { break }
      if rig.origin.contentAfterPowerCut(.kept) == Self.origin { continue }
      let undo = try #require(rig.undo).contentAfterPowerCut(.lost)
      #expect(MergeRig.state(of: undo) == .saved)
      return
    }
    Issue.record("the origin was never written")
  }

  /// A process that was killed, or whose flush failed, leaves a state to the next one that it reads
  /// from the cache, and that a power cut takes away.
  @Test func `a state that is in the cache only is flushed before the origin is touched`() throws {
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    let uncut = MergeRig(Self.store, into: Self.origin, undo: empty)
    try uncut.merge()
    for count in 0..<uncut.power.operationCount {
      let killed = MergeRig(
        VolatileTarget(Self.store), into: VolatileTarget(Self.origin), undo: VolatileTarget(empty),
        PowerSupply(.kill(afterOperations: count)))
      #expect(throws: MergeError.self) { try killed.merge(verify: false) }
      let cut = MergeRig(
        killed.store, into: killed.origin, undo: killed.undo,
        PowerSupply(.powerCut(afterOperations: 1)))
      _ = try? cut.merge(verify: false)
      let state = MergeRig.state(of: try #require(cut.undo).contentAfterPowerCut(.lost))
      if state == .saved || state == .finished { continue }
      let origin = cut.origin.contentAfterPowerCut(.kept)
      #expect(origin.firstDifference(from: Self.origin) == nil, "killed after \(count)")
    }
  }

  // MARK: - Refusals

  private func expectWrongUndo(
    _ words: String, store: [UInt8] = Self.store, origin: [UInt8], undo: [UInt8],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let rig = MergeRig(store, into: origin, undo: undo)
    let error = #expect(throws: MergeError.self, sourceLocation: sourceLocation) {
      try rig.merge(isNew: false)
    }
    guard let text = error?.refusal?.description else {
      Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
    #expect(text.contains(words), "\(text)", sourceLocation: sourceLocation)
    #expect(rig.power.operationCount == 0, sourceLocation: sourceLocation)
  }

  @Test func `a file that is no undo store is not overwritten`() throws {
    let (origin, undo) = try merged()
    for other in [
      [], [UInt8](repeating: 0, count: undo.count), Stamp.origin(byteCount: undo.count),
      Self.store, Array(undo.prefix(511)),
    ] {
      expectWrongUndo("not an undo store", origin: origin, undo: other)
    }
  }

  @Test(arguments: 16..<144)
  func `a manifest with any byte changed is none`(byteOffset: Int) throws {
    var undo = try merged().undo
    undo[byteOffset] ^= 0x10
    #expect(UndoManifest(FaultySource(undo)) == nil)
  }

  @Test func `the undo store of another table is refused`() throws {
    let (origin, undo) = try merged()
    let other = StoreBuilder(chunkSectors: 1, chunkCount: 80)
      .copying(Array(3..<20) + Array(30..<41) + [25, 50, 0, 61]).image()
    expectWrongUndo("of another merge", store: other, origin: origin, undo: undo)
    // The same old chunks, at other places of the store.
    let moved = StoreBuilder(chunkSectors: 1, chunkCount: 80)
      .copying(Array(3..<20) + Array(30..<41) + [50, 25, 0, 62]).image()
    expectWrongUndo("of another merge", store: moved, origin: origin, undo: undo)
  }

  @Test func `the undo store of another origin is refused`() throws {
    let (origin, undo) = try merged()
    expectWrongUndo("of another merge", origin: origin + [0], undo: undo)
    var other = origin
    other[20 * 512] ^= 1  // not in the table
    expectWrongUndo("of another merge", origin: other, undo: undo)
  }

  @Test(arguments: [-512, 512])
  func `an undo store of another length is refused`(difference: Int) throws {
    let (origin, undo) = try merged()
    let other =
      difference < 0
      ? Array(undo.dropLast(-difference)) : undo + [UInt8](repeating: 0, count: difference)
    expectWrongUndo("of another merge", origin: origin, undo: other)
  }

  @Test(arguments: [512, 519, 520, 1023])
  func `a saved undo store with a damaged area is refused`(byteOffset: Int) throws {
    let (origin, original) = try merged()
    var undo = original
    undo[byteOffset] ^= 1
    expectWrongUndo("is damaged", origin: origin, undo: undo)
    undo = original
    undo[34 * 512] ^= 1  // the second area
    expectWrongUndo("is damaged", origin: origin, undo: undo)
  }

  @Test func `undoing into another origin is refused`() throws {
    let (origin, undo) = try merged()
    for (other, words) in [
      (origin + [0], "into an origin of"), (Array(origin.dropLast(512)), "into an origin of"),
    ] {
      expectNotThisOrigin(words, origin: other, undo: undo)
    }
    var written = origin
    written[20 * 512 + 7] ^= 1
    expectNotThisOrigin("into another origin", origin: written, undo: undo)
  }

  @Test func `an undo store that was never completed is not merged`() throws {
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    let rig = MergeRig(Self.store, into: Self.origin, undo: empty, operationCountMax: 3)
    #expect(throws: MergeError.self) { try rig.merge() }
    let undo = try #require(rig.undo).contentAfterPowerCut(.kept)
    #expect(MergeRig.state(of: undo) == .saving)
    expectNotThisOrigin("never completed", origin: Self.origin, undo: undo)
  }

  private func expectNotThisOrigin(
    _ words: String, origin: [UInt8], undo: [UInt8],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let rig = MergeRig(undo, into: origin, undo: nil)
    let error = #expect(throws: MergeError.self, sourceLocation: sourceLocation) {
      try rig.merge()
    }
    // An origin that is too short for the table is refused even before that.
    if error?.refusal?.code == .kernelWouldFail { return }
    guard let text = error?.refusal?.description else {
      Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
    #expect(text.contains(words), "\(text)", sourceLocation: sourceLocation)
    #expect(rig.power.operationCount == 0, sourceLocation: sourceLocation)
  }

  /// The merge is cut off after it began, and someone writes to the origin before it goes on.
  @Test func `a merge does not go on over what was written since`() throws {
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    var found = false
    for operationCount in 1..<40 {
      let cut = MergeRig(
        Self.store, into: Self.origin, undo: empty, operationCountMax: operationCount)
      guard (try? cut.merge()) == nil else { break }
      let undo = try #require(cut.undo).contentAfterPowerCut(.kept)
      guard MergeRig.state(of: undo) == .saved else { continue }
      found = true
      var origin = cut.origin.contentAfterPowerCut(.kept)
      let mapped = try #require(
        SnapshotView(Self.store, over: FaultySource(Self.origin)).table.runs.first)
      let chunkByteCount = Store(Self.store).geometry?.chunkSize.byteCount ?? 0
      let byteOffset = Int(mapped.old * chunkByteCount) + 700 % Int(chunkByteCount)
      origin[byteOffset] ^= 0xff
      let resumed = MergeRig(Self.store, into: origin, undo: undo)
      #expect(throws: MergeError.self) { try resumed.merge(isNew: false) }
      #expect(resumed.origin.bytes == origin)
    }
    #expect(found)
  }

  @Test(arguments: [24, 30, 50, 90, 120])
  func `an undo store with a damaged manifest is not merged as any other store`(byte: Int) throws {
    let (mergedOrigin, whole) = try merged()
    var undo = whole
    undo[byte] ^= 1
    let back = MergeRig(undo, into: mergedOrigin, undo: nil)
    #expect(throws: MergeError.self) { try back.merge() }
    #expect(back.origin.bytes == mergedOrigin)
  }

  /// The exception for the origin's last bytes, which are no whole sector, maps nothing.
  @Test func `an exception just behind the origin's last sector does not stand in the way`() throws
  {
    let store = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(50...63).image()
    let origin = Stamp.origin(byteCount: 63 * 512 + 100)
    let (mergedOrigin, undo) = try merged(store, origin)
    let back = MergeRig(undo, into: mergedOrigin, undo: nil)
    try back.merge()
    #expect(back.origin.bytes.firstDifference(from: origin) == nil)
  }
}
