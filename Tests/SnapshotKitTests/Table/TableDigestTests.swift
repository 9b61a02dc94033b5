import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// The digest of a table is that of its words, as docs/undo.md has it.
@Suite struct TableDigestTests {
  @Test(arguments: [0, 1, 7, 2730, 2731, 3000, 6000])
  func `it is SHA-256 of the chunk size and the runs`(count: Int) throws {
    let table = try StoreBuilder(chunkSectors: 2).copying((0..<count).map { $0 * 2 }).loaded().table
    #expect(table.runs.count == count)
    var words: [UInt64] = [2]
    for run in table.runs { words += [run.old, run.new, run.count] }
    #expect(table.digest.hexadecimal == words.flatMap(\.littleEndianBytes).sha256)
  }
}
