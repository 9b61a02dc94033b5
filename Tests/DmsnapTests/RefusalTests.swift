import Foundation
import TestSupport
import Testing

/// What Linux shows nothing of is refused with status 4, and nothing is written anywhere.
@Suite struct RefusalTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  @Test func `the corpus has stores of every kind that is refused`() {
    #expect(Cases.notLoaded.contains("overflow-p"))
    #expect(Cases.notLoaded.contains("magic-wiped"))
    #expect(Cases.notLoaded.contains("store-cut-at-area"))
    #expect(Cases.loaded.count > 40)
  }

  @Test(arguments: Cases.notLoaded)
  func `a store that Linux shows nothing of is refused, and inspect still answers`(
    name: String
  ) throws {
    let pair = try Pair(name, in: directory)
    let before = try [FileState(pair.store), FileState(pair.origin)]
    let (store, origin, output) = (pair.store, pair.origin, directory.path("output"))
    for arguments in [
      ["table", store], ["table", store, "--format", "json"], ["diff", store, "--origin", origin],
      ["export", store, "--origin", origin, "--to", output],
      ["export", store, "--origin", origin, "--to", "-"],
      ["merge", store, "--origin", origin, "--to", output],
      ["merge", store, "--origin", origin, "--undo", output],
      ["merge", store, "--origin", origin, "--no-undo"],
      ["merge", store, "--origin", origin, "--dry-run"],
    ] {
      let outcome = try dmsnap.run(arguments)
      #expect(outcome.status == 4, "\(outcome)")
      #expect(outcome.output.isEmpty == !arguments.contains("json"), "\(outcome)")
      #expect(outcome.complaint(naming: store) == nil)
    }
    for command in ["inspect", "audit"] {
      for extra in [[], ["--origin", origin]] {
        let outcome = try dmsnap.run([command, store] + extra)
        #expect(outcome.status == 2, "\(outcome)")
        #expect(!outcome.output.isEmpty && outcome.errors.isEmpty)
      }
    }
    #expect(try directory.names().count == 2)
    #expect(try [FileState(store), FileState(origin)] == before)
  }

  @Test func `a store that would be formatted is warned of loudly`() throws {
    let pair = try Pair("magic-wiped", in: directory)
    let outcome = try dmsnap.run(["inspect", pair.store])
    #expect(outcome.output.contains("WOULD FORMAT IT"), "\(outcome)")
  }

  @Test(arguments: Cases.notMerged)
  func `a merge at which Linux would stop is refused before the first write`(name: String) throws {
    let pair = try Pair(name, in: directory)
    let before = try [FileState(pair.store), FileState(pair.origin)]
    for way in [
      ["--no-undo"], ["--undo", directory.path("undo")], ["--to", directory.path("image")],
      ["--dry-run"],
    ] {
      let outcome = try dmsnap.run(["merge", pair.store, "--origin", pair.origin] + way)
      #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.complaint() == nil)
    }
    #expect(try directory.names().count == 2)
    #expect(try [FileState(pair.store), FileState(pair.origin)] == before)
  }

  // MARK: - Outputs that exist

  @Test(arguments: [Subcommand.export, .merge])
  func `an existing output is refused and stays`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    let output = try directory.write([1, 2, 3], to: "output")
    let outcome = try dmsnap.run(
      command.arguments(store: pair.store, origin: pair.origin, output: output))
    #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors == "dmsnap: \(output): exists, and is not overwritten\n")
    #expect(try Files.bytes(output) == [1, 2, 3])
    #expect(try directory.names().count == 3)
  }

  @Test(arguments: [Subcommand.export, .merge])
  func `an output is never an input`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    for output in [pair.store, pair.origin] {
      let outcome = try dmsnap.run(
        command.arguments(store: pair.store, origin: pair.origin, output: output))
      #expect(outcome.status == 4, "\(outcome)")
    }
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test(arguments: [Subcommand.export, .merge])
  func `a folder that is not there is status 5`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    let output = directory.path("missing/output")
    let outcome = try dmsnap.run(
      command.arguments(store: pair.store, origin: pair.origin, output: output))
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: output) == nil)
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `an output without room is status 5, and nothing is left of it`() throws {
    let pair = try Pair("written", in: directory)
    let place = directory.path("small")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let mount = try Mount(["-t", "tmpfs", "-o", "size=64k", "none"], at: place)
    for command in [Subcommand.export, .merge] {
      let outcome = try dmsnap.run(
        command.arguments(store: pair.store, origin: pair.origin, output: "\(place)/output"))
      #expect(outcome.status == 5 || outcome.status == 4, "\(outcome)")
      #expect(outcome.output.isEmpty)
      #expect(outcome.complaint(naming: "\(place)/output") == nil)
      #expect(outcome.errors.contains("No space left") || outcome.errors.contains("needs"))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
    withExtendedLifetime(mount) {}
  }
  // MARK: - The wrong target

  private func expectRefusal(
    _ outcome: ToolOutcome, _ words: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      outcome.status == 4 && outcome.output.isEmpty && outcome.complaint() == nil
        && outcome.errors.contains(words), "\(outcome)", sourceLocation: sourceLocation)
  }

  @Test(
    .enabled(if: Holder.isAvailable, Comment(rawValue: Holder.unavailable)),
    arguments: [Holder.Kind.flock, .posix, .ofd, .ofdByte])
  func `an origin that a process has locked is refused, with the process`(
    kind: Holder.Kind
  ) throws {
    let pair = try Pair("written", in: directory)
    let holder = try Holder(kind, of: pair.origin)
    let before = try [FileState(pair.store), FileState(pair.origin)]
    for way in [["--no-undo"], ["--undo", directory.path("undo")]] {
      let outcome = try dmsnap.run(["merge", pair.store, "--origin", pair.origin] + way)
      expectRefusal(outcome, "\(pair.origin): is locked by \(holder.words)")
    }
    #expect(try directory.names().count == 2)
    #expect(try [FileState(pair.store), FileState(pair.origin)] == before)
    withExtendedLifetime(holder) {}
  }

  @Test(.enabled(if: Holder.isAvailable, Comment(rawValue: Holder.unavailable)))
  func `an undo file that a process has locked is refused, and the origin stays`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    let merge = ["merge", pair.store, "--origin", pair.origin, "--undo", undo]
    #expect(try dmsnap.run(merge).status == 0)
    let before = try [FileState(pair.origin), FileState(undo)]
    let holder = try Holder(.ofd, of: undo)
    expectRefusal(try dmsnap.run(merge), "\(undo): is locked by \(holder.words)")
    #expect(try [FileState(pair.origin), FileState(undo)] == before)
    withExtendedLifetime(holder) {}
  }

  @Test(
    .enabled(if: Holder.isAvailable, Comment(rawValue: Holder.unavailable)),
    arguments: [Holder.Kind.flock, .posix, .ofd])
  func `an ordinary user, who may not look at all processes, is refused alike`(
    kind: Holder.Kind
  ) throws {
    let pair = try Pair("written", in: directory)
    try #require(ToolRunner(named: "chmod")).succeed(["-R", "a+rwX", directory.path])
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups", dmsnap.path]
    guard let setpriv = ToolRunner(named: "setpriv"),
      try setpriv.run(user + ["inspect", pair.store]).status == 0
    else { try Test.cancel("dmsnap must be run by root as another user, who can reach it") }
    let holder = try Holder(kind, of: pair.origin)
    let outcome = try setpriv.run(
      user + ["merge", pair.store, "--origin", pair.origin, "--no-undo"])
    expectRefusal(outcome, "is locked by \(kind == .ofd ? "another process" : holder.words)")
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `an origin that is the store's own device is refused`() throws {
    let pair = try Pair("written", in: directory)
    let loop = try LoopDevice(over: pair.store)
    for (store, origin) in [(pair.store, loop.path), (loop.path, pair.store)] {
      for way in ["--no-undo", "--dry-run"] {
        let outcome = try dmsnap.run(["merge", store, "--origin", origin, way])
        expectRefusal(outcome, "\(origin): shares bytes with the store")
      }
    }
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256)
  }

  @Test(
    .enabled(if: PartitionedDisk.isAvailable, Comment(rawValue: PartitionedDisk.unavailable)))
  func `the disk of the store's partition is no origin, the partition beside it is`() throws {
    let pair = try Pair("written", in: directory)
    let file = try directory.write(sparse: 16 << 20, [], to: "disk")
    try Files.overwrite(file, at: 1 << 20, Files.bytes(pair.store))
    let disk = try PartitionedDisk(on: file)
    let before = try Files.sha256(file)
    let store = disk.partitions[0]
    let outcome = try dmsnap.run(["merge", store, "--origin", disk.disk.path, "--no-undo"])
    expectRefusal(outcome, "\(disk.disk.path): shares bytes with the store")
    let undo = try dmsnap.run([
      "merge", store, "--origin", disk.partitions[1], "--undo", disk.disk.path,
    ])
    expectRefusal(undo, "\(disk.disk.path): is the store or the origin itself, or shares bytes")
    #expect(try Files.sha256(file) == before)
    let beside = try dmsnap.run(["merge", store, "--origin", disk.partitions[1], "--no-undo"])
    #expect(beside.status == 0, "\(beside)")
  }
}
