public import SystemPackage

/// Something that could not be done to a file or device, and where.
public struct BlockIOError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was being done.
  public enum Operation: String, Sendable {
    case open, read, write, flush, create, rename, clone
    case size = "find the size of"
    case seek = "find the data of"
  }

  /// Why it could not be done.
  public enum Reason: Equatable, Sendable {
    /// The system said so.
    case system(Errno)
    /// The bytes asked for do not all lie in the source, which has `byteCount` of them.
    case beyondEnd(byteCount: UInt64)
    /// The path is a directory, a pipe, or something else that is neither file nor block device.
    case notAFileOrBlockDevice(String)
    /// Refused although the system might have done it, because data could be lost.
    case refused(String)
  }

  /// The path, or the name of the part of a path, as the user gave it.
  public let name: String
  public let operation: Operation
  public let reason: Reason
  /// The bytes that were to be read or written, where that matters.
  public let byteRange: Range<UInt64>?

  public init(
    _ name: String, _ operation: Operation, _ reason: Reason, at byteRange: Range<UInt64>? = nil
  ) {
    self.name = name
    self.operation = operation
    self.reason = reason
    self.byteRange = byteRange
  }

  /// Whether the medium failed at these bytes, so that reading around them is worth a try.
  public var isUnreadableMedium: Bool {
    switch reason {
    case .system(let errno):
      // ENODATA and EILSEQ are what some drivers make of a medium error; EREMOTEIO as well.
      [.ioError, .noData, .remoteIO, .illegalByteSequence].contains(errno)
    case .beyondEnd: true
    case .notAFileOrBlockDevice, .refused: false
    }
  }

  public var description: String {
    // Not `count`, which traps where it does not fit an Int.
    let place =
      byteRange.map { " \($0.upperBound - $0.lowerBound) bytes at byte \($0.lowerBound)" } ?? ""
    return switch reason {
    case .system(let errno): "\(name): cannot \(operation.rawValue)\(place): \(errno)"
    case .beyondEnd(let byteCount):
      "\(name): cannot \(operation.rawValue)\(place): it ends at byte \(byteCount)"
    case .notAFileOrBlockDevice(let what):
      "\(name): is \(what), a file or block device is required"
    case .refused(let why): "\(name): \(why)"
    }
  }
}

extension Errno {
  // swift-system has no name for this one on Linux.
  static var remoteIO: Errno { Errno(rawValue: 121) }
}
