import BlockIO
import Foundation
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// A plan says, byte for byte, what a merge would write, and a merge that is anything else is refused.
@Suite struct MergePlanTests {
  private static let store = StoreBuilder(chunkSectors: 2, chunkCount: 80)
    .copying(Array(3..<9) + [20, 21, 12, 0] + Array(30..<33)).image()
  private static let origin = Stamp.origin(byteCount: 32 * 1024 + 512 + 100)
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func view(_ store: [UInt8] = store, _ origin: [UInt8] = origin) throws -> SnapshotView {
    try SnapshotView(store, over: FaultySource(origin, name: "origin.img"))
  }

  /// The lines of the plan of a merge.
  private func lines(_ view: SnapshotView, noUndo: Bool = false) throws -> [String] {
    let path = directory.path("plan-\(UInt64.random(in: 0...(.max)))")
    let plan = MergePlan(
      store: "/a/store.img", origin: "/a/origin.img", reading: .kernel, chunkSizeAsked: nil,
      generation: nil, map: nil, skipIdentical: false, undo: nil, noUndo: noUndo, of: view)
    var steps: [UInt64] = []
    try plan.write(view, to: try OutputText(path: FilePath(path))) { done, _ in steps.append(done) }
    #expect(steps == steps.sorted() && steps.last ?? 0 == view.mappedByteCount)
    let text = String(decoding: try Files.bytes(path), as: UTF8.self)
    #expect(text.hasSuffix("}\n"))
    #expect(try MergePlan(FileSource(path: FilePath(path))) == plan)
    return text.split(separator: "\n").map(String.init)
  }

  private func check(
    _ lines: [String], _ view: SnapshotView, over origin: (any BlockSource)? = nil,
    mayBeMerged: Bool = false
  ) throws {
    let file = FaultySource(Array(lines.map { $0 + "\n" }.joined().utf8), name: "plan.json")
    try MergePlan(file).check(
      view, over: origin ?? view.origin, against: file, mayBeMerged: mayBeMerged
    ) { _, _ in }
  }

  private func expectRefusal(
    _ words: String, _ lines: [String], _ view: SnapshotView, over origin: (any BlockSource)? = nil,
    mayBeMerged: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: MergeError.self, sourceLocation: sourceLocation) {
      try check(lines, view, over: origin, mayBeMerged: mayBeMerged)
    }
    guard let text = error?.refusal?.description else {
      Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
    #expect(text.contains(words), "\(text)", sourceLocation: sourceLocation)
  }

  private struct Piece: Decodable {
    let byteOffset: Int
    let byteCount: Int
    let before: String
    let after: String
    var range: Range<Int> { byteOffset..<byteOffset + byteCount }
  }

  private func pieces(_ lines: [String]) throws -> [Piece] {
    try lines.dropFirst().dropLast().map {
      try JSONDecoder().decode(Piece.self, from: Data($0.utf8))
    }
  }

  // MARK: - What it says

  private static func lastLine(_ count: Int, _ byteCount: Int, behind first: String) -> String {
    "{\"rangeCount\":\(count),\"byteCount\":\(byteCount),"
      + "\"firstLineSHA256\":\"\(Array(first.utf8).sha256)\"}"
  }

  @Test(arguments: UInt64(1)...60)
  func `its digests are those of the origin before and after`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    guard let view = try? view(made.store, made.origin), try view.readAll().lost.isEmpty else {
      return
    }
    let merged = ReferenceDecoder(made.store).view(of: made.origin).bytes
    let lines = try lines(view)
    let pieces = try pieces(lines)
    var rest = made.origin
    for piece in pieces {
      #expect(Array(made.origin[piece.range]).sha256 == piece.before)
      #expect(Array(merged[piece.range]).sha256 == piece.after)
      rest.replaceSubrange(piece.range, with: merged[piece.range])
    }
    #expect(rest == merged, "a piece is missing")
    #expect(zip(pieces, pieces.dropFirst()).allSatisfy { $0.range.upperBound < $1.byteOffset })
    let total = pieces.reduce(0) { $0 + $1.byteCount }
    #expect(UInt64(total) == view.mappedByteCount)
    #expect(lines.last == Self.lastLine(pieces.count, total, behind: lines[0]))
    try check(lines, view)
  }

  @Test func `neighbours are one piece, but of a merge without undo each chunk is`() throws {
    let joined = try pieces(lines(view())).map(\.range)
    let kilobytes = [0..<1, 3..<9, 12..<13, 20..<22, 30..<32]
    #expect(
      joined.dropLast()
        == (kilobytes.map { $0.lowerBound * 1024..<$0.upperBound * 1024 }).dropLast())
    #expect(joined.last == 30 * 1024..<32 * 1024 + 512)
    let chunks = try pieces(lines(view(), noUndo: true)).map(\.range)
    #expect(chunks.count == 13 && chunks.allSatisfy { $0.count <= 1024 })
  }

  @Test func `an empty table has a plan of nothing`() throws {
    let view = try view(StoreBuilder().image())
    let lines = try lines(view)
    #expect(lines.count == 2 && lines[1] == Self.lastLine(0, 0, behind: lines[0]))
    try check(lines, view)
  }

  @Test func `what an existing file says is not replaced`() throws {
    let path = try directory.write([1], to: "plan")
    #expect(throws: BlockIOError.self) { try OutputText(path: FilePath(path)) }
  }

  // MARK: - What is refused

  @Test func `a byte of the origin that differs is refused, where it would be overwritten`() throws
  {
    let lines = try lines(view())
    let ranges = try pieces(lines).map(\.range)
    for place in stride(from: 5, to: Self.origin.count, by: 511) {
      var origin = Self.origin
      origin[place] ^= 4
      let view = try view(Self.store, origin)
      if ranges.contains(where: { $0.contains(place) }) {
        expectRefusal("are not as they were", lines, view)
      } else {
        try check(lines, view)
      }
    }
  }

  @Test func `a store with other data, or another table, is refused`() throws {
    let lines = try lines(view())
    var store = Self.store
    store[4 * 1024 + 77] ^= 1
    expectRefusal("plans other content", lines, try view(store))
    let other = StoreBuilder(chunkSectors: 2, chunkCount: 80)
      .copying(Array(3..<9) + [20, 21, 12, 0] + Array(30..<32)).image()
    expectRefusal("a table other than that", lines, try view(other))
    let longer = Self.origin + [UInt8](repeating: 0, count: 512)
    expectRefusal("for an origin of", lines, try view(Self.store, longer))
  }

  @Test func `a plan with any line gone, changed, doubled or added is refused`() throws {
    let view = try view()
    let lines = try lines(view)
    for index in 1..<lines.count {
      var cut = lines
      cut.remove(at: index)
      expectRefusal("plan.json", cut, view)
      expectRefusal("truncated or edited", Array(lines[..<index]), view)
      var doubled = lines
      doubled.insert(lines[index], at: index)
      expectRefusal("plan.json", doubled, view)
      for place in lines[index].indices where lines[index][place] != "7" {
        var edited = lines
        edited[index].replaceSubrange(place...place, with: "7")
        #expect(throws: MergeError.self) { try check(edited, view) }
      }
    }
  }

  @Test(arguments: ["", "\n", "{}", "[]", "null", "dmsnap.plan.v1", "\u{0}\u{ff}"])
  func `what is no plan is refused`(text: String) throws {
    let error = #expect(throws: MergeError.self) {
      try MergePlan(FaultySource(Array(text.utf8), name: "x"))
    }
    #expect(error?.refusal != nil && "\(error!)" == "x: is not a merge plan")
  }

  @Test func `another schema, or any key missing or of another kind, is no plan`() throws {
    let first = try #require(lines(view()).first)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(first.utf8)) as? [String: Any])
    for key in object.keys {
      for value in [nil, [1], -1] as [Any?] {
        var other = object
        other[key] = value
        let text = try JSONSerialization.data(withJSONObject: other)
        #expect(throws: MergeError.self) { try MergePlan(FaultySource(Array(text))) }
      }
    }
    #expect(first.contains(#""schema":"dmsnap.plan.v1""#))
  }

  // MARK: - A merge that was cut off

  @Test(arguments: UInt64(1)...20)
  func `without undo any chunks may be merged already, and no other may differ`(seed: UInt64) throws
  {
    let lines = try lines(view(), noUndo: true)
    let merged = ReferenceDecoder(Self.store).view(of: Self.origin).bytes
    var random = SplitMix64(seed: seed)
    var origin = Self.origin
    for piece in try pieces(lines) where random.oneIn(2) {
      origin.replaceSubrange(piece.range, with: merged[piece.range])
    }
    let half = try view(Self.store, origin)
    try check(lines, half, mayBeMerged: true)
    if origin != Self.origin { expectRefusal("are not as they were", lines, half) }
    origin[4 * 1024 + 700] ^= 1
    expectRefusal("without the plan", lines, try view(Self.store, origin), mayBeMerged: true)
  }

  @Test func `with undo it is held against the origin as it was`() throws {
    let empty = try MergeRig.emptyUndo(of: Self.store, into: Self.origin)
    let rig = MergeRig(Self.store, into: Self.origin, undo: empty)
    let lines = try lines(view())
    try rig.merge()
    let after = try view(Self.store, rig.origin.bytes)
    expectRefusal("are not as they were", lines, after)
    let undo = try #require(rig.undo)
    let before = try #require(try SnapshotView(undoing: undo, over: rig.origin))
    try check(lines, after, over: before)
  }
}
