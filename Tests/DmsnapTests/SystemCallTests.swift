import Foundation
import Glibc
import TestSupport
import Testing

/// What the kernel sees: only the target that was named is opened for writing, and the undo store
/// is on the medium before the target is touched.
@Suite(
  .enabled(
    if: Strace.tool != nil, "strace must be installed and allowed to trace a program"))
struct SystemCallTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Runs dmsnap and returns the system calls of those names, a line each.
  private func trace(
    _ names: String, _ arguments: [String], inject: String? = nil, on paths: [String] = []
  ) throws -> (outcome: ToolOutcome, calls: [String]) {
    let log = directory.path("log")
    let outcome = try #require(Strace.tool).run(
      ["-f", "-qq", "-y", "-s", "8", "-e", "trace=\(names)", "-o", log]
        + Strace.only(paths) + (inject.map { ["-e", "inject=\($0)"] } ?? []) + [
          ToolRunner.dmsnap.path
        ] + arguments)
    let text = String(decoding: try Files.bytes(log), as: UTF8.self)
    _ = unsafe unlink(log)
    return (outcome, text.split(separator: "\n").map(String.init))
  }

  private static let changing =
    "open,openat,openat2,creat,truncate,ftruncate,fallocate,unlink,unlinkat,rename,renameat,"
    + "renameat2,link,linkat,symlink,mkdir,chmod,fchmod,chown,utimensat,write,pwrite64,pwritev,"
    + "copy_file_range,sendfile,splice,ioctl"

  /// The lines in which anything of ours may have been changed, but not the names in `allowed`.
  private func changes(_ calls: [String], but allowed: [String]) -> [String] {
    calls.filter { call in
      let isOpen = call.contains("open(") || call.contains("openat(") || call.contains("openat2(")
      let isWriting = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].contains { call.contains($0) }
      // What the runtime does elsewhere is not of interest, what happens to our files is.
      return call.contains(directory.path) && (!isOpen || isWriting)
        && !allowed.contains {
          call.contains("\($0)\"") || call.contains("\($0).") || call.contains("\($0)>")
        }
    }
  }

  @Test(arguments: Subcommand.ofFiles)
  func `no input is opened for writing`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    let output = directory.path("output")
    var arguments = command.arguments(store: pair.store, origin: pair.origin, output: output)
    if command == .inspect || command == .audit { arguments += ["--origin", pair.origin] }
    let (outcome, calls) = try trace(Self.changing, arguments)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(calls.contains { $0.contains("openat(") && $0.contains(pair.store) }, "\(calls)")
    // An output may have no name yet: then its folder is opened, and strace says "(deleted)" of it.
    let changes = changes(calls, but: [output]).filter {
      !$0.contains("O_TMPFILE") && !$0.contains("(deleted)")
    }
    #expect(changes.isEmpty, "\(changes.joined(separator: "\n"))")
  }

  @Test(arguments: ["--no-undo", "--undo", "--dry-run"])
  func `a merge opens the origin and its undo file for writing, and nothing else`(
    way: String
  ) throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    let arguments =
      ["merge", pair.store, "--origin", pair.origin, way] + (way == "--undo" ? [undo] : [])
    let (outcome, calls) = try trace(Self.changing, arguments)
    #expect(outcome.status == 0, "\(outcome)")
    let allowed =
      switch way {
      case "--undo": [pair.origin, undo]
      case "--no-undo": [pair.origin]
      default: [String]()
      }
    // An undo file has no name before it has its length: see above.
    let changes = changes(calls, but: allowed).filter {
      way != "--undo" || !$0.contains("O_TMPFILE") && !$0.contains("(deleted)")
    }
    #expect(changes.isEmpty, "\(changes.joined(separator: "\n"))")
    let isOriginWritten = calls.contains { $0.contains("O_RDWR") && $0.contains(pair.origin) }
    #expect(isOriginWritten == (way != "--dry-run"))
  }

  @Test func `no refusal opens anything for writing`() throws {
    let pair = try Pair("overflow-p", in: directory)
    for way in [
      ["--no-undo"], ["--undo", directory.path("undo")], ["--to", directory.path("image")],
    ] {
      let (outcome, calls) = try trace(
        Self.changing, ["merge", pair.store, "--origin", pair.origin] + way)
      #expect(outcome.status == 4)
      #expect(changes(calls, but: []).isEmpty)
    }
  }

  @Test func `a store that is named as undo file is not opened for writing`() throws {
    let pair = try Pair("written", in: directory)
    let (outcome, calls) = try trace(
      Self.changing, ["merge", pair.store, "--origin", pair.origin, "--undo", pair.store])
    #expect(outcome.status == 4)
    let changes = changes(calls, but: [pair.origin])
    #expect(changes.isEmpty, "\(changes.joined(separator: "\n"))")
  }

  @Test func `old data, table and header are flushed in that order before the origin is written`()
    throws
  {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    let (outcome, calls) = try trace(
      "pwrite64,fdatasync,fsync", ["merge", pair.store, "--origin", pair.origin, "--undo", undo])
    #expect(outcome.status == 0, "\(outcome)")
    // "u" a write to the undo file's data, "t" to its table, "h" to its header, "f" its flush;
    // "O" and "F" the origin's; "d" the folder's flush.
    let events = calls.compactMap { call -> Character? in
      let isFlush = call.contains("fdatasync(") || call.contains("fsync(")
      if call.contains("\(pair.origin)>") { return isFlush ? "F" : "O" }
      if call.contains("\(undo)>") {
        if isFlush { return "f" }
        let offset = call.split(separator: ")").first?.split(separator: ", ").last.flatMap {
          Int($0)
        }
        return offset == 0 ? "h" : offset == 4096 ? "t" : "u"
      }
      return isFlush && call.contains("\(directory.path)>") ? "d" : nil
    }
    let order = String(events)
    #expect(
      order.wholeMatch(of: /d*hf+u+f+t+f+hf+O+F+hf+/) != nil,
      "\(order)\n\(calls.joined(separator: "\n"))")
  }

  @Test func `an output is flushed before it gets its name, and its folder after`() throws {
    let pair = try Pair("written", in: directory)
    let image = directory.path("image")
    let (_, calls) = try trace(
      "pwrite64,fdatasync,fsync,rename,renameat2,link,linkat",
      ["export", pair.store, "--origin", pair.origin, "--to", image])
    let order = String(
      calls.compactMap { call -> Character? in
        if call.contains("rename") || call.contains("link") { return "r" }
        if call.contains("sync(") { return call.contains("\(directory.path)>)") ? "d" : "f" }
        return call.contains("pwrite64(") && call.contains(directory.path) ? "w" : nil
      })
    #expect(order.wholeMatch(of: /w*f+r+d+/) != nil, "\(order)\n\(calls.joined(separator: "\n"))")
  }

  @Test func `an export that is interrupted leaves nothing`() throws {
    let pair = try Pair("written", in: directory)
    let (outcome, _) = try trace(
      "pwrite64", ["export", pair.store, "--origin", pair.origin, "--to", directory.path("image")],
      inject: "pwrite64:signal=SIGINT:when=1")
    #expect(outcome.status != 0)
    let names = try directory.names()
    #expect(names.count == 2, "\(names)")
  }

  @Test(arguments: ["EIO", "ENOSPC"])
  func `a write that fails is told, is status 5, and can be taken back`(error: String) throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    let arguments = [
      "merge", pair.store, "--origin", pair.origin, "--undo", undo, "--accept", "unrelated-origin",
    ]
    // Header, data, table and header of the undo file, then the origin's second write.
    let (outcome, _) = try trace(
      "pwrite64", arguments, inject: "pwrite64:error=\(error):when=6",
      on: [pair.origin, undo])
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: pair.origin) == nil)
    #expect(try Files.sha256(pair.origin) != pair.facts.origin.sha256)
    let half = try directory.copy(pair.origin, to: "half")
    #expect(try ToolRunner.dmsnap.run(["merge", undo, "--origin", half, "--no-undo"]).status == 0)
    #expect(try Files.sha256(half) == pair.facts.origin.sha256)
    #expect(try ToolRunner.dmsnap.run(arguments).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
  }

  @Test func `a merge killed at any write or flush is finished by the same command`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    let arguments = [
      "merge", pair.store, "--origin", pair.origin, "--undo", undo, "--accept", "unrelated-origin",
    ]
    for call in 1... {
      let what = "killed at call \(call)"
      let (outcome, _) = try trace(
        "pwrite64,fdatasync", arguments, inject: "pwrite64,fdatasync:signal=SIGKILL:when=\(call)")
      let again = try ToolRunner.dmsnap.run(arguments)
      #expect(again.status == 0, "\(what): \(again)")
      #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256, "\(what)")
      let back = try ToolRunner.dmsnap.run(["merge", undo, "--origin", pair.origin, "--no-undo"])
      #expect(back.status == 0, "\(what): \(back)")
      #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256, "\(what)")
      _ = unsafe unlink(undo)
      // Header, data, flush, table, flush, header, flush; the origin, flush; header, flush.
      if outcome.status == 0 {
        #expect(call > 9, "\(what)")
        return
      }
      try #require(call < 100)
    }
  }

  @Test func `what is verified is read past the cache, behind the flush`() throws {
    let pair = try Pair("written", in: directory)
    let (outcome, calls) = try trace(
      "openat,fdatasync,pread64",
      ["merge", pair.store, "--origin", pair.origin, "--no-undo", "--verify"]
    )
    #expect(outcome.status == 0, "\(outcome)")
    let flush = try #require(calls.firstIndex { $0.contains("fdatasync(") })
    let open = try #require(calls.lastIndex { $0.contains("O_DIRECT|") })
    #expect(open > flush && calls[open].contains("/proc/self/fd/"))
    #expect(calls[open...].contains { $0.contains("pread64(") && $0.contains("\(pair.origin)>") })
    let (_, without) = try trace(
      "openat,fdatasync", ["merge", pair.store, "--origin", pair.origin, "--no-undo"])
    let lastFlush = try #require(without.lastIndex { $0.contains("fdatasync(") })
    #expect(!without[lastFlush...].contains { $0.contains("O_DIRECT|") })
  }

  @Test func `a medium that does not hold what was written is found by verify`() throws {
    let pair = try Pair("written", in: directory)
    let merge = [
      "merge", pair.store, "--origin", pair.origin, "--no-undo", "--accept", "unrelated-origin",
    ]
    // The write is said to be done, and is not.
    let lie = "pwrite64:retval=4096:when=1"
    let (outcome, _) = try trace("pwrite64", merge + ["--verify"], inject: lie, on: [pair.origin])
    #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint() == nil && outcome.errors.contains("the data read back differs"))
    #expect(try ToolRunner.dmsnap.run(merge + ["--verify"]).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
  }
}
