import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// Blocks of zeroes as a copy leaves them are noted, zero chunks are not.
@Suite struct ZeroBlockTests {
  private let image: [UInt8] = {
    let builder = StoreBuilder().copying((0..<200).map { $0 * 2 })
    var image = builder.image()
    for chunk in 2..<202 { image.put([UInt8](repeating: 7, count: 4096), at: chunk * 4096) }
    return image
  }()

  private func findings(_ bytes: [UInt8]) throws -> [Finding] {
    let auditor = Auditor(Store(FaultySource(bytes)))
    return try auditor.audit(.data).findings.filter { $0.code == .dataZeroBlock }
  }

  @Test func `an aligned block in several exceptions' data is noted`() throws {
    var bytes = image
    bytes.put([UInt8](repeating: 0, count: 65536), at: 100 * 4096)
    let found = try findings(bytes)
    #expect(found.map(\.place.bytes) == [409_600..<475_136])
  }

  @Test func `zero chunks are none`() throws {
    var bytes = image
    #expect(try findings(bytes).isEmpty)
    bytes.put([UInt8](repeating: 0, count: 3 * 4096), at: 100 * 4096)
    #expect(try findings(bytes).isEmpty)
  }
}
