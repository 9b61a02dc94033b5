import BlockIO
import Foundation
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What the order of the copies, and numbers in them, say of orphans: likely at most.
@Suite struct SequenceSearchTests {
  private static let chunkCount = 600

  /// What a snapshot is, chunk by chunk; the origin has other content everywhere.
  private enum Content { case noise, pages }

  private static func bytes(_ old: Int, _ content: Content) -> [UInt8] {
    var noise = SplitMix64(seed: UInt64(old) &* 77 &+ 5)
    var bytes = (0..<64).flatMap { _ in noise.next().littleEndianBytes }
    // The pages of a database have their numbers, big-endian, in their fifth to eighth bytes.
    if content == .pages { bytes.replaceSubrange(4..<8, with: UInt32(old).bigEndianBytes) }
    return bytes
  }

  /// An overflowed store: exceptions for the first of `olds`, and data without a name for the rest.
  private func placement(
    _ olds: [Int], named: Int, _ content: Content, zeroed: Set<Int> = [],
    origin: [Int: [UInt8]] = [:]
  ) throws -> (plan: PlacementPlan, truth: [UInt64: UInt64]) {
    let copies = olds.enumerated().map { position, old in
      zeroed.contains(position) ? Array(repeating: 0, count: 512) : Self.bytes(old, content)
    }
    var originImage = Array(repeating: UInt8(0xee), count: Self.chunkCount * 512)
    for (old, bytes) in origin { originImage.put(bytes, at: old * 512) }
    return try placement(olds, copies, named: named, chunkSectors: 1, origin: originImage)
  }

  /// The same, of chunks of any content and size.
  private func placement(
    _ olds: [Int], _ copies: [[UInt8]], named: Int, chunkSectors: Int, origin: [UInt8]
  ) throws -> (plan: PlacementPlan, truth: [UInt64: UInt64]) {
    let all = StoreBuilder(chunkSectors: chunkSectors).copying(olds)
    let chunkCount = Int(all.exceptions.last?.new ?? 0) + 1
    var image = StoreBuilder(chunkSectors: chunkSectors, chunkCount: chunkCount)
      .copying(olds.prefix(named)).image(.valid(0))
    var truth: [UInt64: UInt64] = [:]
    for (position, exception) in all.exceptions.enumerated() {
      image.put(copies[position], at: Int(exception.new) * chunkSectors * 512)
      if position >= named { truth[exception.new] = exception.old }
    }
    let source = FaultySource(origin)
    let plan = try SalvagePlan(Store(FaultySource(image)), originByteCount: source.byteCount)
    return (try plan.placements(of: try plan.generation(0), origin: source), truth)
  }

  /// How many places there are, of which every one must be right and likely.
  private func right(_ found: (plan: PlacementPlan, truth: [UInt64: UInt64])) -> Int {
    var count = 0
    for placement in found.plan.placements {
      #expect(placement.strength == .likely)
      for within in 0..<placement.count {
        #expect(found.truth[placement.new + within] == placement.old + within)
        count += 1
      }
    }
    return count
  }

  @Test func `one writer goes on where the table ends`() throws {
    let found = try placement(Array(100..<200), named: 40, .noise)
    #expect(right(found) == 60)
    #expect(found.plan.likelyCount == 60 && found.plan.provenCount == 0)
    #expect(found.plan.placements.allSatisfy { $0.evidence == [.sequence] })
  }

  @Test func `it skips what was copied before`() throws {
    let olds = [150, 151, 170] + Array(100..<150) + Array(152..<170) + Array(171..<190)
    #expect(right(try placement(olds, named: 40, .noise)) == olds.count - 40)
  }

  @Test func `two writers in turn are told apart by numbers, and otherwise not at all`() throws {
    var random = SplitMix64(seed: 3)
    var (first, second, olds) = (100, 400, [Int]())
    while olds.count < 150 {
      for _ in 0..<Int.random(in: 1..<9, using: &random) {
        olds.append(first)
        first += 1
      }
      for _ in 0..<Int.random(in: 1..<9, using: &random) {
        olds.append(second)
        second += 1
      }
    }
    #expect(right(try placement(olds, named: 64, .pages)) == olds.count - 64)
    #expect(try placement(olds, named: 64, .noise).plan.placements == [])
  }

  /// Lines of a log, with process numbers that grow.
  private static func log(
    _ chunkCount: Int, from start: Int, steps: Range<Int> = 1..<400, seed: UInt64
  ) -> [[UInt8]] {
    var random = SplitMix64(seed: seed)
    var (text, process) = ([UInt8](), start)
    while text.count < chunkCount * 4096 {
      process += max(0, Int.random(in: steps, using: &random))
      let words = (0..<Int.random(in: 3..<40, using: &random)).map { _ in "word" }
      text += "Nov 28 2026 host daemon[\(process)]: \(words.joined(separator: " "))\n".utf8
    }
    return (0..<chunkCount).map { Array(text[$0 * 4096..<($0 + 1) * 4096]) }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `two logs written in turn are told apart by their growing numbers`(seed: UInt64) throws {
    func turns(_ logs: [[[UInt8]]]) -> (olds: [Int], copies: [[UInt8]]) {
      var random = SplitMix64(seed: seed + 10)
      var (olds, copies, next) = ([Int](), [[UInt8]](), [0, 0])
      while olds.count < 160 {
        let log = olds.count / 8 % 2
        for _ in 0..<Int.random(in: 1..<9, using: &random) {
          olds.append(100 + 300 * log + next[log])
          copies.append(logs[log][next[log]])
          next[log] += 1
        }
      }
      return (olds, copies)
    }
    let origin = [UInt8](repeating: 0xee, count: Self.chunkCount * 4096)
    let (first, second) = (
      Self.log(200, from: 10_000, seed: seed), Self.log(200, from: 5_000_000, seed: seed + 20)
    )
    let told = turns([first, second])
    let found = try placement(told.olds, told.copies, named: 64, chunkSectors: 8, origin: origin)
    #expect(right(found) == told.olds.count - 64)
    // Seconds, of which a chunk has few.
    let seconds = turns([
      Self.log(200, from: 1_700_000_000, steps: -20..<2, seed: seed),
      Self.log(200, from: 1_700_000_000, steps: -20..<2, seed: seed + 20),
    ])
    _ = right(
      try placement(seconds.olds, seconds.copies, named: 64, chunkSectors: 8, origin: origin))
    // Where both have the same numbers, little is told, and nothing wrong.
    let untold = turns([first, first])
    let none = try placement(untold.olds, untold.copies, named: 64, chunkSectors: 8, origin: origin)
    #expect(right(none) < none.truth.count)
  }

  @Test func `a number by chance is no numbering`() throws {
    // Words that grow in a few pairs of chunks by less than the page numbers do.
    let olds = Array(100..<300)
    let pages = olds.map { old in
      var page = Self.bytes(old, .pages)
      page.replaceSubrange(4..<8, with: UInt32(4 * old).bigEndianBytes)
      page.replaceSubrange(64..<68, with: UInt32(old % 5 < 2 ? old % 5 : 7).littleEndianBytes)
      return page
    }
    let found = try placement(
      olds, pages, named: 80, chunkSectors: 1, origin: [UInt8](repeating: 0xee, count: 600 * 512))
    #expect(right(found) == 120)
  }

  @Test func `without an exception there is nothing to start from`() throws {
    #expect(try placement(Array(100..<200), named: 0, .noise).plan.placements == [])
  }

  @Test func `random writes say nothing of the next`() throws {
    var random = SplitMix64(seed: 8)
    let olds = Array((0..<300).shuffled(using: &random).prefix(80))
    #expect(try placement(olds, named: 40, .noise).plan.placements == [])
  }

  @Test func `zeroes where a copy had not ended keep their turn, but get no place`() throws {
    let found = try placement(Array(100..<200), named: 40, .noise, zeroed: [70, 71, 99])
    #expect(right(found) == 57)
  }

  @Test func `it ends with the origin`() throws {
    let last = Self.chunkCount - 1
    let olds = Array(last - 49...last)
    let found = try placement(olds + [3, 4, 5], named: 40, .noise)
    #expect(right(found) == 10)
  }

  @Test func `what the origin still holds needs no copy`() throws {
    let found = try placement(
      Array(100..<200), named: 40, .noise, origin: [150: Self.bytes(150, .noise)])
    #expect(right(found) == 59)
  }

  @Test func `numbers that contradict the order are believed`() throws {
    // The writer goes on elsewhere, without an exception to show where.
    let olds = Array(100..<150) + Array(300..<350)
    let found = try placement(olds, named: 40, .pages)
    #expect(right(found) == 10)
  }

  @Test func `numbers of a place that is not known belong to no sequence that came as far`() throws
  {
    // A writer of 40 pages; then one of 60, of which nothing is named, counts past them.
    let olds = Array(100..<140) + Array(300..<360)
    let pages = (0..<40).map { Self.bytes($0, .pages) } + (0..<60).map { Self.bytes($0, .pages) }
    let found = try placement(
      olds, pages, named: 40, chunkSectors: 1, origin: Array(repeating: 0xee, count: 600 * 512))
    #expect(found.plan.placements == [])
  }

  @Test func `where numbers end, it is the turn of a writer of other content`() throws {
    let pages = (100..<140).map { ($0, Self.bytes($0, .pages)) }
    let noise = (400..<480).map { old in
      // No zeroes, so that it is unlike the pages whatever their numbers are.
      (old, Self.bytes(old, .noise).map { $0 | 0x80 })
    }
    let copies =
      Array(pages[0..<20]) + Array(noise[0..<20]) + Array(pages[20..<40]) + Array(noise[20..<80])
    let found = try placement(
      copies.map(\.0), copies.map(\.1), named: 70, chunkSectors: 1,
      origin: Array(repeating: 0xee, count: 600 * 512))
    #expect(right(found) == copies.count - 70)
  }

  /// Chunks of noise without zeroes, and after a number of chunks of text.
  private static func change(at change: Int, of count: Int) -> [[UInt8]] {
    (0..<count).map { old in
      Self.bytes(old, .noise).map { old < change ? $0 | 0x80 : 0x61 + $0 % 16 }
    }
  }

  @Test func `the only writer goes on where other content begins, and lasts`() throws {
    let (olds, origin) = (Array(100..<300), [UInt8](repeating: 0xee, count: 600 * 512))
    var copies = Self.change(at: 120, of: 200)
    let found = try placement(olds, copies, named: 80, chunkSectors: 1, origin: origin)
    #expect(right(found) == 120)
    // A chunk of something else is no other content: nothing is known from there on.
    copies[100] = copies[199]
    let ended = try placement(olds, copies, named: 80, chunkSectors: 1, origin: origin)
    #expect(right(ended) == 20)
  }

  @Test(arguments: [true, false])
  func `what was written over the origin shows that a writer went on`(isShown: Bool) throws {
    // Another writer came before, so that this one is not the only one.
    let olds = Array(500..<510) + Array(100..<300)
    let copies = Self.change(at: 10, of: 10) + Self.change(at: 120, of: 200)
    var origin = [UInt8](repeating: 0xee, count: 600 * 512)
    // Text over noise, and from there on noise that was never text.
    for old in 100..<(isShown ? 300 : 220) {
      origin.put(Array(repeating: UInt8(0x41), count: 512), at: old * 512)
    }
    let found = try placement(olds, copies, named: 90, chunkSectors: 1, origin: origin)
    #expect(right(found) == (isShown ? 120 : 40))
  }

  /// Files of numbered pages in an ext4, in the order in which they are given.
  private struct PagesInFiles {
    private(set) var olds: [[Int]] = []
    private(set) var pages: [[[UInt8]]] = []
    /// The file system, after all pages were overwritten.
    private(set) var origin: [UInt8]

    /// In small groups of blocks, mke2fs lays a file out in many pieces.
    init(_ counts: [Int]) throws {
      let directory = try TemporaryDirectory()
      let path = directory.path("image")
      try FileManager.default.createDirectory(
        atPath: directory.path("files"), withIntermediateDirectories: true)
      for (file, count) in counts.enumerated() {
        let pages = (0..<count).map {
          SequenceSearchTests.bytes($0, .pages)
            + SequenceSearchTests.bytes(10_000 * file + $0, .noise)
        }
        self.pages.append(pages)
        try directory.write(Array(pages.joined()), to: "files/\(file)")
      }
      try #require(ToolRunner(named: "mke2fs")).succeed([
        "-q", "-F", "-t", "ext4", "-O", "^has_journal,^resize_inode,^flex_bg,^metadata_csum",
        "-b", "1024", "-g", "256", "-N", "64", "-d", directory.path("files"), path, "3M",
      ])
      origin = try Array(Data(contentsOf: URL(filePath: path)))
      let blocks = Dictionary(
        stride(from: 0, to: origin.count, by: 1024).map {
          (Array(origin[$0..<$0 + 1024]), $0 / 1024)
        },
        uniquingKeysWith: { first, _ in first })
      for pages in pages { olds.append(try pages.map { try #require(blocks[$0]) }) }
      for old in olds.joined() { origin.put(Array(repeating: 0xee, count: 1024), at: old * 1024) }
    }
  }

  @Test(.enabled(if: ToolRunner(named: "mke2fs") != nil, "mke2fs must be installed"))
  func `numbers count along a file, wherever it goes on`() throws {
    let files = try PagesInFiles([1000])
    let olds = files.olds[0]
    try #require(zip(olds, olds.dropFirst()).count { $0 + 1 != $1 } > 2)
    let found = try placement(
      olds, files.pages[0], named: 100, chunkSectors: 2, origin: files.origin)
    #expect(right(found) == 900)
  }

  @Test(.enabled(if: ToolRunner(named: "mke2fs") != nil, "mke2fs must be installed"))
  func `a writer that comes to the end of a file goes on nobody knows where`() throws {
    let files = try PagesInFiles([200, 300, 250])
    for order in [[0, 2, 1], [2, 0, 1], [1, 2, 0]] {
      let olds = order.flatMap { files.olds[$0] }
      let named = files.olds[order[0]].count + 50
      // The pages of the second file go on with its exceptions; those of the third are anywhere.
      let found = try placement(
        olds, order.flatMap { files.pages[$0] }, named: named, chunkSectors: 2,
        origin: files.origin)
      #expect(right(found) == files.olds[order[1]].count - 50)
    }
  }

  @Test(.enabled(if: ToolRunner(named: "mke2fs") != nil, "mke2fs must be installed"))
  func `the next file is told by its length, if no other has the same`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("image")
    try FileManager.default.createDirectory(
      atPath: directory.path("files"), withIntermediateDirectories: true)
    // How many pages each file has, and how many bytes are missing of the last.
    let files = [(30, 100), (20, 200), (25, 0), (40, 300), (15, 400), (15, 400)]
    let pages = try files.enumerated().map { number, file in
      var random = SplitMix64(seed: UInt64(number))
      let content = random.bytes(file.0 * 4096 - file.1).map { $0 | 1 }
      try directory.write(content, to: "files/\(number)")
      let padded = content + Array(repeating: 0, count: file.1)
      return (0..<file.0).map { Array(padded[$0 * 4096..<($0 + 1) * 4096]) }
    }
    try #require(ToolRunner(named: "mke2fs")).succeed([
      "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-b", "4096", "-d", directory.path("files"),
      path, "4M",
    ])
    var origin = try Array(Data(contentsOf: URL(filePath: path)))
    let olds = try pages.map { pages in
      try pages.map { page in
        try #require(
          (0..<origin.count / 4096).first {
            origin[$0 * 4096..<($0 + 1) * 4096].elementsEqual(page)
          })
      }
    }
    for old in olds.joined() { origin.put(Array(repeating: 0xee, count: 4096), at: old * 4096) }
    let order = [0, 3, 1, 4, 5, 2]
    let found = try placement(
      order.flatMap { olds[$0] }, order.flatMap { pages[$0] }, named: 20, chunkSectors: 8,
      origin: origin)
    // Two end alike, and the last ends with a page.
    #expect(right(found) == 10 + 40 + 20)
    // What is known of one of the two leaves the other.
    let rest = try placement(
      [4, 0, 5].flatMap { olds[$0] }, [4, 0, 5].flatMap { pages[$0] }, named: 15, chunkSectors: 8,
      origin: origin)
    #expect(right(rest) == 30 + 15)
  }
}

extension UInt32 {
  fileprivate var bigEndianBytes: [UInt8] { littleEndianBytes.reversed() }
}
