#if TSK
  public import BlockIO

  /// A reason why libtsk could not read something.
  public enum TSKError: Error, Equatable, Sendable {
    /// The source has no file system that libtsk knows.
    case notFound
    /// The source could not be read.
    case source(BlockIOError)
    /// libtsk refused, in its words: its input is damaged, or not there.
    case library(String)
    /// libtsk is not installed, or of another version than this one.
    case missing(version: String)
    /// libtsk comes to no end, or contradicts itself, and was left to itself.
    case stuck
  }
#endif
