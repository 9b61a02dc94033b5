internal import Foundation

/// What dmsnap printed as JSON in the tests, kept where DMSNAP_JSON_LOG says: it is held against the
/// schemas in docs/schema afterwards.
enum JSONLog {
  private static let folder = ProcessInfo.processInfo.environment["DMSNAP_JSON_LOG"]

  /// Keeps an outcome that is an object.
  static func keep(_ outcome: ToolOutcome, of arguments: [String]) {
    guard let folder, arguments.contains("json"), outcome.output.hasPrefix("{") else { return }
    try? FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    let path = "\(folder)/\(arguments[0])-\(UUID().uuidString).json"
    try? outcome.output.write(toFile: path, atomically: false, encoding: .utf8)
  }
}
