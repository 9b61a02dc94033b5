import BlockIO
import FoundationEssentials
import Inputs
import SystemPackage

/// The files that a command will make.
enum OutputPaths {
  /// Refuses, before anything is done, two outputs in one file, and existing files; an undo file
  /// may exist, because an interrupted merge continues with it.
  ///
  /// - Parameter named: The options and their arguments.
  static func check(_ named: [(option: String, path: String?)]) throws {
    var seen: [String: String] = [:]
    for case (let option, let path?) in named where path != "-" {
      if let other = seen.updateValue(option, forKey: place(of: path)) {
        throw Failure(.refused, "\(path): \(other) and \(option) name the same file")
      }
      if option != "--undo" {
        try OutputFile.checkAbsent(FilePath(path))
      }
    }
  }

  /// Identifies a file by its directory and its name there, whether or not it exists: two names of
  /// one file give the same.
  private static func place(of path: String) -> String {
    let path = FilePath(absolutePath(path))
    // After a link to a directory, its dot is the directory itself.
    let directory = path.removingLastComponent().pushing(".").string
    let attributes = try? FileManager.default.attributesOfItem(atPath: directory)
    guard let device = attributes?[.systemNumber], let inode = attributes?[.systemFileNumber] else {
      return path.string  // making the file will fail, and report why
    }
    return "\(device):\(inode)/\(path.lastComponent?.string ?? "")"
  }
}
