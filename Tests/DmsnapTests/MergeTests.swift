import Foundation
import Glibc
import TestSupport
import Testing

/// A merge makes the origin what Linux's own merge makes of it, and the undo store takes it back.
@Suite struct MergeTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private func merge(_ store: String, into origin: String, _ how: String...) throws -> ToolOutcome {
    try dmsnap.run(["merge", store, "--origin", origin] + how)
  }

  // MARK: - As Linux merges

  @Test(arguments: Cases.merged)
  func `merge, and undo, of every store that Linux merges`(name: String) throws {
    let pair = try Pair(name, in: directory)
    let merged = try #require(pair.answer.merge).originSha256
    let undo = directory.path("undo")

    let image = directory.path("image")
    #expect(try merge(pair.store, into: pair.origin, "--to", image).status == 0)
    #expect(try Files.sha256(image) == merged)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)

    let there = try merge(pair.store, into: pair.origin, "--undo", undo, "--verify")
    // A merge of an empty table mentions an older one that the store still holds.
    let isQuiet =
      there.errors.isEmpty
      || there.errors.contains("older table")
        && ["magic-wiped-activated", "reset-64k"].contains(name)
    #expect(there.status == 0 && isQuiet, "\(there)")
    #expect(try Files.sha256(pair.origin) == merged)

    // The undo store is a store like any other, in good order and in the kernel's eyes as well.
    let kept = try FileState(undo)
    #expect(try dmsnap.run(["inspect", undo, "--origin", pair.origin]).status ?? 9 <= 1)
    #expect(ReferenceDecoder(try Files.bytes(undo)).verdict == .loads)

    let back = try merge(undo, into: pair.origin, "--no-undo", "--verify")
    #expect(back.status == 0 && back.errors.isEmpty, "\(back)")
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
    #expect(try FileState(undo) == kept)
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256)
  }

  @Test func `Linux's rules applied to the undo store give the origin back`() throws {
    let pair = try Pair("random-order", in: directory)
    let undo = directory.path("undo")
    #expect(try merge(pair.store, into: pair.origin, "--undo", undo).status == 0)
    let linux = ReferenceDecoder(try Files.bytes(undo))
    let undone = try #require(linux.merge(into: try Files.bytes(pair.origin)))
    #expect(undone.sha256 == pair.facts.origin.sha256)
  }

  @Test func `an undo can be undone`() throws {
    let pair = try Pair("written", in: directory)
    let (undo, redo) = (directory.path("undo"), directory.path("redo"))
    #expect(try merge(pair.store, into: pair.origin, "--undo", undo).status == 0)
    #expect(try merge(undo, into: pair.origin, "--undo", redo).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
    #expect(try merge(redo, into: pair.origin, "--no-undo").status == 0)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
  }

  @Test func `a finished merge says so, and is not done again`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    _ = try merge(pair.store, into: pair.origin, "--undo", undo)
    let before = try [Files.sha256(pair.origin), Files.sha256(undo)]
    let again = try merge(pair.store, into: pair.origin, "--undo", undo)
    #expect(again.status == 0)
    #expect(again.output == "\(pair.origin): was already merged, according to \(undo): finished\n")
    #expect(try [Files.sha256(pair.origin), Files.sha256(undo)] == before)
  }

  @Test func `a damaged undo file is refused, and what there is of it is restored with status 2`()
    throws
  {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    _ = try merge(pair.store, into: pair.origin, "--undo", undo)
    let merged = try Files.sha256(pair.origin)
    let sound = try Files.bytes(undo)
    for (byteOffset, accepted) in [(9000, []), (85, ["--accept", "unrelated-origin"])] {
      var bytes = sound
      bytes[byteOffset] ^= 1
      try directory.write(bytes, to: "undo")
      #expect(try merge(undo, into: pair.origin, "--no-undo").status == 4)
      #expect(try Files.sha256(pair.origin) == merged)
      let copy = try directory.copy(pair.origin, to: "copy-\(byteOffset)")
      let salvaged = try ToolRunner.dmsnap.run(
        ["merge", undo, "--origin", copy, "--no-undo", "--reading", "salvage"] + accepted)
      #expect(salvaged.status == 2 && salvaged.errors.contains("damaged"), "\(salvaged)")
      // Only the damaged byte is wrong; none is, where it is the manifest's.
      let isWhole = try Files.sha256(copy) == pair.facts.origin.sha256
      #expect(isWhole == (byteOffset == 85))
    }
  }

  @Test func `a finished merge whose origin has gone on is refused`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    _ = try merge(pair.store, into: pair.origin, "--undo", undo)
    #expect(try merge(undo, into: pair.origin, "--no-undo").status == 0)
    let outcome = try merge(pair.store, into: pair.origin, "--undo", undo)
    #expect(outcome.status == 4 && outcome.errorLines.count == 1, "\(outcome)")
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test func `a merge tells how to undo it`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    let outcome = try merge(pair.store, into: pair.origin, "--undo", undo)
    let command = try #require(outcome.outputLines.last).split(separator: ": ", maxSplits: 1)[1]
    let words = command.split(separator: " ").map(String.init)
    #expect(words.first == "dmsnap")
    #expect(try dmsnap.run(Array(words.dropFirst())).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test func `verify says that it read back`() throws {
    let pair = try Pair("written", in: directory)
    let outcome = try merge(pair.store, into: pair.origin, "--no-undo", "--verify")
    #expect(outcome.status == 0 && outcome.output.contains("read back and compared"))
    let without = try merge(pair.store, into: pair.origin, "--no-undo")
    #expect(without.status == 0 && !without.output.contains("compared"))
  }

  // MARK: - Ways

  @Test(
    arguments: [
      [], ["--undo", "U", "--no-undo"], ["--undo", "U", "--to", "T"], ["--no-undo", "--to", "T"],
      ["--undo", "U", "--no-undo", "--to", "T"], ["--to", "T", "--verify"], ["--to", "-"],
    ])
  func `a merge wants one way, not none and not two`(ways: [String]) throws {
    let pair = try Pair("written", in: directory)
    let ways = ways.map { $0.count == 1 && $0 != "-" ? directory.path($0) : $0 }
    let outcome = try dmsnap.run(["merge", pair.store, "--origin", pair.origin] + ways)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(try directory.names().count == 2)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test(arguments: [[], ["--no-undo"], ["--undo", "U"], ["--to", "T"]])
  func `a dry run says which way data would go, and writes nothing`(way: [String]) throws {
    let pair = try Pair("written", in: directory)
    for path in [pair.store, pair.origin] { Files.age(path) }
    let before = try [FileState(pair.store), FileState(pair.origin)]
    let ways = way.map { $0.count == 1 ? directory.path($0) : $0 }
    let outcome = try dmsnap.run(
      ["merge", pair.store, "--origin", pair.origin, "--dry-run"] + ways)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let target =
      way == ["--to", "T"] ? "over \(pair.origin) → \(directory.path("T"))" : "→ \(pair.origin)"
    #expect(outcome.output.contains("\(pair.store) \(target)"), "\(outcome)")
    #expect(outcome.output.contains("28 KiB"), "\(outcome)")
    #expect(outcome.output.contains("(7 exceptions"), "\(outcome)")
    #expect(outcome.output.contains("Nothing was written."))
    #expect(try directory.names().count == 2)
    #expect(try [FileState(pair.store), FileState(pair.origin)] == before)
  }

  @Test(arguments: ["written", "exceptions-256", "chunk-1024", "many-small-areas", "odd-origin"])
  func `a dry run knows how much room undo takes`(name: String) throws {
    let pair = try Pair(name, in: directory)
    let dry = try dmsnap.run(["merge", pair.store, "--origin", pair.origin, "--dry-run"])
    let undo = directory.path("undo")
    #expect(try merge(pair.store, into: pair.origin, "--undo", undo).status == 0)
    let byteCount = try Files.bytes(undo).count
    #expect(dry.output.contains("(\(byteCount) bytes)"), "\(byteCount): \(dry)")
  }

  // MARK: - What is refused

  /// Refused, with one line, and the origin as it was.
  private func expectRefusal(
    _ outcome: ToolOutcome, _ pair: Pair, _ location: SourceLocation = #_sourceLocation
  ) throws {
    #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)", sourceLocation: location)
    #expect(outcome.complaint() == nil, sourceLocation: location)
    #expect(
      try Files.sha256(pair.origin) == pair.facts.origin.sha256, sourceLocation: location)
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256, sourceLocation: location)
  }

  @Test func `a file that is no undo store is not overwritten`() throws {
    let pair = try Pair("written", in: directory)
    for bytes in [[], [1, 2, 3], StoreBuilder().image()] {
      let path = try directory.write(bytes, to: "precious")
      try expectRefusal(merge(pair.store, into: pair.origin, "--undo", path), pair)
      #expect(try Files.bytes(path) == bytes)
    }
  }

  @Test func `another merge's undo store is not used`() throws {
    let other = try Pair("random-order", in: directory)
    let undo = directory.path("undo")
    _ = try merge(other.store, into: other.origin, "--undo", undo)
    let before = try Files.sha256(undo)
    let pair = try Pair("written", in: directory)
    try expectRefusal(merge(pair.store, into: pair.origin, "--undo", undo), pair)
    #expect(try Files.sha256(undo) == before)
  }

  @Test func `store and origin are no undo file`() throws {
    let pair = try Pair("written", in: directory)
    try expectRefusal(merge(pair.store, into: pair.origin, "--undo", pair.store), pair)
    try expectRefusal(merge(pair.store, into: pair.origin, "--undo", pair.origin), pair)
  }

  @Test func `a store is not merged into itself, by whatever name`() throws {
    // An image that is a store and long enough to be its own origin.
    let store = try directory.write(StoreBuilder().copying([1, 2]).image(), to: "store")
    try FileManager.default.linkItem(atPath: store, toPath: directory.path("link"))
    let before = try Files.sha256(store)
    for origin in [store, directory.path("link")] {
      let outcome = try merge(store, into: origin, "--no-undo")
      #expect(outcome.status == 4 && outcome.complaint() == nil, "\(outcome)")
    }
    #expect(try Files.sha256(store) == before)
  }

  @Test func `an undo store is not merged into another origin`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    _ = try merge(pair.store, into: pair.origin, "--undo", undo)
    let byteCount = pair.facts.origin.byteCount
    for (bytes, why) in [
      (Stamp.origin(byteCount: byteCount, by: "someone else"), "another"),
      (Stamp.origin(byteCount: byteCount + 4096), "bytes"),
      (Stamp.origin(byteCount: byteCount - 4096), "bytes"),
    ] {
      let origin = try directory.write(bytes, to: "wrong")
      let before = try FileState(origin)
      for way in [["--no-undo"], ["--undo", directory.path("redo")], ["--dry-run"]] {
        let outcome = try dmsnap.run(["merge", undo, "--origin", origin] + way)
        #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.complaint(naming: undo) == nil)
        #expect(outcome.errors.contains(why), "\(outcome)")
      }
      #expect(try FileState(origin) == before)
    }
    #expect(!Files.exist(directory.path("redo")))
  }

  @Test func `an undo store that was damaged is noticed`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    _ = try merge(pair.store, into: pair.origin, "--undo", undo)
    try Files.overwrite(undo, at: 4096, [99])
    let origin = try Files.sha256(pair.origin)
    let outcome = try merge(pair.store, into: pair.origin, "--undo", undo)
    #expect(outcome.status == 4 && outcome.complaint(naming: undo) == nil, "\(outcome)")
    #expect(try Files.sha256(pair.origin) == origin)
  }

  @Test func `a locked origin is refused`() throws {
    let pair = try Pair("written", in: directory)
    let descriptor = unsafe open(pair.origin, O_RDONLY | O_CLOEXEC)
    try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    let outcome = try merge(pair.store, into: pair.origin, "--no-undo")
    // Closing is not enough: a child that another test is about to start may have it open still.
    try #require(flock(descriptor, LOCK_UN) == 0)
    close(descriptor)
    try expectRefusal(outcome, pair)
    #expect(outcome.errors.contains("is locked by \(ProcessWords.of(getpid()))"))
    #expect(try merge(pair.store, into: pair.origin, "--no-undo").status == 0)
  }

  @Test(
    .enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)),
    arguments: ["size=20k", "size=4k"])
  func `an undo file without room is refused before anything is written`(size: String) throws {
    let pair = try Pair("written", in: directory)
    let place = directory.path("small")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let mount = try Mount(["-t", "tmpfs", "-o", size, "none"], at: place)
    let outcome = try merge(pair.store, into: pair.origin, "--undo", "\(place)/undo")
    try expectRefusal(outcome, pair)
    #expect(outcome.errors.contains("\(place)/undo: needs 36864 bytes"), "\(outcome)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
    withExtendedLifetime(mount) {}
  }

  // MARK: - Devices

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `a merge into a block device, from a block device, and its undo`() throws {
    let pair = try Pair("written", in: directory)
    let (store, origin) = (try LoopDevice(over: pair.store), try LoopDevice(over: pair.origin))
    let undo = directory.path("undo")
    let outcome = try merge(store.path, into: origin.path, "--undo", undo, "--verify")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
    #expect(try merge(undo, into: origin.path, "--no-undo").status == 0)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256)
    withExtendedLifetime((store, origin)) {}
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `a device that is read-only, or a file under one, is refused`() throws {
    let pair = try Pair("written", in: directory)
    let loop = try LoopDevice(over: pair.origin, ["--read-only"])
    let device = try merge(pair.store, into: loop.path, "--no-undo")
    try expectRefusal(device, pair)
    #expect(device.errors.contains("\(loop.path): is set read-only"), "\(device)")
    let file = try merge(pair.store, into: pair.origin, "--no-undo")
    try expectRefusal(file, pair)
    #expect(file.errors.contains("attached to \(loop.path)"), "\(file)")
  }

  @Test(
    .enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)),
    .enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a mounted device is refused, and an audit notes that it is in use`() throws {
    let pair = try Pair("ext4-origin-changed", in: directory)
    let loop = try LoopDevice(over: pair.origin)
    let place = directory.path("mnt")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let mount = try Mount(["-o", "ro,noload", loop.path], at: place)
    let outcome = try merge(pair.store, into: loop.path, "--no-undo")
    try expectRefusal(outcome, pair)
    #expect(outcome.errors.contains("mounted at \(place)"), "\(outcome)")
    let audit = try dmsnap.run([
      "audit", pair.store, "--origin", loop.path, "--format", "json",
    ])
    #expect(audit.output.contains("context.in-use"), "\(audit)")
    withExtendedLifetime(mount) {}
  }
}
