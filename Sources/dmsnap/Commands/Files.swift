import ArgumentParser

/// `dmsnap files`: the files of a snapshot, and of its origin.
struct Files: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Reads the files of a snapshot: files list, get, cat, changes, owner, extents, timeline.",
    discussion: """
      Files are read straight through the table, without a mount, root or an intermediate image; \
      only the new files or directories that you ask for are written. In names, bytes that cannot \
      be shown appear as `\\xNN`, and are accepted in that form.
      """,
    subcommands: [
      FilesList.self, FilesGet.self, FilesCat.self, FilesChangesCommand.self,
      FilesOwner.self, FilesExtents.self, FilesTimeline.self,
    ])
}
