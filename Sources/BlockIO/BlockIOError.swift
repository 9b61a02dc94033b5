public import SystemPackage

/// A failed operation on a file or device, and where.
public struct BlockIOError: CodedError, Equatable {
  /// The failed operation.
  public enum Operation: String, Sendable {
    case open, read, write, flush, create, rename, clone
    case size = "find the size of"
    case seek = "find the data of"
  }

  /// The reason for the failure.
  public enum Reason: Equatable, Sendable {
    /// The system's error.
    case system(Errno)
    /// The requested bytes are not all in the source, which has `byteCount` of them.
    case beyondEnd(byteCount: UInt64)
    /// The file or device was changed while it was read: its content and its holes may not belong
    /// together.
    case changed(String)
    /// By a map of bad sectors, these of the requested bytes were not read from the medium.
    case markedUnreadable(Range<UInt64>)
    /// These of the requested bytes are on something that is missing; the string describes it.
    case missing(String, Range<UInt64>)
    /// The path is a directory, a pipe, or something else that is neither file nor block device.
    case notAFileOrBlockDevice(String)
    /// Refused, although the system might have allowed it, because data could be lost.
    case refused(String)
  }

  /// The path, or the name of the part of a path, as the user gave it.
  public let name: String
  /// The failed operation.
  public let operation: Operation
  /// The reason for the failure.
  public let reason: Reason
  /// The bytes that were to be read or written, if that matters.
  public let byteRange: Range<UInt64>?

  /// An error of that source or target.
  public init(
    _ name: String, _ operation: Operation, _ reason: Reason, at byteRange: Range<UInt64>? = nil
  ) {
    self.name = name
    self.operation = operation
    self.reason = reason
    self.byteRange = byteRange
  }

  /// Refused, or not finished.
  public var status: ExitStatus { if case .refused = reason { .refused } else { .couldNotFinish } }

  /// `io.` and the operation, unless the input changed or the reader of the output is gone.
  public var code: String {
    switch reason {
    case .refused: "refused"
    case .changed: "input.changed"
    default:
      switch operation {
      case .size, .seek: "io.read"
      default: isClosedPipe ? "output.closed" : "io.\(operation)"
      }
    }
  }

  /// The file, and the bytes that were to be read or written.
  public var place: ErrorPlace? {
    ErrorPlace(
      name, byteOffset: byteRange?.lowerBound,
      byteCount: byteRange.map { $0.upperBound - $0.lowerBound })
  }

  /// Whether the medium failed at these bytes, so that reading around them is worth a try.
  public var isUnreadableMedium: Bool {
    switch reason {
    case .system(let errno):
      // Some drivers report a medium error as ENODATA, EILSEQ or EREMOTEIO.
      [.ioError, .noData, .remoteIO, .illegalByteSequence].contains(errno)
    case .beyondEnd, .markedUnreadable, .missing: true
    case .changed, .notAFileOrBlockDevice, .refused: false
    }
  }

  /// Whether it is known without trying that no byte of a request for `byteCount` bytes can be
  /// read.
  ///
  /// Only numbers of bytes count: positions are those of the source that failed, which may be below
  /// the one that was asked.
  func isMarkedThroughout(byteCount: Int) -> Bool {
    switch reason {
    case .markedUnreadable(let bytes), .missing(_, let bytes):
      bytes == byteRange && bytes.upperBound - bytes.lowerBound == UInt64(byteCount)
    default: false
    }
  }

  public var description: String {
    let place = byteRange.map { " \(Self.words($0))" } ?? ""
    return switch reason {
    case .system(let errno): "\(name): cannot \(operation.rawValue)\(place): \(errno)"
    case .beyondEnd(let byteCount):
      "\(name): cannot \(operation.rawValue)\(place): it ends at byte \(byteCount)"
    case .changed(let how): "\(name): changed while it was read: \(how)"
    case .markedUnreadable(let bytes):
      "\(name): cannot \(operation.rawValue)\(place): the map says that \(Self.words(bytes)) were"
        + " not read"
    case .missing(let what, let bytes):
      "\(name): cannot \(operation.rawValue)\(place): \(Self.words(bytes)) are on \(what), which is"
        + " missing"
    case .notAFileOrBlockDevice(let what):
      "\(name): is \(what); a file or block device is required"
    case .refused(let why): "\(name): \(why)"
    }
  }

  private static func words(_ bytes: Range<UInt64>) -> String {
    // Not `count`, which traps where it does not fit an Int.
    "\(bytes.upperBound - bytes.lowerBound) bytes at byte \(bytes.lowerBound)"
  }
}

extension Errno {
  // swift-system has no name for this one on Linux.
  static var remoteIO: Errno { Errno(rawValue: 121) }
}
