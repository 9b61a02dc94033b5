import ArgumentParser
import BlockIO

/// The command as a whole.
@main
struct Dmsnap: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dmsnap",
    abstract:
      "Reads, checks, salvages and merges device-mapper snapshots (COW stores) without a kernel.",
    discussion: """
      STORE and ORIGIN are files or block devices; PATH,offset=BYTES,length=BYTES names a part of \
      one. With --pv PATH, once for each LVM2 physical volume, they are volumes of a group: vg/lv. \
      A store is never written. Exit status: 0 complete, 1 warnings or doubt, 2 damage or an \
      incomplete result, 3 no store, 4 refused (nothing written), 5 could not finish, 64 usage.
      """,
    version: Version.page,
    groupedSubcommands: [
      CommandGroup(
        name: "Look",
        subcommands: [
          Identify.self, Inspect.self, TableCommand.self, Diff.self, AuditCommand.self,
          Explain.self,
        ]),
      CommandGroup(name: "Files", subcommands: [Files.self]),
      CommandGroup(name: "Use", subcommands: [Serve.self, MountCommand.self, RecipeCommand.self]),
      CommandGroup(name: "Rescue", subcommands: [Salvage.self, Carve.self, Export.self]),
      CommandGroup(name: "Merge", subcommands: [Merge.self]),
      CommandGroup(name: "LVM", subcommands: [Lvm.self]),
    ])

  /// Prints help or the version, to stdout like other data.
  private static func sayHelp(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    do throws(BlockIOError) { try Console.print(lines: lines) } catch {
      Console.report(error)
      exit(withError: ExitCode(error.status.rawValue))
    }
  }

  static func main() {
    Console.prepare()
    RunRecord.begin()
    var schema: String?
    do {
      if let unknown = UnknownSubcommand(in: CommandLine.arguments.dropFirst(), of: Self.self) {
        throw ValidationError(unknown.message)
      }
      var command = try parseAsRoot()
      schema = (command as? any ReportingCommand)?.schema
      try command.run()
    } catch let failure as any CodedError {
      Console.report(failure, schema: schema)
      exit(withError: ExitCode(failure.status.rawValue))
    } catch {
      if exitCode(for: error) == .success { return sayHelp(fullMessage(for: error)) }
      sayUsage(of: error)
    }
  }

  /// Reports wrong arguments, with invisible characters made visible.
  private static func sayUsage(of error: any Error) -> Never {
    let odd = CommandLine.arguments.filter { $0.visible != $0 }
    let message = odd.reduce(fullMessage(for: error)) { $0.replacing($1, with: $1.visible) }
    for line in message.split(separator: "\n", omittingEmptySubsequences: false) {
      Console.say(String(line))
    }
    exit(withError: exitCode(for: error))
  }
}

extension Identify: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.identify.v1" : nil }
}

extension Carve: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.carve.v1" : nil }
}

extension Inspect: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.inspect.v1" : nil }
}

extension TableCommand: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.table.v1" : nil }
}

extension AuditCommand: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.audit.v1" : nil }
}

extension Export: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.export.v1" : nil }
}

extension Serve: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.serve.v1" : nil }
}

extension RecipeCommand: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.recipe.v1" : nil }
}

extension MountCommand: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.mount.v1" : nil }
}

extension Diff: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.diff.v1" : nil }
}

extension Merge: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.merge.v1" : nil }
}

extension Salvage: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.salvage.v1" : nil }
}

extension LvmList: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.lvm-list.v1" : nil }
}

extension LvmExtract: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.lvm-extract.v1" : nil }
}

extension FilesList: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.files-list.v1" : nil }
}

extension FilesGet: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.files-get.v1" : nil }
}

extension FilesChangesCommand: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.files-changes.v1" : nil }
}

extension FilesOwner: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.files-owner.v1" : nil }
}

extension FilesExtents: ReportingCommand {
  var schema: String? { format == .json ? "dmsnap.files-extents.v1" : nil }
}
