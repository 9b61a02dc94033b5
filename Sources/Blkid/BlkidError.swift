public import BlockIO

/// Why a source could not be identified.
///
/// A source that holds nothing known is no error, and neither is a medium with bad sectors.
public enum BlkidError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The source could not be read, or there is no memory for its copy.
  case source(BlockIOError)
  /// libblkid refused the source of that name.
  case library(name: String)

  /// Where, what, and why, in one line.
  public var description: String {
    switch self {
    case .source(let error): error.description
    case .library(let name): "\(name): libblkid cannot look into it"
    }
  }
}
