public import BlockIO

/// Why a source could not be identified.
///
/// A source that holds nothing known is no error, and neither is a medium with bad sectors.
public enum BlkidError: CodedError, Equatable {
  /// The source could not be read, or there is no memory for its copy.
  case source(BlockIOError)
  /// libblkid refused the source of that name.
  case library(name: String)

  /// The status of the source's error; otherwise, not finished.
  public var status: ExitStatus {
    switch self {
    case .source(let error): error.status
    case .library: .couldNotFinish
    }
  }

  /// The code of the source's error, or `io.probe`.
  public var code: String {
    switch self {
    case .source(let error): error.code
    case .library: "io.probe"
    }
  }

  /// The place of the failure in the source.
  public var place: ErrorPlace? {
    switch self {
    case .source(let error): error.place
    case .library: nil
    }
  }

  /// Place, kind and cause, in one line.
  public var description: String {
    switch self {
    case .source(let error): error.description
    case .library(let name): "\(name): libblkid cannot look into it"
    }
  }
}
