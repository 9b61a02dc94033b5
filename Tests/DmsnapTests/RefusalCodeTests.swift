import Foundation
import Glibc
import SnapshotKit
import TestSupport
import Testing

/// Each kind of refusal, made: its code, its status, its page, and nothing written.
@Suite struct RefusalCodeTests {
  private let directory: TemporaryDirectory
  private let store: String
  private let origin: String
  private var undo: String { directory.path("undo") }

  init() throws {
    directory = try TemporaryDirectory()
    store = try directory.write(
      StoreBuilder(chunkSectors: 8).copying(3..<40).image(), to: "store")
    origin = try directory.write(Stamp.origin(byteCount: 4096 * 100), to: "origin")
  }

  /// A merge that is refused, and what must stay as it is.
  private struct Refused {
    var arguments: [String]
    var untouched: [String] = []
    var runner = ToolRunner.dmsnap
  }

  @Test(arguments: MergeRefusalCode.allCases)
  func `it is made, and nothing is written`(code: MergeRefusalCode) throws {
    let refused = try make(code)
    let files = [store, origin] + refused.untouched
    let before = try files.map { try Files.bytes($0) }
    let outcome = try refused.runner.run(refused.arguments + ["--format", "json"])
    #expect(outcome.status == 4, "\(outcome)")
    let error = try #require(try outcome.object()["error"] as? [String: Any])
    #expect(error["code"] as? String == code.rawValue, "\(outcome)")
    #expect(try files.map { try Files.bytes($0) } == before)
    let explained = try ToolRunner.dmsnap.run(["explain", code.rawValue])
    #expect(explained.status == 0 && explained.output.contains(code.entry.title))
  }

  private func make(_ code: MergeRefusalCode) throws -> Refused {
    switch code {
    case .storeIsOrigin, .targetUnavailable, .targetNotWritable, .kernelWouldFail,
      .storeUnreadable, .unrelatedOrigin, .smallOrigin, .noRoom:
      try makeOfOrigin(code)
    case .undoElsewhere, .undoIncomplete, .undoDamaged, .undoIsInput, .undoExists, .undoOfOther,
      .originWritten:
      try makeOfUndo(code)
    case .planUnreadable, .planEdited, .planOutdated: try makeOfPlan(code)
    case .groupInDoubt, .storeReused, .originMoved, .originIsStore, .sharedExtents, .overMetadata,
      .severalLegs, .degradedArray, .otherSnapshots:
      try makeOfVolume(code)
    }
  }

  private func merge(_ store: String, _ origin: String, _ more: String...) -> [String] {
    ["merge", store, "--origin", origin] + more
  }

  // MARK: - The origin

  private func makeOfOrigin(_ code: MergeRefusalCode) throws -> Refused {
    let beyond = StoreBuilder(chunkSectors: 8).adding((1, 2), (500, 3)).image()
    switch code {
    case .storeIsOrigin: return Refused(arguments: merge(store, store, "--no-undo"))
    case .targetUnavailable:
      let shell = try #require(ToolRunner(named: "flock"))
      return Refused(
        arguments: [origin, ToolRunner.dmsnap.path] + merge(store, origin, "--no-undo"),
        runner: shell)
    case .targetNotWritable:
      return Refused(arguments: merge(store, "\(origin),gap=4096:512", "--no-undo"))
    case .kernelWouldFail:
      let path = try directory.write(beyond, to: "beyond")
      return Refused(arguments: merge(path, origin, "--no-undo"))
    case .storeUnreadable:
      // The first data chunk is the third of the store.
      let map = try directory.write(
        Array("0x0 + 1\n0x0 0x2000 +\n0x2000 0x1000 -\n0x3000 0x100000 +\n".utf8), to: "map")
      return Refused(
        arguments: merge(store, origin, "--undo", undo, "--map", map), untouched: [map])
    case .smallOrigin:
      let path = try directory.write(beyond, to: "beyond")
      return Refused(arguments: merge(path, origin, "--no-undo", "--reading", "salvage"))
    case .unrelatedOrigin:
      let pair = try Pair("ext4-snapshot-changed", in: directory)
      var other = try Files.bytes(pair.origin)
      other.put(Array(repeating: 0x22, count: 16), at: 1024 + 0x68)
      other.put([other[1024 + 0x65] & ~4], at: 1024 + 0x65)
      let path = try directory.write(other, to: "other")
      return Refused(arguments: merge(pair.store, path, "--no-undo"), untouched: [path])
    default:
      // An undo file has whole chunks: here of 8 MiB, with no file longer than 10 MiB allowed.
      let large = StoreBuilder(chunkSectors: 16_384, chunkCount: 4).adding((0, 2), (1, 3)).image()
      let path = try directory.write(large, to: "large")
      let long = try directory.write(sparse: 9 << 20, [(at: 0, bytes: [1])], to: "long")
      let shell = try #require(ToolRunner(named: "bash"))
      return Refused(
        arguments: [
          "-c", "ulimit -f 10240; exec \"$0\" \"$@\"", ToolRunner.dmsnap.path,
        ] + merge(path, long, "--undo", undo), untouched: [long], runner: shell)
    }
  }

  // MARK: - The undo file

  /// Changes an undo file's manifest, whose checksum is put right again.
  private func forge(state: UInt8) throws -> [UInt8] {
    var bytes = try Files.bytes(undo)
    bytes.put([state], at: 28)
    let digest = Array(bytes[16..<128]).sha256
    bytes.put((0..<32).map { UInt8(digest.dropFirst($0 * 2).prefix(2), radix: 16) ?? 0 }, at: 128)
    return bytes
  }

  private func makeOfUndo(_ code: MergeRefusalCode) throws -> Refused {
    switch code {
    case .undoIsInput: return Refused(arguments: merge(store, origin, "--undo", origin))
    case .undoExists:
      let text = try directory.write(Array("somebody's".utf8), to: "text")
      return Refused(arguments: merge(store, origin, "--undo", text), untouched: [text])
    default: break
    }
    let merged = try ToolRunner.dmsnap.run(merge(store, origin, "--undo", undo))
    try #require(merged.status == 0, "\(merged)")
    switch code {
    case .undoElsewhere:
      try Files.overwrite(origin, at: 4096 * 60, [UInt8](repeating: 0xaa, count: 4096 * 30))
      return Refused(arguments: merge(undo, origin, "--no-undo"), untouched: [undo])
    case .undoIncomplete:
      let path = try directory.write(forge(state: 1), to: "saving")
      return Refused(arguments: merge(path, origin, "--no-undo"))
    case .undoDamaged:
      try Files.overwrite(undo, at: 4096 * 5, [0xff, 0xfe])
      return Refused(arguments: merge(undo, origin, "--no-undo"))
    case .undoOfOther:
      let other = try directory.write(
        StoreBuilder(chunkSectors: 8).copying(50..<87).image(), to: "other")
      return Refused(arguments: merge(other, origin, "--undo", undo), untouched: [undo])
    default:
      let path = try directory.write(forge(state: 2), to: "saved")
      try Files.overwrite(origin, at: 4096 * 7, [UInt8](repeating: 0xbb, count: 512))
      return Refused(arguments: merge(store, origin, "--undo", path))
    }
  }

  // MARK: - The plan

  private func makeOfPlan(_ code: MergeRefusalCode) throws -> Refused {
    let plan = directory.path("plan")
    let made = try ToolRunner.dmsnap.run(merge(store, origin, "--no-undo", "--plan", plan))
    try #require(made.status == 0, "\(made)")
    switch code {
    case .planUnreadable: return Refused(arguments: ["merge", "--apply", store])
    case .planEdited:
      let text = String(decoding: try Files.bytes(plan), as: UTF8.self)
      try directory.write(
        Array(text.replacing("\"reading\":\"kernel\"", with: "\"reading\":\"kernel-6.12\"").utf8),
        to: "plan")
    default: try Files.overwrite(origin, at: 4096 * 7, [0xbb])
    }
    return Refused(arguments: ["merge", "--apply", plan])
  }

  // MARK: - Volumes

  /// A merge of a file into a volume, with other words in the group's metadata.
  private func edited(_ changes: (String, String)..., from: String? = nil) throws -> Refused {
    let volumes = try Volumes("linear", in: directory)
    var text = try volumes.text(ofVersion: 4)
    for (old, new) in changes {
      try #require(text.contains(old))
      text = text.replacing(old, with: new)
    }
    let file = try directory.write(Array(text.utf8), to: "backup")
    let store = directory.path("salvaged")
    try ToolRunner.dmsnap.succeed(["salvage", "vg/snap", "--to", store] + volumes.options)
    let names = from.map { [$0] } ?? [store, "--origin", "vg/origin"]
    return Refused(
      arguments: ["merge"] + names + ["--no-undo", "--vgcfg", file] + volumes.options,
      untouched: volumes.paths)
  }

  private func makeOfVolume(_ code: MergeRefusalCode) throws -> Refused {
    func refused(_ name: String, _ arguments: String...) throws -> Refused {
      let volumes = try Volumes(name, in: directory)
      return Refused(
        arguments: ["merge"] + arguments + volumes.options, untouched: volumes.paths)
    }
    switch code {
    case .groupInDoubt:
      let volumes = try Volumes("linear", in: directory)
      let copy = try directory.copy(volumes.paths[0], to: "copy")
      return Refused(
        arguments: ["merge", "vg/snap", "--no-undo", "--pv", copy] + volumes.options,
        untouched: volumes.paths + [copy])
    case .storeReused:
      return try refused(
        "removed-reused", "vg/snap", "--seqno", "4", "--no-undo", "--reading", "salvage")
    case .originMoved: return try edited(("\"pv0\", 0\n", "\"pv0\", 40\n"))
    case .originIsStore:
      return try edited(("origin = \"origin\"\n", "origin = \"snap\"\n"), from: "vg/snap")
    case .sharedExtents: return try edited(("\"pv0\", 16\n", "\"pv0\", 8\n"))
    case .overMetadata: return try edited(("pe_start = 2048", "pe_start = 0"))
    case .severalLegs: return try refused("raid1-degraded", "vg/snap", "--leg", "0", "--undo", undo)
    case .degradedArray:
      let volumes = try Volumes("linear", in: directory)
      let member = try directory.write(
        ArrayBuilder().member(0, try Files.bytes(volumes.paths[0])), to: "md0")
      return Refused(
        arguments: ["merge", "vg/snap", "--no-undo", "--pv", member], untouched: [member])
    default: return try refused("two-snapshots", "vg/early", "--no-undo")
    }
  }
}
