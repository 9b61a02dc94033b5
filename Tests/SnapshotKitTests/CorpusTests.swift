import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// On every store that Linux wrote, dmsnap says and does what two kernels said and did.
@Suite struct CorpusTests {
  /// A case, unpacked once for all that is asked of it.
  private struct Unpacked {
    let details: Corpus.Case
    let store: [UInt8]
    let origin: [UInt8]

    init(_ name: String) throws {
      details = try Corpus.read(name)
      store = try Corpus.unpack(details.store, of: name)
      origin = try Corpus.unpack(details.origin, of: name)
    }

    func answer(_ reading: Reading) throws -> Corpus.Answer {
      try #require(details.says[reading.kernel.rawValue])
    }
  }

  @Test func `the corpus is there`() {
    #expect(Corpus.names.count >= 25)
  }

  @Test(arguments: Corpus.names)
  func `verdict, status, view and merge are the kernels'`(name: String) throws {
    let unpacked = try Unpacked(name)
    let source = FaultySource(unpacked.store, name: "\(name)/store.img")
    for reading in Reading.kernels {
      let answer = try unpacked.answer(reading)
      let load = KernelLoad(Store(source), reading: reading)
      #expect((load.verdict == .refuses) == (answer.load == "error"), "\(reading): \(load.reason)")
      #expect((load.verdict == .invalid) == (answer.status == "Invalid"))
      #expect(load.status == answer.status, "\(reading)")
      if load.verdict == .refuses {
        let words = load.reason.split(separator: ": ").first.map(String.init) ?? ""
        #expect(answer.log.contains { $0.contains(words) }, "\(words) in \(answer.log)")
      }
      if load.verdict == .loads { try expectView(unpacked, source, answer, reading) }
    }
    #expect(try source.allBytes() == unpacked.store)
  }

  private func expectView(
    _ unpacked: Unpacked, _ source: FaultySource, _ answer: Corpus.Answer, _ reading: Reading
  ) throws {
    let loaded = try LoadedTable(Store(source), reading: reading)
    let origin = FaultySource(unpacked.origin)
    let view = SnapshotView(of: origin, through: loaded.table, of: source)
    let (bytes, lost) = try view.readAll()
    let expected = try #require(answer.view)
    #expect(bytes.sha256 == expected.sha256, "\(reading)")
    #expect(lost.ranges.map { [$0.lowerBound, UInt64($0.count)] } == expected.unreadable)
    let reference = ReferenceDecoder(unpacked.store, reading.kernel)
    #expect(reference.status == answer.status)

    // Where Linux finished its merge with what the snapshot showed, so does dmsnap; else it refuses.
    let merge = try #require(answer.merge)
    let finished = merge.status.split(separator: " ").count == 2 && merge.status.contains("/")
    let rig = MergeRig(
      unpacked.store, into: unpacked.origin,
      undo: try MergeRig.emptyUndo(of: unpacked.store, into: unpacked.origin))
    guard finished, merge.originSha256 == expected.sha256 else {
      #expect(try loaded.mergeObstacle(originByteCount: origin.byteCount) != nil, "\(merge.status)")
      return
    }
    guard reading == .kernel else {
      #expect(try loaded.mergeObstacle(originByteCount: origin.byteCount) == nil)
      return
    }
    try rig.merge()
    #expect(rig.origin.bytes.sha256 == merge.originSha256)
    let undo = try #require(rig.undo).bytes
    #expect(ReferenceDecoder(undo).verdict == .loads)
    #expect(Auditor(Store(undo)).audit().verdict == .healthy)
    let back = MergeRig(undo, into: rig.origin.bytes, undo: nil)
    try back.merge()
    #expect(back.origin.bytes.firstDifference(from: unpacked.origin) == nil)
  }

  /// Cases that were damaged, on purpose or by what happened to them; all others are in good order.
  private static let damaged = [
    "filled-to-boundary", "magic-wiped", "origin-too-short", "overflow-p", "overflow-p-origin",
    "overflow-po-origin", "store-cut-at-area", "store-cut-in-data", "store-io-error",
  ]

  @Test(arguments: Corpus.names)
  func `only damaged stores have findings above a note`(name: String) throws {
    let unpacked = try Unpacked(name)
    let audit = try Auditor(
      Store(FaultySource(unpacked.store)), origin: FaultySource(unpacked.origin)
    ).audit(.data)
    let isDamaged = Self.damaged.contains(name)
    let above = audit.findings.filter { $0.severity != .note }
    #expect(above.isEmpty != isDamaged, "\(above.map(\.code.rawValue))")
    #expect((audit.verdict == .healthy) != isDamaged)
    #expect(audit.isStore)
  }
}
