import ArgumentParser
import FoundationEssentials
import SnapshotKit
import Synchronization

/// What every JSON result says of the run that it is of.
struct RunRecord {
  /// The store, the origin and the undo file, as the user named them.
  var store: String?
  var origin: String?
  var undo: String?
  /// By which rules the table is read.
  var reading: String?
  private let start = Date()
  private let clock = ContinuousClock.now

  /// The run that this process is.
  fileprivate static let current = Mutex(RunRecord())

  /// Begins to count the time.
  static func begin() { current.withLock { _ in } }

  /// Notes what a command was given.
  static func note(_ change: @Sendable (inout RunRecord) -> Void) {
    current.withLock { change(&$0) }
  }

  private enum Key: String, CodingKey {
    case store, origin, undo, reading, startedAt, seconds, version
  }

  /// Encodes it beside a report, without the keys that the report has itself.
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

/// A report, why the command fails where it does, and the run.
struct JSONResult<Report: Encodable>: Encodable {
  let report: Report
  let failure: Failure?
  /// Which of the run's keys the report has itself.
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
  /// The schema of its result, where JSON is asked for.
  var schema: String? { get }
}

/// What stands in the place of a report where there is none.
struct EmptyReport: Encodable {
  let schema: String
}

/// Why a command fails, for a program.
private struct FailureReport: Encodable {
  let status: Int32
  let code: String
  let message: String?
  let place: Failure.Place?

  private enum Key: String, CodingKey {
    case status, code, message
    case place = "where"
  }

  init(_ failure: Failure) {
    status = failure.status.rawValue
    code = failure.code
    message = failure.message
    place = failure.place
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(status, forKey: .status)
    try container.encode(code, forKey: .code)
    try container.encode(message, forKey: .message)
    try container.encode(place, forKey: .place)
  }
}
