import Foundation

/// The programs that make images and that know what is in them, run as a user would.
enum Tool {
  /// A program that is not there, or that failed.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// What a program said.
  struct Answer {
    let status: Int32
    let output: String
  }

  /// Runs a program to its end. The directories of a superuser's programs are searched as well.
  ///
  /// - Throws: ``Failure`` when it is missing, or ends with a status that is not in `statuses`.
  @discardableResult
  static func run(
    _ name: String, _ arguments: [String], input: String = "", statuses: Set<Int32> = [0]
  ) throws -> Answer {
    let process = Process()
    process.executableURL = URL(filePath: try path(of: name))
    process.arguments = arguments
    process.environment = ["PATH": directories.joined(separator: ":"), "LC_ALL": "C"]
    let (standardInput, standardOutput) = (Pipe(), Pipe())
    let errors = Pipe()
    process.standardInput = standardInput
    process.standardOutput = standardOutput
    process.standardError = errors
    try process.run()
    try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try standardInput.fileHandleForWriting.close()
    let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
    let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard statuses.contains(process.terminationStatus) else {
      throw Failure(
        description: "\(name) \(arguments.joined(separator: " ")): status "
          + "\(process.terminationStatus): \(String(decoding: complaint, as: UTF8.self))")
    }
    return Answer(
      status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
  }

  private static let directories =
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    + ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]

  private static func path(of name: String) throws -> String {
    for directory in directories {
      let path = "\(directory)/\(name)"
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    throw Failure(description: "\(name) is needed by this test and is not installed")
  }
}

/// A directory of a test's own, which goes away with it.
final class Scratch {
  let path: String

  init() throws {
    let name = "dmsnap-\(UUID().uuidString)"
    path = FileManager.default.temporaryDirectory.appending(path: name).path()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Makes a file that holds `bytes` and is a hole from there up to `byteCount`.
  func file(_ name: String, _ bytes: [UInt8] = [], byteCount: UInt64? = nil) throws -> String {
    let file = "\(path)/\(name)"
    guard FileManager.default.createFile(atPath: file, contents: Data(bytes)) else {
      throw Tool.Failure(description: "\(file) cannot be made")
    }
    if let byteCount {
      let handle = try FileHandle(forWritingTo: URL(filePath: file))
      try handle.truncate(atOffset: byteCount)
      try handle.close()
    }
    return file
  }
}

/// Writes bytes into a file.
func patch(_ path: String, at byteOffset: UInt64, _ bytes: [UInt8]) throws {
  let handle = try FileHandle(forWritingTo: URL(filePath: path))
  try handle.seek(toOffset: byteOffset)
  try handle.write(contentsOf: Data(bytes))
  try handle.close()
}

/// Reads bytes of a file.
func bytes(of path: String, at byteOffset: UInt64, count: Int) throws -> [UInt8] {
  let handle = try FileHandle(forReadingFrom: URL(filePath: path))
  try handle.seek(toOffset: byteOffset)
  let data = try handle.read(upToCount: count) ?? Data()
  try handle.close()
  return [UInt8](data)
}
