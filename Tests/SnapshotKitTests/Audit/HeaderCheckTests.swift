import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// The header's findings name its fields' bytes, and what must stand there.
@Suite struct HeaderCheckTests {
  private static let builder = StoreBuilder(chunkSectors: 8, chunkCount: 20).copying(0..<4)

  private func check(_ damages: Damage...) -> [Finding] {
    var image = Self.builder.image()
    for damage in damages { damage.apply(to: &image, of: Self.builder) }
    return HeaderCheck(Store(image)).findings
  }

  @Test func `a sound header has no finding`() {
    #expect(check() == [])
  }

  @Test func `several fields may be wrong at once`() {
    #expect(
      check(.magicErased, .valid(0), .bytes([7], at: 50)).map(\.code)
        == [.headerMagicErased, .headerInvalid, .headerTail])
    #expect(check(.valid(9), .version(3)).map(\.code) == [.headerValidOdd, .headerVersion])
  }

  @Test func `an erased magic is one only where all else is sane`() {
    #expect(check(.magicErased, .version(2)) == [])
    #expect(check(.magicErased, .valid(2)) == [])
    #expect(check(.magicErased, .chunkSectors(3)) == [])
  }

  @Test(arguments: [16, 17, 100, 511, 512, 4095])
  func `any byte behind the header is its tail`(byteOffset: Int) {
    let findings = check(.bytes([0x80], at: byteOffset))
    #expect(findings.map(\.code) == [.headerTail])
    #expect(findings.first?.place.bytes == UInt64(byteOffset)..<UInt64(byteOffset) + 1)
  }

  @Test func `the tail goes from the first byte that is not zero to the last`() {
    let findings = check(.bytes([1], at: 20), .bytes([1], at: 4000))
    #expect(findings.first?.ranges == [20..<4001])
  }

  @Test func `a tail that cannot be read is said to be`() {
    let source = FaultySource(Self.builder.image(), unreadable: [1000..<1001])
    let findings = HeaderCheck(Store(source)).findings
    #expect(findings.map(\.code) == [.headerUnreadable])
    #expect(findings.first?.place.bytes?.contains(1000) == true)
  }
}
