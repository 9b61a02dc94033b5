import ArgumentParser
import BlockIO
import FoundationEssentials
import SnapshotKit
import Synchronization

/// The description of the run that every JSON result includes.
struct RunRecord {
  /// The store, the origin and the undo file, as the user named them.
  var store: String?
  var origin: String?
  var undo: String?
  /// The rules by which the table is read.
  var reading: String?
  private let start = Date()
  private let clock = ContinuousClock.now

  /// The run of this process.
  fileprivate static let current = Mutex(RunRecord())

  /// Starts the clock.
  static func begin() { current.withLock { _ in } }

  /// Notes a command's arguments.
  static func note(_ change: @Sendable (inout RunRecord) -> Void) {
    current.withLock { change(&$0) }
  }

  private enum Key: String, CodingKey {
    case store, origin, undo, reading, startedAt, seconds, version
  }

  /// Encodes it next to a report, without the keys that the report already has.
  fileprivate func encode(to encoder: any Encoder, except taken: Set<String>) throws {
    var container = encoder.container(keyedBy: Key.self)
    if !taken.contains(Key.store.rawValue) { try container.encode(store, forKey: .store) }
    try container.encode(origin, forKey: .origin)
    try container.encode(undo, forKey: .undo)
    if !taken.contains(Key.reading.rawValue) { try container.encode(reading, forKey: .reading) }
    try container.encode(start.ISO8601Format(), forKey: .startedAt)
    let milliseconds = (ContinuousClock.now - clock) / .milliseconds(1)
    try container.encode(milliseconds.rounded() / 1000, forKey: .seconds)
    try container.encode(Version.number, forKey: .version)
  }
}

/// A report, the failure if there is one, and the run.
struct JSONResult<Report: Encodable>: Encodable {
  let report: Report
  let failure: (any CodedError)?
  /// The run's keys that the report already has.
  var taken: Set<String> = []

  private enum Key: String, CodingKey { case error }

  func encode(to encoder: any Encoder) throws {
    try report.encode(to: encoder)
    if let failure {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(FailureReport(failure), forKey: .error)
    }
    try RunRecord.current.withLock { $0 }.encode(to: encoder, except: taken)
  }
}

/// A command that can print JSON.
protocol ReportingCommand {
  /// The schema of its result; nil unless JSON was requested.
  var schema: String? { get }
}

/// Takes the place of a report if there is none.
struct EmptyReport: Encodable {
  let schema: String
}

/// The reason for a command's failure, for programs.
private struct FailureReport: Encodable {
  let status: Int32
  let code: String
  let message: String?
  let place: Place?

  /// The file or bytes concerned.
  struct Place: Encodable {
    let path: String
    @Nullable var byteOffset: UInt64?
    @Nullable var byteCount: UInt64?
  }

  private enum Key: String, CodingKey {
    case status, code, message
    case place = "where"
  }

  init(_ failure: any CodedError) {
    status = failure.status.rawValue
    code = failure.code
    message = failure.description.isEmpty ? nil : failure.description
    place = failure.place.map {
      Place(path: $0.path, byteOffset: $0.byteOffset, byteCount: $0.byteCount)
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(status, forKey: .status)
    try container.encode(code, forKey: .code)
    try container.encode(message, forKey: .message)
    try container.encode(place, forKey: .place)
  }
}
