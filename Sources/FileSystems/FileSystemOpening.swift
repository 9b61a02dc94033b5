public import BlockIO

/// Opens whatever file system a source holds.
public enum FileSystemOpening {
  /// Opens a file system of one family; `notFound` if the source has none of that family.
  typealias Opener = @Sendable (any BlockSource) throws(FileSystemError) -> any FileSystem

  /// The families that can be read, in the order in which they are tried.
  static let families: [Opener] = []

  /// Opens the file system in a source.
  ///
  /// - Throws: `notFound` if no family knows it; if one does and cannot read it, that family's
  ///   error.
  public static func open(_ source: any BlockSource) throws(FileSystemError) -> any FileSystem {
    try open(source, families)
  }

  /// Opens the file system in a source, if it is of one of those families.
  static func open(
    _ source: any BlockSource, _ families: [Opener]
  ) throws(FileSystemError) -> any FileSystem {
    var failure: FileSystemError?
    for open in families {
      do throws(FileSystemError) { return try open(source) } catch {
        if error.isFatal { throw error }
        if case .notFound = error { continue }
        failure = failure ?? error
      }
    }
    throw failure ?? .notFound(source.name)
  }
}
