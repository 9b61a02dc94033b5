import ArgumentParser

/// `dmsnap files`: the files of a snapshot, and of its origin.
struct Files: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Reads the files of a snapshot: files list, get, cat, changes, owner, extents, timeline.",
    discussion: """
      They are read straight through the table, without a mount, without root, and without an \
      image in between; nothing but a new file or directory that is asked for is written. A name \
      that cannot be shown has `\\xNN` for each byte that cannot, and is taken in that form too.
      """,
    subcommands: [
      FilesList.self, FilesGet.self, FilesCat.self, FilesChangesCommand.self,
      FilesOwner.self, FilesExtents.self, FilesTimeline.self,
    ])
}
