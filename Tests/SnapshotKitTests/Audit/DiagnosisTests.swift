import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// The accident that leaves just such findings is named, and what can be saved after it.
@Suite struct DiagnosisTests {
  private static let builder = StoreBuilder(chunkSectors: 8, chunkCount: 60)
  private static let ten = builder.copying(3..<13)
  private static let hundred = StoreBuilder(chunkSectors: 1, chunkCount: 140).copying(100..<200)

  private func diagnosis(
    _ image: [UInt8], name: String = "store.img", unreadable: [Range<UInt64>] = []
  ) -> Diagnosis? {
    Diagnosis(Auditor(Store(FaultySource(image, name: name, unreadable: unreadable))).audit())
  }

  private func expect(
    _ image: [UInt8], unreadable: [Range<UInt64>] = [], _ words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let cause = diagnosis(image, unreadable: unreadable)?.cause
    #expect(cause?.contains(words) == true, "\(cause ?? "nothing")", sourceLocation: sourceLocation)
  }

  @Test(arguments: [0, 1, 31, 32, 100])
  func `nothing happened to a store that Linux wrote`(count: Int) {
    let image = StoreBuilder(chunkSectors: 1, chunkCount: 140).copying(0..<count).image()
    #expect(diagnosis(image) == nil)
    #expect(diagnosis([]) == nil && diagnosis(Stamp.origin(byteCount: 65_536)) == nil)
  }

  // MARK: - Headers

  @Test func `a signature that is gone`() {
    expect(Self.ten.image(.magicErased), "erased the signature")
  }

  @Test(
    arguments: [(16, "first sectors were zeroed"), (4096, "as lvcreate and lvconvert do")])
  func `zeroes say how many they are`(byteCount: Int, words: String) {
    let builder = byteCount < 512 ? Self.hundred : Self.ten
    expect(builder.image(.bytes([UInt8](repeating: 0, count: byteCount), at: 0)), words)
  }

  @Test func `64 KiB of zeroes are a live system's reset`() {
    let long = StoreBuilder(chunkSectors: 8, chunkCount: 700).copying(0..<600)
    expect(long.image(.bytes([UInt8](repeating: 0, count: 65_536), at: 0)), "\"reset overlay\"")
  }

  @Test func `something over the header, or exceptions over it`() {
    expect(Self.ten.image(.magic("LUKS")), "something wrote over the header")
    let exceptions = (UInt64(40)..<72).flatMap {
      $0.littleEndianBytes + ($0 - 35).littleEndianBytes
    }
    expect(Self.ten.image(.bytes(exceptions, at: 0)), "Linux up to 2.6.31 wrote exceptions")
  }

  @Test func `a header that cannot be read`() {
    expect(Self.ten.image(), unreadable: [0..<1], "the medium fails where the header is")
  }

  @Test func `a chunk size or a version that is wrong`() {
    expect(Self.ten.image(.chunkSectors(64)), "the header's chunk size is damaged")
    expect(Self.ten.image(.chunkSectors(7)), "the header's chunk size is damaged")
    expect(Self.ten.image(.version(3)), "the header's version is damaged")
  }

  @Test func `a store that is invalid, and why`() {
    expect(Self.ten.image(.valid(0)), "it overflowed, or a write to its store failed")
    expect(Self.ten.sized(12).image(.valid(0)), "its store was full when a chunk had to be copied")
    let small = StoreBuilder(chunkSectors: 1, chunkCount: 34).copying(0..<31)
    expect(
      small.image(.valid(0), .bytes([1], at: 33 * 512)), "where its next area had no room")
  }

  @Test(
    arguments: [
      ("/dev/mapper/vg-snap-cow", "this LVM snapshot"),
      ("/x/overlay-ABC-123", "this live-USB overlay"),
      ("/run/LiveOS/store", "this live-USB overlay"), ("store.img", "this snapshot"),
    ])
  func `only its name can tell whose it is`(name: String, words: String) {
    let cause = diagnosis(Self.ten.image(.valid(0)), name: name)?.cause
    #expect(cause?.contains(words) == true, "\(cause ?? "nothing")")
  }

  // MARK: - Tables

  @Test func `a store that was cut`() {
    expect(Self.ten.image(.cut(byteCount: 8 * 4096)), "the store was cut short: a partial copy")
    expect(Self.hundred.image(.cut(byteCount: 34 * 512)), "the store was cut short")
  }

  @Test func `a store that ends at the limit of FAT`() throws {
    let header = Array(StoreBuilder(chunkSectors: 8).image().prefix(16))
    var exceptions: [UInt8] = []
    for (old, new) in [(0, 2), (1, 3), (2, 4), (3, 5), (4, 1_310_720)] as [(UInt64, UInt64)] {
      exceptions += old.littleEndianBytes + new.littleEndianBytes
    }
    let source = FaultySource(
      byteCount: (4 << 30) - 4096, pieces: [(0, header), (4096, exceptions)])
    let cause = Diagnosis(Auditor(Store(source)).audit())?.cause
    #expect(cause?.contains("it ends at 4 GiB") == true, "\(cause ?? "nothing")")
  }

  @Test func `a medium that fails in an area`() {
    expect(
      Self.hundred.image(), unreadable: [34 * 512..<34 * 512 + 1],
      "the medium fails in metadata areas")
  }

  @Test func `other data in areas`() {
    expect(Self.hundred.image(.randomChunk(34, seed: 1)), "metadata areas hold other data")
    let wrong = StoreBuilder(chunkSectors: 8, chunkCount: 60).copying(3..<13)
    expect(wrong.image(.exception(slot: 9, old: 12, new: 1)), "CVE-2013-4299")
  }

  @Test func `an area that was torn, one that was lost, a slot that was flipped`() {
    let zeroes = [UInt8](repeating: 0, count: 64)
    expect(
      Self.ten.image(.bytes(zeroes, at: Self.ten.byteOffset(slot: 4))), "was torn (power loss)")
    let dense = StoreBuilder(chunkSectors: 1, chunkCount: 140).copying(
      (0..<100).map { $0 * 7 % 100 })
    expect(dense.image(.zeroChunk(34)), "metadata areas were lost")
    expect(Self.ten.image(.exception(slot: 4, old: 7, new: 1 << 60 | 6)), "flipped bits")
  }

  // MARK: - Pasts

  @Test func `a table that was begun anew`() {
    let stale = StoreBuilder(chunkSectors: 1, chunkCount: 140).copying(0..<100)
    expect(stale.image(.zeroChunk(1)), "a new, empty table was started over an older one")
  }

  @Test func `a merge that came to its end`() {
    expect(Self.builder.image(.bytes([1], at: 2 * 4096)), "a merge was completed")
  }

  // MARK: - Prospects

  @Test func `what can be saved is counted`() throws {
    let invalid = try #require(diagnosis(Self.ten.image(.valid(0))))
    #expect(
      invalid.prospect
        == Diagnosis.Prospect(usableCount: 10, doubtfulCount: 0, lostCount: 48, isEndLost: false))
    let damaged = try #require(diagnosis(Self.hundred.image(.randomChunk(34, seed: 1))))
    #expect(damaged.prospect.usableCount == 68 && damaged.prospect.lostCount == 32)
    #expect(!damaged.prospect.isEndLost)
    let cut = try #require(diagnosis(Self.hundred.image(.cut(byteCount: 20 * 512))))
    #expect(cut.prospect.usableCount == 18 && cut.prospect.lostCount == 14)
    #expect(cut.prospect.isEndLost)
  }

  @Test func `what may be another table's is in doubt`() throws {
    let ascending = StoreBuilder(chunkSectors: 1, chunkCount: 140).copying(
      (0..<100).map { $0 * 3 })
    let prospect = try #require(diagnosis(ascending.image(.randomChunk(34, seed: 1)))).prospect
    #expect(prospect.usableCount == 68 && prospect.doubtfulCount == 36)
  }
}
