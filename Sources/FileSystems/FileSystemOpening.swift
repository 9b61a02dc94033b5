public import BlockIO

/// Opens whatever file system a source holds.
public enum FileSystemOpening {
  /// The families that can be read, in the order in which they are tried: an ext file system that
  /// has lost its beginning last, for its traces are all over the source.
  private enum Family: CaseIterable {
    case ext, xfs, btrfs, tsk, tracesOfExt

    /// Opens a file system of the family; `notFound` if the source has none of it.
    func open(_ source: any BlockSource) throws(FileSystemError) -> any FileSystem {
      switch self {
      case .ext: try ExtFileSystem(source, isTracked: false)
      case .tracesOfExt: try ExtFileSystem(source)
      case .xfs: try XFSFileSystem(source)
      case .btrfs: try BtrfsFileSystem(source)
      case .tsk: try TSKOpening.open(source)
      }
    }
  }

  /// Opens the file system in a source.
  ///
  /// - Throws: `notFound` if no family knows it; if one does and cannot read it, that family's
  ///   error.
  public static func open(_ source: any BlockSource) throws(FileSystemError) -> any FileSystem {
    var failure: FileSystemError?
    for family in Family.allCases {
      do throws(FileSystemError) { return try family.open(source) } catch {
        if error.isFatal { throw error }
        if case .notFound = error { continue }
        failure = failure ?? error
      }
    }
    throw failure ?? .notFound(source.name)
  }
}
