public import BlockIO

/// Why it could not be found out what a source holds.
///
/// That a source holds nothing known is no error, and neither is a medium with bad sectors.
public enum BlkidError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The source could not be read, or its copy in memory not be made.
  case source(BlockIOError)
  /// libblkid would not take the source of that name.
  case library(name: String)

  /// Where, what, and why, in one line.
  public var description: String {
    switch self {
    case .source(let error): error.description
    case .library(let name): "\(name): libblkid cannot look into it"
    }
  }
}
