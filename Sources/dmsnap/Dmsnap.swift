import ArgumentParser

/// The command as a whole.
@main
struct Dmsnap: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dmsnap",
    abstract:
      "Reads, checks, salvages and merges device-mapper snapshots (COW stores) without a kernel.",
    discussion: """
      STORE and ORIGIN are files or block devices; PATH,offset=BYTES,length=BYTES names a part of \
      one. With --pv PATH, once for each physical volume of LVM2, they are volumes of a group: vg/lv. \
      A store is only ever read. Exit status: 0 all well, 1 warnings, 2 damage or an \
      incomplete result, 3 no store recognised, 4 refused for safety with nothing written, 5 could \
      not finish, 64 wrong usage.
      """,
    version: "0.1.0",
    subcommands: [
      Identify.self, Carve.self, Inspect.self, TableCommand.self, AuditCommand.self, Explain.self,
      Export.self, Diff.self, Merge.self, Salvage.self, Lvm.self,
    ])

  /// Prints help or the version, which are data like any other.
  private static func sayHelp(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    do throws(Failure) { try Console.print(lines: lines) } catch {
      Console.report(error)
      exit(withError: ExitCode(error.status.rawValue))
    }
  }

  static func main() {
    Console.prepare()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let failure as Failure {
      Console.report(failure)
      exit(withError: ExitCode(failure.status.rawValue))
    } catch {
      if exitCode(for: error) == .success { return sayHelp(fullMessage(for: error)) }
      exit(withError: error)
    }
  }
}
