import ArgumentParser
import BlockIO
import FoundationEssentials
import SystemPackage

/// A path of a file or block device, or a part of one: `PATH,offset=BYTES,length=BYTES`.
struct PathArgument: ExpressibleByArgument {
  /// As the user gave it.
  let text: String
  /// The path by itself.
  let path: String
  private let offset: UInt64?
  private let length: UInt64?

  init?(argument: String) {
    var parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    var numbers: [Substring: UInt64] = [:]
    while let last = parts.last, parts.count > 1 {
      let pair = last.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, ["offset", "length"].contains(pair[0]) else { break }
      guard let number = UInt64(pair[1]), numbers[pair[0]] == nil else { return nil }
      numbers[pair[0]] = number
      parts.removeLast()
    }
    text = argument
    path = parts.joined(separator: ",")
    (offset, length) = (numbers["offset"], numbers["length"])
    if path.isEmpty { return nil }
  }

  /// Whether it is all of the file or device.
  var isWhole: Bool { offset == nil && length == nil }

  /// What names the part of it that begins at a byte of it.
  func part(from byteOffset: UInt64) -> String {
    let end = length.map { ",length=\($0 - byteOffset)" } ?? ""
    return "\(path),offset=\(start + byteOffset)\(end)"
  }

  /// The same, with a path that holds in any directory.
  var absolute: String { absolutePath(path) + text.dropFirst(path.count) }

  /// Where the part begins in the file.
  var start: UInt64 { offset ?? 0 }

  /// Opens it for reading.
  ///
  /// - Parameter map: What of the whole file was not read when it was copied off a bad medium.
  func open(_ map: BadSectorMap? = nil) throws(Failure) -> any BlockSource {
    try failing { () throws(BlockIOError) in
      let whole = try FileSource(path: FilePath(path))
      let file: any BlockSource = map.map { MappedSource(whole, $0) } ?? whole
      if isWhole { return file }
      let (end, overflow) = start.addingReportingOverflow(length ?? file.byteCount &- start)
      guard !overflow, start <= end else {
        throw BlockIOError(path, .open, .beyondEnd(byteCount: file.byteCount))
      }
      return try SliceSource(file, start..<end)
    }
  }
}

extension PathArgument {
  /// Reads all of a file that is taken whole.
  ///
  /// - Parameter what: What a file of more bytes than these is too large for.
  func readAll(atMost byteCount: UInt64, as what: String) throws(Failure) -> IOBuffer {
    let source = try open()
    guard source.byteCount <= byteCount else {
      throw Failure(.couldNotFinish, "\(text): is too large for \(what)")
    }
    let buffer = IOBuffer(byteCount: Int(source.byteCount))
    try failing { () throws(BlockIOError) in
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
    }
    return buffer
  }
}

/// A path from the root, for one that begins here.
///
/// What it says is left as it is: behind a symbolic link, `..` is not where the name suggests.
func absolutePath(_ path: String) -> String {
  FilePath(FileManager.default.currentDirectoryPath).pushing(FilePath(path)).string
}
