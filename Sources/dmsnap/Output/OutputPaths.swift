import BlockIO
import FoundationEssentials
import SystemPackage

/// The files that a command is to make.
enum OutputPaths {
  /// Refuses two outputs in one file, and what exists, before anything is done; an undo file may be
  /// there, as a merge goes on with it.
  ///
  /// - Parameter named: The options, and what the user said of each.
  static func check(_ named: [(option: String, path: String?)]) throws(Failure) {
    var seen: [String: String] = [:]
    for case (let option, let path?) in named where path != "-" {
      if let other = seen.updateValue(option, forKey: place(of: path)) {
        throw Failure(.refused, "\(path): \(other) and \(option) name the same file")
      }
      if option != "--undo" {
        try failing { () throws(BlockIOError) in try OutputFile.checkAbsent(FilePath(path)) }
      }
    }
  }

  /// What is the same for two names of one file, be it there or not: its directory, and its name
  /// there.
  private static func place(of path: String) -> String {
    let path = FilePath(absolutePath(path))
    // Behind a link to a directory, its dot is the directory itself.
    let directory = path.removingLastComponent().pushing(".").string
    let attributes = try? FileManager.default.attributesOfItem(atPath: directory)
    guard let device = attributes?[.systemNumber], let inode = attributes?[.systemFileNumber] else {
      return path.string  // making the file will fail, and say why
    }
    return "\(device):\(inode)/\(path.lastComponent?.string ?? "")"
  }
}
