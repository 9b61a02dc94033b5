public import Foundation

/// The stores in corpus/ that Linux wrote, and what it said of them: see corpus/README.md.
public enum Corpus {
  /// A folder of the corpus.
  public struct Case: Sendable {
    public let name: String
    public let chunkSectors: Int
    public let store: Image
    public let origin: Image
    /// By kernel: "6.1" and "6.12".
    public let says: [String: Answer]
  }

  public struct Image: Decodable, Sendable {
    public let file: String
    public let byteCount: Int
    public let sha256: String
  }

  public struct Answer: Decodable, Sendable {
    public struct View: Decodable, Sendable {
      public let sha256: String
      public let unreadable: [[UInt64]]
    }
    public struct Merge: Decodable, Sendable {
      public let status: String
      public let originSha256: String
    }

    public let load: String
    public let log: [String]
    public let status: String?
    public let view: View?
    public let merge: Merge?
  }

  /// What is wrong with the corpus, or with the machine.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  private struct CaseFile: Decodable {
    let name: String
    let chunkSectors: Int
    let store: Image
    let origin: Image
    let says: [String: Answer]
  }

  /// Where it lies, beside Tests/.
  public static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "corpus")

  /// The names of all cases: folders with a case.json.
  public static var names: [String] {
    let entries = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
    return (entries ?? []).filter { name in
      FileManager.default.fileExists(atPath: folder.appending(path: "\(name)/case.json").path)
    }.sorted()
  }

  /// The case of that name.
  public static func read(_ name: String) throws -> Case {
    let json = try Data(contentsOf: folder.appending(path: "\(name)/case.json"))
    let file = try JSONDecoder().decode(CaseFile.self, from: json)
    return Case(
      name: name, chunkSectors: file.chunkSectors, store: file.store, origin: file.origin,
      says: file.says)
  }

  /// An image of a case, unpacked, of the length and content that the case says.
  public static func unpack(_ image: Image, of name: String) throws -> [UInt8] {
    let path = folder.appending(path: "\(name)/\(image.file)").path
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["xz", "--decompress", "--stdout", path]
    process.standardOutput = pipe
    try process.run()
    let bytes = [UInt8](pipe.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    guard process.terminationStatus != 127 else {
      throw Failure(description: "the corpus wants xz, which is not installed (apt: xz-utils)")
    }
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(path): xz failed with status \(process.terminationStatus)")
    }
    guard bytes.count == image.byteCount, bytes.sha256 == image.sha256 else {
      throw Failure(description: "\(path): is not the image that its case.json says")
    }
    return bytes
  }
}
