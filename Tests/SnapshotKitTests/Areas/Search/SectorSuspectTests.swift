import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// The first 64 bytes of a sector tell whether it may begin a store or an area.
@Suite struct SectorSuspectTests {
  /// The suspects in some bytes, a line each: "3 area 35".
  private func suspects(in bytes: [UInt8]) -> [String] {
    var suspects: [SectorSuspect] = []
    IOBuffer(bytes).withRecords(of: UInt64.self, count: bytes.count / 8) {
      SectorSuspect.find(in: $0, into: &suspects)
    }
    return suspects.map { suspect in
      switch suspect.kind {
      case .magic: "\(suspect.sector) magic"
      case .erasedHeader: "\(suspect.sector) erased header"
      case .area(let firstNewChunk): "\(suspect.sector) area \(firstNewChunk)"
      }
    }
  }

  private func padded(_ bytes: [UInt8], to byteCount: Int = 512) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: byteCount - bytes.count)
  }

  private func header(_ fields: UInt32...) -> [UInt8] {
    padded(fields.flatMap(\.littleEndianBytes))
  }

  /// A sector of exceptions for those new chunks.
  private func area(_ news: some Sequence<UInt64>) -> [UInt8] {
    padded(news.enumerated().flatMap { UInt64($0 * 91).littleEndianBytes + $1.littleEndianBytes })
  }

  @Test func `a sector that begins with the magic is one, whatever follows`() {
    let magic = Array("SnAp".utf8)
    let late = padded([0, 0, 0, 0] + magic)
    let sectors = padded(magic) + late + padded(magic + [UInt8](repeating: 0xff, count: 508))
    #expect(suspects(in: sectors) == ["0 magic", "2 magic"])
    #expect(suspects(in: padded(Array("pAnS".utf8))) == [])
  }

  @Test(
    arguments: [
      ([0, 0, 1, 1], true), ([0, 1, 1, 8], true), ([0, 1, 1, 1 << 21], true),
      ([0, 1, 1, 1 << 22], false), ([0, 1, 1, 1 << 31], false), ([0, 1, 1, .max], false),
      ([0, 1, 1, 0], false), ([0, 1, 1, 24], false), ([0, 2, 1, 8], false), ([1, 1, 1, 8], false),
      ([0, 1, 0, 8], false), ([0, 1, 2, 8], false), ([0, 1, .max, 8], false),
    ] as [([UInt32], Bool)])
  func `a header without its magic has fields that Linux writes`(
    fields: [UInt32], isSuspect: Bool
  ) {
    let sector = header(fields[0], fields[1], fields[2], fields[3])
    #expect(suspects(in: sector) == (isSuspect ? ["0 erased header"] : []))
  }

  @Test(
    arguments: [
      ([2, 3, 4, 5], true), ([35, 36, 37, 38], true), ([2, 258, 514, 770], true),
      ([2, 259, 260, 261], false), ([2, 3, 4, 261], false), ([2, 3, 4], false),
      ([2, 3, 4, 4], false), ([5, 4, 3, 2], false), ([1, 2, 3, 4], false), ([0, 1, 2, 3], false),
      ([.max, .max, .max, .max], false),
      ([(1 << 54) - 4, (1 << 54) - 3, (1 << 54) - 2, (1 << 54) - 1], true),
      ([(1 << 54) - 3, (1 << 54) - 2, (1 << 54) - 1, 1 << 54], false),
    ] as [([UInt64], Bool)])
  func `an area begins with four new chunks that rise`(news: [UInt64], isSuspect: Bool) {
    #expect(suspects(in: area(news)) == (isSuspect ? ["0 area \(news[0])"] : []))
  }

  @Test func `a sector that counts on from the one before begins no area`() {
    let first = area(2..<34)
    #expect(suspects(in: first + area(34..<66)) == ["0 area 2"])
    #expect(suspects(in: first + area(35..<67)) == ["0 area 2", "1 area 35"])
    // Without a sector before, nothing is known of it.
    #expect(suspects(in: area(34..<66)) == ["0 area 34"])
  }

  @Test func `a sector that is not whole is not examined`() {
    #expect(suspects(in: []) == [])
    #expect(suspects(in: Array(area(2..<34).prefix(504))) == [])
    #expect(suspects(in: area(2..<34) + Array("SnAp".utf8) + [0, 0, 0, 0]) == ["0 area 2"])
  }

  @Test func `suspects are added to those of other pieces`() {
    var suspects: [SectorSuspect] = []
    for byte in [UInt8(7), 0] {
      let bytes = [UInt8](repeating: byte, count: 1024) + padded(Array("SnAp".utf8))
      IOBuffer(bytes).withRecords(of: UInt64.self, count: bytes.count / 8) {
        SectorSuspect.find(in: $0, into: &suspects)
      }
    }
    #expect(suspects.map(\.sector) == [2, 2])
  }
}
