public import BlockIO

/// Something in a file system that is not as it must be.
public struct FileSystemDamage: Hashable, Sendable {
  /// The problem, in a few words: `extent block of inode 12: wrong checksum`.
  public let problem: String
  /// The bytes of the source that it is in, if known.
  public let bytes: Range<UInt64>?

  /// Something that is wrong.
  package init(_ problem: String, at bytes: Range<UInt64>? = nil) {
    (self.problem, self.bytes) = (problem, bytes)
  }
}

/// Why something could not be read from a file system.
public enum FileSystemError: CodedError, Equatable {
  /// The source does not hold a file system that can be read here.
  case notFound(String)
  /// Its file system has an unsupported feature: the source's name, and the feature.
  case unsupported(String, String)
  /// The file or structure that was asked for is damaged.
  case damaged(String, FileSystemDamage)
  /// There is no file of that path or number.
  case noFile(String, String)
  /// The file is not of the requested kind: its name, and that kind.
  case wrongKind(String, String)
  /// The source could not be read.
  case io(BlockIOError)

  /// Not found, damage, or not finished.
  public var status: ExitStatus {
    switch self {
    case .notFound, .noFile: .noStore
    case .damaged: .damage
    case .unsupported, .wrongKind: .couldNotFinish
    case .io(let error): error.status
    }
  }

  /// `filesystem.` or `file.` and the problem, or the code of the source's error.
  public var code: String {
    switch self {
    case .notFound: "filesystem.not-found"
    case .unsupported: "filesystem.unsupported"
    case .damaged: "filesystem.damaged"
    case .noFile: "file.not-found"
    case .wrongKind: "file.wrong-kind"
    case .io(let error): error.code
    }
  }

  /// The file system, and the bytes that are damaged.
  public var place: ErrorPlace? {
    switch self {
    case .damaged(let name, let damage):
      ErrorPlace(
        name, byteOffset: damage.bytes?.lowerBound,
        byteCount: damage.bytes.map { UInt64($0.count) })
    case .io(let error): error.place
    case .notFound(let name), .unsupported(let name, _), .noFile(let name, _),
      .wrongKind(let name, _):
      ErrorPlace(name)
    }
  }

  public var description: String {
    switch self {
    case .notFound(let name): "\(name): no file system whose files dmsnap can read"
    case .unsupported(let name, let feature): "\(name): \(feature) is not supported"
    case .damaged(let name, let damage): "\(name): \(damage.problem)"
    case .noFile(let name, let file): "\(name): no file \(file)"
    case .wrongKind(let name, let kind): "\(name): not \(kind)"
    case .io(let error): error.description
    }
  }
}
