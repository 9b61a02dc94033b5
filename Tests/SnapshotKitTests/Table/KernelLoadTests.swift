import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// Verdict, reason and status are those of Linux: facts measured on it, and the reference decoder.
@Suite struct KernelLoadTests {
  private static let builder = StoreBuilder(chunkSectors: 8, chunkCount: 64).copying(0..<10)

  @Test func `a sound store loads, with the numbers of dmsetup status`() {
    let load = KernelLoad(Store(Self.builder.image()))
    #expect(load.verdict == .loads)
    #expect(load.status == "96/512 16")
    #expect(load.extent?.exceptionCount == 10)
  }

  /// Measured on Linux 6.1: facts T8b, T8c, T15, T21, T2.
  @Test(
    arguments: [
      (StoreBuilder(chunkSectors: 8, chunkCount: 64), "16/512 16"),
      (StoreBuilder(chunkSectors: 8, chunkCount: 64).copying([5]), "24/512 16"),
      (StoreBuilder(chunkSectors: 8, chunkCount: 300).copying(0..<256), "2072/2400 24"),
      (StoreBuilder(chunkSectors: 8, chunkCount: 300).copying(0..<257), "2080/2400 24"),
      (StoreBuilder(chunkSectors: 8, chunkCount: 64).adding((1, 500)), "4008/512 16"),
      (
        StoreBuilder(chunkSectors: 8, chunkCount: 64).adding((10, 2 << 56 | 2)),
        "1152921504606847008/512 16"
      ),
    ] as [(StoreBuilder, String)])
  func `status is what dmsetup prints`(builder: StoreBuilder, status: String) {
    #expect(KernelLoad(Store(builder.image())).status == status)
  }

  @Test(
    arguments: [
      (.valid(0), .invalid, "Snapshot is marked invalid"),
      (.valid(2), .loads, "read to its end"),
      (.valid(0x8000_0000), .loads, "read to its end"),
      (.magicErased, .new, "erase area 0"),
      (.headerZeroed, .new, "erase area 0"),
      (.magic("SnAq"), .refuses, "Invalid or corrupt snapshot"),
      (.magic("LUKS"), .refuses, "Invalid or corrupt snapshot"),
      (.version(0), .refuses, "unable to handle snapshot disk version 0"),
      (.version(2), .refuses, "unable to handle snapshot disk version 2"),
      (.version(.max), .refuses, "unable to handle snapshot disk version -1"),
      (.chunkSectors(0), .refuses, "Chunk size is not a power of 2"),
      (.chunkSectors(3), .refuses, "Chunk size is not a power of 2"),
      (.chunkSectors(1 << 22), .refuses, "Chunk size is too high"),
      (.chunkSectors(1 << 21), .refuses, "shorter than its header chunk"),
      (.chunkSectors(1024), .refuses, "shorter than its header chunk"),
      (.chunkSectors(512), .refuses, "area 0 is past the store's end"),
      (.cut(byteCount: 4095), .refuses, "shorter than its header chunk"),
      (.cut(byteCount: 8191), .refuses, "area 0 is past the store's end"),
      (.cut(byteCount: 15), .refuses, "header cannot be read"),
      (.cut(byteCount: 0), .refuses, "header cannot be read"),
    ] as [(Damage, KernelLoad.Verdict, String)])
  func `a damaged store is judged in the kernel's words`(
    damage: Damage, verdict: KernelLoad.Verdict, words: String
  ) {
    let load = KernelLoad(Store(Self.builder.image(damage)))
    #expect(load.verdict == verdict)
    #expect(load.reason.contains(words), "\(load.reason)")
    if verdict == .refuses { #expect(load.status == nil) }
  }

  @Test func `a new store's status is known where the header still tells its chunk size`() {
    #expect(KernelLoad(Store(Self.builder.image(.magicErased))).status == "16/512 16")
    #expect(KernelLoad(Store(Self.builder.image(.headerZeroed))).status == nil)
    #expect(KernelLoad(Store(Self.builder.image(.magicErased, .version(9)))).status == nil)
  }

  @Test func `an unknown version is refused even where the store is marked invalid`() {
    let load = KernelLoad(Store(Self.builder.image(.valid(0), .version(2))))
    #expect(load.verdict == .refuses)
  }

  @Test func `an impossible chunk size is refused before the version is looked at`() {
    let load = KernelLoad(Store(Self.builder.image(.chunkSectors(3), .version(2))))
    #expect(load.reason.contains("chunk size"))
  }

  @Test func `an invalid store's table is measured although Linux does not read it`() {
    let load = KernelLoad(Store(Self.builder.image(.valid(0))))
    #expect(load.status == "Invalid")
    #expect(load.extent?.exceptionCount == 10)
  }

  @Test func `a full area whose successor lies beyond the end is refused`() {
    let full = StoreBuilder(chunkSectors: 8).copying(0..<256).sized(258)
    let load = KernelLoad(Store(full.image()))
    #expect(load.verdict == .refuses)
    #expect(load.reason.contains("area 1 is past the store's end"))
    #expect(KernelLoad(Store(full.sized(259).image())).verdict == .loads)
  }

  @Test func `an area that cannot be read is refused`() {
    let source = FaultySource(Self.builder.image(), unreadable: [8191..<8192])
    let load = KernelLoad(Store(source))
    #expect(load.verdict == .refuses)
    #expect(load.reason.contains("area 0 cannot be read"))
  }

  @Test func `a header that cannot be read is refused`() {
    let load = KernelLoad(Store(FaultySource(Self.builder.image(), unreadable: [0..<1])))
    #expect(load.verdict == .refuses)
    #expect(load.extent == nil)
  }

  @Test func `a run that outgrows its top byte would crash Linux`() {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 64)
      .adding((0, 255 << 56 | 2), (256 * 64 * 4, 9), (256, 258))
    #expect(KernelLoad(Store(builder.image())).verdict == .loads)  // 256 is in another bucket
    let crashing = StoreBuilder(chunkSectors: 1, chunkCount: 64)
      .adding((1, 255 << 56 | 3), (0, 2))
    let load = KernelLoad(Store(crashing.image()))
    #expect(load.verdict == .refuses)
    #expect(load.reason.contains("crash"))
  }

  @Test func `the visitor sees each exception of the one walk`() {
    let source = FaultySource(Self.builder.image())
    let store = Store(source)
    source.forgetReads()
    var count = 0
    _ = KernelLoad(store) { piece, _ in count += piece.liveCount }
    #expect(count == 10)
    #expect(source.hasReadEachByteAtMostOnce)
  }

  @Test(arguments: Reading.kernels)
  func `a store cut at any byte near a boundary is judged like the reference`(reading: Reading) {
    let image = StoreBuilder(chunkSectors: 1).copying(0..<40).image()
    for sector in 0...image.count / 512 {
      for byteCount in [sector * 512 - 1, sector * 512, sector * 512 + 1]
      where (0...image.count).contains(byteCount) {
        expectReference(Array(image.prefix(byteCount)), reading)
      }
    }
  }

  @Test(arguments: UInt64(1)...300)
  func `odd stores are judged like the reference`(seed: UInt64) {
    let made = OddStore.make(seed: seed)
    for reading in Reading.kernels { expectReference(made.store, reading) }
  }

  @Test(arguments: UInt64(1)...150)
  func `stores with flipped bits are judged like the reference`(seed: UInt64) {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 40).copying(3..<30)
    let image = builder.image(.flippedBits(60, seed: seed))
    for reading in Reading.kernels { expectReference(image, reading) }
  }

  @Test(arguments: 0..<128)
  func `a header with any bit flipped is judged like the reference`(bit: Int) {
    let builder = StoreBuilder(chunkSectors: 2, chunkCount: 70).copying(0..<66)
    var image = builder.image()
    image[bit / 8] ^= 1 << UInt8(bit % 8)
    for reading in Reading.kernels { expectReference(image, reading) }
  }

  private func expectReference(
    _ image: [UInt8], _ reading: Reading, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let load = KernelLoad(Store(image), reading: reading)
    let reference = ReferenceDecoder(image, reading.kernel)
    let verdict = reference.verdict == .crashes ? "refuses" : reference.verdict.rawValue
    #expect(
      load.verdict.rawValue == verdict, "\(image.count) bytes, \(reading): \(load.reason)",
      sourceLocation: sourceLocation)
    guard load.verdict != .new else { return }  // Linux prints the numbers of what it makes then
    #expect(load.status == reference.status, sourceLocation: sourceLocation)
  }
}
