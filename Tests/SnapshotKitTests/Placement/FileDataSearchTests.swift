import BlockIO
import SnapshotFormat
import TestSupport
import Testing

@testable import SnapshotKit

/// Where the data of files is likely placed.
struct FileDataSearchTests {
  @Test func `a file is found by its end, with all that was written before that`() throws {
    var overlay = FileOverlay()
    overlay.write([.text(4096), .text(4096), .text(100)], at: 100)
    overlay.write([.text(4096), .text(4096), .text(4096), .text(2000)], at: 300)
    overlay.write([.text(700)], at: 200)
    let plan = try overlay.plan()
    #expect(overlay.isRight(plan))
    #expect(plan.likelyCount == 8 && plan.unplacedCount == 0)
  }

  @Test func `files that end alike have the order of the store`() throws {
    var overlay = FileOverlay()
    overlay.write([.text(500)], at: 100)
    for chunk in 101..<106 { overlay.write([.text(11)], at: UInt64(chunk)) }
    overlay.write([.text(900)], at: 106)
    let plan = try overlay.plan(surviving: [100, 106])
    #expect(overlay.isRight(plan))
    #expect(plan.likelyCount == 5)
  }

  @Test func `an end that two orphans have names neither`() throws {
    var overlay = FileOverlay()
    overlay.write([.text(1234)], at: 100)
    overlay.write([.text(4096)], at: 400, isDeleted: true)
    overlay.write([.text(1234)], at: 200, isDeleted: true)
    #expect(try overlay.plan().placements == [])
  }

  @Test func `content without an end is placed between chunks that are known only`() throws {
    var overlay = FileOverlay()
    overlay.write([.text(4096), .text(4096), .text(4096), .text(4096)], at: 100)
    let plan = try overlay.plan(surviving: [100, 103])
    #expect(overlay.isRight(plan) && plan.likelyCount == 2)
    overlay.write([.text(4096)], at: 400, isDeleted: true)
    #expect(try overlay.plan(surviving: [100]).placements == [])
  }

  @Test(arguments: [3, 15])
  func `a file may end in a few zeroes, or in the fifteen of an ELF file`(count: Int) throws {
    var overlay = FileOverlay()
    overlay.write([.text(4096), .text(4096), .ended(2000, zeroCount: count)], at: 100)
    overlay.write([.text(4096), .ended(1200, zeroCount: 700)], at: 200)
    let plan = try overlay.plan()
    #expect(overlay.isRight(plan))
    #expect(plan.likelyCount == 3)
  }

  @Test(arguments: [(9, 9, 9), (9, 10, 0), (3, 3, 0)])
  func `all that is lost between two things that are known is one long file`(
    count: Int, orphanCount: Int, placedCount: UInt64
  ) throws {
    var overlay = FileOverlay()
    overlay.write([.text(500)], at: 50)
    overlay.write([FileOverlay.Content](repeating: .text(4096), count: count), at: 100)
    for block in count..<orphanCount {
      overlay.write([.text(4096)], at: UInt64(400 + block), isDeleted: true)
    }
    overlay.write([.text(700)], at: 300)
    let plan = try overlay.plan(surviving: [50, 300])
    #expect(overlay.isRight(plan) && plan.likelyCount == placedCount)
  }

  @Test func `the rest of a file may be copied long after a chunk that it shares`() throws {
    var overlay = FileOverlay(blocksPerChunk: 2)
    overlay.write([.text(4096), .text(4096), .text(900)], at: 100)
    overlay.write([.text(4096), .text(4096), .text(300)], at: 300)
    overlay.write([FileOverlay.Content](repeating: .text(4096), count: 6) + [.text(77)], at: 103)
    let plan = try overlay.plan()
    #expect(overlay.isRight(plan) && plan.likelyCount == 7)
  }

  @Test func `what must have been written is somewhere, however it looks`() throws {
    var overlay = FileOverlay()
    overlay.write([.text(500)], at: 50)
    let rows = (0..<20).map { FileOverlay.Content.text(2000 + 90 * $0) }
    overlay.write(rows + [.text(1234)], at: 100)
    let plan = try overlay.plan(surviving: [50])
    #expect(overlay.isRight(plan) && plan.likelyCount == 21)
  }

  @Test func `what lies between files is passed over`() throws {
    var overlay = FileOverlay()
    overlay.write([.text(4096), .text(1000)], at: 100)
    overlay.write([.text(4096), .text(4096), .text(3000)], at: 102, isDeleted: true)
    overlay.write([.text(4096), .text(2000)], at: 105)
    let plan = try overlay.plan()
    #expect(overlay.isRight(plan) && plan.likelyCount == 4)
  }

  @Test func `a chunk that files share is found by both ends`() throws {
    var overlay = FileOverlay(blocksPerChunk: 2)
    overlay.write([.text(4096), .text(4096), .text(1500)], at: 100)
    overlay.write([.text(600)], at: 103)
    let plan = try overlay.plan()
    #expect(overlay.isRight(plan) && plan.likelyCount == 2)
  }

  @Test func `what a chunk keeps of the origin names its place`() throws {
    var overlay = FileOverlay(blocksPerChunk: 2)
    overlay.fill(100, .text(4096))
    overlay.write([.text(600)], at: 101)
    let plan = try overlay.plan()
    #expect(overlay.isRight(plan) && plan.likelyCount == 1)
  }

  @Test(arguments: [true, false])
  func `what is added to a file leaves what was there`(isWritten: Bool) throws {
    var overlay = FileOverlay()
    overlay.fill(50, .text(3000))
    overlay.fill(60, .text(3000))
    overlay.append(.text(800), at: 50, isWritten: isWritten)
    let plan = try overlay.plan()
    #expect(overlay.isRight(plan))
    // A file whose content was not written is no witness: another file may be a copy of it.
    #expect(plan.placements.map(\.evidence) == (isWritten ? [[.rewritten]] : []))
  }

  @Test func `nothing is placed where the snapshot is not newer than its origin`() throws {
    var overlay = FileOverlay()
    overlay.isNewer = false
    overlay.write([.text(4096), .text(100)], at: 100)
    #expect(try overlay.plan().placements == [])
  }
}

/// Files in an overlay: what the origin had, and what was written, in the order of the store.
struct FileOverlay {
  private static let blockByteCount = 4096
  private static let blockCount = 1024

  enum Content {
    /// So many bytes that are not zero.
    case text(Int)
    /// The same, and then zeroes that are the file's.
    case ended(Int, zeroCount: Int)
  }

  var isNewer = true
  private let blocksPerChunk: Int
  private var origin = [UInt8](repeating: 0, count: blockCount * blockByteCount)
  private var snapshot = [UInt8](repeating: 0, count: blockCount * blockByteCount)
  private var files: [FileLayout] = []
  private var before: [FileLayout] = []
  private var used: Set<Int> = []
  /// The chunks of the origin in the order of the store.
  private var olds: [UInt64] = []
  private var state: UInt32 = 1

  init(blocksPerChunk: Int = 1) { self.blocksPerChunk = blocksPerChunk }

  /// Writes a file, from a block on.
  mutating func write(_ blocks: [Content], at block: UInt64, isDeleted: Bool = false) {
    var byteCount = 0
    for (index, content) in blocks.enumerated() {
      byteCount = index * Self.blockByteCount + put(content, in: Int(block) + index, from: 0)
    }
    let file = file(at: block, byteCount, time: 2)
    if !isDeleted { files.append(file) }
  }

  /// Gives the origin a file of one block.
  mutating func fill(_ block: UInt64, _ content: Content) {
    let byteCount = put(content, in: Int(block), from: 0)
    olds.removeLast()
    let bytes = Int(block) * Self.blockByteCount..<Int(block + 1) * Self.blockByteCount
    origin.replaceSubrange(bytes, with: snapshot[bytes])
    used.insert(Int(block))
    before.append(file(at: block, byteCount, time: 1))
    files.append(file(at: block, byteCount, time: 1))
  }

  /// Adds to a file of one block.
  mutating func append(_ content: Content, at block: UInt64, isWritten: Bool) {
    guard let index = files.firstIndex(where: { $0.inode == block }) else { return }
    let count = put(content, in: Int(block), from: Int(files[index].byteCount))
    files[index] = file(
      at: block, Int(files[index].byteCount) + count, time: isWritten ? 2 : 1)
  }

  private func file(at block: UInt64, _ byteCount: Int, time: UInt64) -> FileLayout {
    let size = UInt64(Self.blockByteCount)
    let count = (UInt64(byteCount) + size - 1) / size * size
    return FileLayout(
      inode: block, isDirectory: false, byteCount: UInt64(byteCount), writeTime: time,
      extents: [
        FileLayout.Extent(logicalByte: 0, physicalByte: block * size, byteCount: count)
      ])
  }

  private mutating func put(_ content: Content, in block: Int, from start: Int) -> Int {
    let (count, zeroCount) =
      switch content {
      case .text(let count): (count, 0)
      case .ended(let count, let zeroCount): (count, zeroCount)
      }
    for index in start..<start + count {
      state = state &* 1_664_525 &+ 1_013_904_223
      snapshot[block * Self.blockByteCount + index] = UInt8(state >> 24) | 1
    }
    let chunk = UInt64(block / blocksPerChunk)
    if !olds.contains(chunk) { olds.append(chunk) }
    return count + zeroCount
  }

  /// What the mapper of a file system would say.
  private struct Mapper: FileMapper {
    let files: [FileLayout]
    let before: [FileLayout]
    let free: [Range<UInt64>]
    let isNewer: Bool
    var blockByteCount: Int { FileOverlay.blockByteCount }

    func forEachFile(of view: SnapshotView, _ body: (FileLayout) -> Void) {
      (view.table.runs.isEmpty && !before.isEmpty ? before : files).forEach(body)
    }
    func freeRanges(of view: SnapshotView) -> [Range<UInt64>] { free }
    func isNewer(_ view: SnapshotView) -> Bool { isNewer }
    func isStructure(_ block: Span<UInt8>) -> Bool { false }
  }

  /// A plan for the store of which only some exceptions survive.
  func plan(surviving: Set<UInt64> = [0]) throws -> PlacementPlan {
    let size = Self.blockByteCount * blocksPerChunk
    var store = [UInt8](repeating: 0, count: 2 * size)
    var runs: [ExceptionRun] = []
    var orphans: [Orphan] = []
    // Something that no file has comes first, so that the table is not empty.
    for (index, old) in ([0] + olds).enumerated() {
      store += snapshot[Int(old) * size..<Int(old + 1) * size]
      let new = UInt64(index) + 2
      if old == 0 || surviving.contains(old) {
        runs.append(ExceptionRun(old: old, new: new, count: 1))
      } else {
        orphans.append(Orphan(new: new, count: 1, old: nil, reason: .exceptionLost))
      }
    }
    let block = UInt64(Self.blockByteCount)
    let mapper = Mapper(
      files: files, before: before,
      free: (1..<Self.blockCount).filter { !used.contains($0) }.map {
        UInt64($0) * block..<UInt64($0 + 1) * block
      }.reduce(into: []) { ranges, range in
        if let last = ranges.last, last.upperBound == range.lowerBound {
          ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
          ranges.append(range)
        }
      }, isNewer: isNewer)
    let source = MemorySource(store)
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: UInt32(8 * blocksPerChunk)),
      byteCount: source.byteCount)
    return try PlacementPlan(
      source, geometry, runs, orphans, of: MemorySource(origin), [FileDataSearch(mapper)])
  }

  /// Whether each placement is right: the orphan is what the snapshot shows there.
  func isRight(_ plan: PlacementPlan) -> Bool {
    plan.placements.allSatisfy { placement in
      (0..<placement.count).allSatisfy { index in
        let new = Int(placement.new + index)
        return new > 2 && olds[new - 3] == placement.old + index
      }
    }
  }
}
