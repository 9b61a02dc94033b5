import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Metadata of XFS says where it belongs; only what is certainly of this store is proven.
struct XFSSearchTests {
  private static let xfs = XFSBuilder()

  /// A store with some chunks that the table names, and some that nothing names.
  private struct Made {
    var chunkSectors: UInt32 = 8
    /// Chunks of the store, from 2 on, and the chunk of the origin if the table names it.
    var chunks: [(content: [UInt8], old: UInt64?)] = []
    var reason = Orphan.Reason.exceptionLost
    /// What the origin has, beside the superblock, by byte.
    var origin: [(bytes: [UInt8], at: Int)] = []

    func plan() throws -> PlacementPlan {
      let chunkSize = try ChunkSize(sectorCount: chunkSectors)
      var store = [UInt8](repeating: 0, count: Int(chunkSize.byteCount) * 2)
      var runs: [ExceptionRun] = []
      var orphans: [Orphan] = []
      for (index, chunk) in chunks.enumerated() {
        let new = UInt64(index + 2)
        #expect(chunk.content.count == Int(chunkSize.byteCount))
        store += chunk.content
        if let old = chunk.old {
          runs.append(ExceptionRun(old: old, new: new, count: 1))
        } else {
          orphans.append(Orphan(new: new, count: 1, old: nil, reason: reason))
        }
      }
      var image = [UInt8](repeating: 0, count: XFSBuilder.byteCount)
      image.put(xfs.superblock(), at: 0)
      for (bytes, byteOffset) in origin { image.put(bytes, at: byteOffset) }
      let source = MemorySource(image)
      let search = try #require(try XFSSearch(source))
      return try PlacementPlan(
        MemorySource(store),
        StoreGeometry(chunkSize: chunkSize, byteCount: UInt64(store.count)), runs, orphans,
        of: source, [search])
    }

    /// The old chunk of each placed one, by its new chunk.
    func places(_ strength: Evidence.Strength) throws -> [UInt64: UInt64] {
      var places: [UInt64: UInt64] = [:]
      for placement in try plan().placements where placement.strength == strength {
        for index in 0..<placement.count {
          places[placement.new + index] = placement.old + index
        }
      }
      return places
    }
  }

  /// Four chunks of the log: a record from sector 4 on, and another behind it in the last.
  private static var log: [[UInt8]] {
    let bytes =
      xfs.record(sector: 0, dataSectorCount: 3) + xfs.record(sector: 4, dataSectorCount: 24)
      + xfs.record(sector: 29, dataSectorCount: 2)
    return stride(from: 0, to: bytes.count, by: 4096).map { Array(bytes[$0..<$0 + 4096]) }
  }
  private static let logChunk = UInt64(XFSBuilder.logStart)
  private static let zero = [UInt8](repeating: 0, count: 4096)

  @Test func `where there is no XFS, nothing is searched`() throws {
    #expect(try XFSSearch(MemorySource([UInt8](repeating: 1, count: 65536))) == nil)
    #expect(try XFSSearch(MemorySource([])) == nil)
  }

  @Test func `blocks and inodes are proven`() throws {
    let made = Made(chunks: [
      (Self.xfs.inodes(block: 9), nil), (Self.zero, 50),
      (Self.xfs.block(0x5844_4233, block: 77, .directory), nil),
      (Self.xfs.block(0x4142_3342, block: 2, .short), nil), (Self.zero, nil),
    ])
    #expect(try made.places(.proven) == [2: 9, 4: 77, 5: 2])
    #expect(try made.places(.likely).isEmpty)
  }

  @Test func `what contradicts itself, or is a copy, has no place`() throws {
    let mixed = Array(
      Self.xfs.inodes(block: 9)[..<2048] + Self.xfs.inodes(block: 10)[2048...])
    let displaced = Array(Self.zero[..<512] + Self.xfs.inodes(block: 11)[..<3584])
    var changed = Self.xfs.block(0x4142_3342, block: 2, .short)
    changed[4095] ^= 1
    let foreign = XFSBuilder(identifier: 8).inodes(block: 12)
    let made = Made(chunks: [(mixed, nil), (displaced, nil), (changed, nil), (foreign, nil)])
    #expect(try made.plan().placements.isEmpty)
  }

  @Test func `of two chunks for one place neither is proven`() throws {
    var made = Made(chunks: [
      (Self.xfs.inodes(block: 9, fill: 1), nil), (Self.xfs.inodes(block: 9, fill: 2), nil),
    ])
    #expect(try made.plan().placements.isEmpty)
    made.chunks[1] = made.chunks[0]
    #expect(try made.places(.proven) == [2: 9])
  }

  @Test(arguments: [1, 2, 4] as [UInt32])
  func `a block larger than chunks is put together`(chunkSectors: UInt32) throws {
    let size = Int(chunkSectors) * 512
    let block = Self.xfs.block(0x5844_4233, block: 77, .directory)
    let count = block.count / size
    var made = Made(chunkSectors: chunkSectors)
    for index in 0..<count {
      made.chunks.append((Array(block[index * size..<(index + 1) * size]), nil))
    }
    let first = UInt64(77 * count)
    let expected = (0..<UInt64(count)).map { ($0 + 2, first + $0) }
    #expect(try made.places(.proven) == Dictionary(uniqueKeysWithValues: expected))
    // A piece that the table names is read from where it says.
    made.chunks[count - 1].old = first + UInt64(count) - 1
    #expect(try made.places(.proven).count == count - 1)
    made.chunks[count - 1].content[7] ^= 1
    #expect(try made.plan().placements.isEmpty)
  }

  @Test func `a record of the log is put together by its checksum`() throws {
    let made = Made(chunks: Self.log.map { ($0, nil) })
    #expect(try made.plan().placements.map(\.evidence) == [[.xfsLog]])
    let start = Self.logChunk
    #expect(try made.places(.proven) == [2: start, 3: start + 1, 4: start + 2, 5: start + 3])
  }

  @Test func `what order alone gives a place is likely`() throws {
    var made = Made(chunks: Self.log.map { ($0, nil) })
    made.chunks[2].content[700] ^= 1
    #expect(try made.places(.proven) == [2: Self.logChunk, 5: Self.logChunk + 3])
    #expect(try made.places(.likely) == [3: Self.logChunk + 1, 4: Self.logChunk + 2])
  }

  @Test func `cleared sectors of the log have their places`() throws {
    let cleared = (0..<8).flatMap { Self.xfs.clearedSector(UInt64(40 + $0), cycle: 0) }
    #expect(try Made(chunks: [(cleared, nil)]).places(.proven) == [2: Self.logChunk + 5])
  }

  @Test(arguments: [Orphan.Reason.endLost, .inFlight])
  func `what may be of another use of the space is likely`(reason: Orphan.Reason) throws {
    let made = Made(chunks: [(Self.zero, 50), (Self.xfs.inodes(block: 9), nil)], reason: reason)
    #expect(try made.places(.proven).isEmpty)
    #expect(try made.places(.likely) == [3: 9])
  }

  @Test func `what leaked is never placed`() throws {
    let made = Made(chunks: [(Self.xfs.inodes(block: 9), nil)], reason: .leaked)
    #expect(try made.plan().placements.isEmpty)
  }

  @Test func `what comes before a record that the table has the rest of is proven`() throws {
    let log = Self.log
    let made = Made(
      chunks: [
        (log[0], Self.logChunk), (log[1], Self.logChunk + 1), (Self.xfs.inodes(block: 9), nil),
        (log[2], nil), (log[3], nil), (Self.xfs.inodes(block: 10), nil),
      ], reason: .endLost)
    #expect(try made.places(.proven) == [4: 9, 5: Self.logChunk + 2, 6: Self.logChunk + 3])
    #expect(try made.places(.likely) == [7: 10])
  }

  @Test func `residue is not even likely`() throws {
    let log = Self.log
    let made = Made(
      chunks: [
        (log[0], Self.logChunk), (log[1], Self.logChunk + 1), (Self.xfs.inodes(block: 9), nil),
        (log[2], nil), (log[3], nil), (Self.xfs.inodes(block: 10), nil),
        // Another clone's: its log begins where this one's does.
        (Self.xfs.record(sector: 0, dataSectorCount: 7, seed: 5), nil),
        (Self.xfs.inodes(block: 9, fill: 3), nil), (Self.xfs.inodes(block: 11), nil),
      ], reason: .endLost)
    #expect(try made.places(.proven) == [4: 9, 5: Self.logChunk + 2, 6: Self.logChunk + 3])
    #expect(try made.places(.likely).isEmpty)
  }
}
