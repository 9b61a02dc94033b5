import Foundation
import PackagePlugin

/// Has the commit that the program is built from written into one of its sources, for
/// `dmsnap --version`.
///
/// The work is done by stamp-commit when the program is built, after each commit and each change of
/// a source: SwiftPM would cache a result found by a plugin or a manifest.
@main
struct StampCommit: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let package = context.package.directoryURL
    let output = context.pluginWorkDirectoryURL.appending(path: "Commit.swift")
    return [
      .buildCommand(
        displayName: "Asking git for the commit", executable: URL(filePath: "/bin/sh"),
        arguments: [
          package.appending(path: "Sources/StampCommit/stamp-commit").path(), package.path(),
          output.path(),
        ],
        inputFiles: headLog(of: package) + sources(of: package), outputFiles: [output])
    ]
  }

  /// The file to which git adds a line whenever there is another commit; none without git.
  private func headLog(of package: URL) -> [URL] {
    var folder = package.appending(path: ".git")
    // In a second work tree it is a file that names the folder.
    if let text = try? String(contentsOf: folder, encoding: .utf8), text.hasPrefix("gitdir: ") {
      let path = text.dropFirst("gitdir: ".count).trimmingCharacters(in: .newlines)
      folder = URL(filePath: path, directoryHint: .isDirectory, relativeTo: package)
    }
    let log = folder.appending(path: "logs/HEAD")
    return FileManager.default.fileExists(atPath: log.path()) ? [log.absoluteURL] : []
  }

  private func sources(of package: URL) -> [URL] {
    let folder = package.appending(path: "Sources")
    let paths = FileManager.default.subpaths(atPath: folder.path()) ?? []
    return paths.map { folder.appending(path: $0, directoryHint: .checkFileSystem) }
      .filter { !$0.hasDirectoryPath }
      + [package.appending(path: "Package.swift")]
  }
}
