import BlockIO
import FileSystems
import SnapshotKit

extension LostFiles.Search {
  /// The files, if they were looked at.
  var found: [LostFiles]? { if case .found(let files) = self { files } else { nil } }

  /// Prints the sentence to stderr.
  func say() {
    if let sentence = found?.sentence { Console.say("dmsnap: \(sentence)") }
  }

  /// The last lines of a screen.
  ///
  /// - Parameter isComplete: Whether each file has a line of its own.
  func lines(isComplete: Bool) -> [ColouredLine] {
    let sentence =
      switch self {
      case .found(let files): files.sentence ?? (isComplete ? "no known losses" : nil)
      case .tooMany: "too many to examine; --files examines all of them"
      case .noFileSystem: isComplete ? "none readable: no known file system" : nil
      }
    guard let sentence else { return [] }
    let lines = sentence.wrapped(indent: 9)
    return lines.enumerated().map { index, line in
      ColouredLine(index == 0 ? "files".padding(to: 9) + line.dropFirst(9) : line)
    }
      + (isComplete ? found ?? [] : []).flatMap(\.lines).map {
        ColouredLine("".padding(to: 9) + $0)
      }
  }
}

extension [LostFiles] {
  /// The losses in a sentence: "lost: 3 files (/a 64 KiB of 16 MiB, …), 2 free ranges (8 KiB)"; nil
  /// if there are none.
  var sentence: String? {
    let parts = filter { !$0.isNone }
    if parts.isEmpty { return nil }
    var sentence = parts.map(\.clause).joined(separator: "; ")
    if parts.contains(where: \.isEndInDoubt) {
      sentence += ", if exceptions after the table's end are lost (undetermined)"
    }
    let unknownCount = parts.map(\.unknownCount).max() ?? 0
    if unknownCount > 0 {
      sentence += "; up to \(counted(unknownCount, "lost exception")) cannot be traced to files"
    } else if parts.contains(where: { $0.hasUnknown && !$0.condition.isUnreadable }) {
      sentence += "; the table's end is lost, and the files show no further losses"
    }
    return sentence
  }
}

extension LostFiles {
  /// The number of files that a sentence names.
  private static let namedCount = 3

  /// The losses of one file system.
  fileprivate var clause: String {
    if case .unreadable(let problem) = condition {
      return part.prefix + "its file system cannot be read: \(problem)"
    }
    let lost = files.filter(\.isLost)
    var parts: [String] = []
    if !lost.isEmpty {
      parts.append(Self.named(lost.map { "\($0.name) \($0.lostSize)" }, "file"))
    }
    if lost.isEmpty, names.isEmpty, !free.isEmpty || !structures.isEmpty { parts.append("no file") }
    if !names.isEmpty { parts.append(Self.named(names, "name") + " without a file") }
    if !free.isEmpty {
      parts.append(
        "\(counted(UInt64(free.count), "free range")) (\(byteSize(free.totalCount)))")
    }
    if !structures.isEmpty {
      parts.append("\(byteSize(structures.totalCount)) of the file system's structures")
    }
    var clauses: [String] = if case .degraded(let problem) = condition { [problem] } else { [] }
    if !parts.isEmpty || !isEndInDoubt && clauses.isEmpty {
      clauses.append(
        "lost: " + (parts.isEmpty ? "nothing known" : parts.joined(separator: ", ")))
    }
    let likely = files.filter { $0.likelyByteCount > 0 }
    if !likely.isEmpty {
      clauses.append(
        "with a likely place only: "
          + Self.named(likely.map { "\($0.name) \($0.size($0.likelyByteCount))" }, "file"))
    }
    let doubtful = files.filter { $0.doubtfulByteCount > 0 }
    if !doubtful.isEmpty {
      clauses.append(
        "in doubt: "
          + Self.named(
            doubtful.map { "\($0.name) \($0.size($0.doubtfulByteCount))" }, "file"))
    }
    if clauses.isEmpty { clauses.append("in doubt: no known file") }
    return part.prefix + clauses.joined(separator: "; ")
  }

  /// A line for each file.
  fileprivate var lines: [String] {
    (files.map(\.line) + names.map { "\($0): its inode is lost" }).map { part.prefix + $0 }
  }

  private static func named(_ names: [String], _ noun: String) -> String {
    let shown = names.prefix(namedCount) + (names.count > namedCount ? ["…"] : [])
    return "\(counted(UInt64(names.count), noun)) (\(shown.joined(separator: ", ")))"
  }
}

extension LostFiles.Condition {
  fileprivate var isUnreadable: Bool { if case .unreadable = self { true } else { false } }
}

extension LostFiles.File {
  /// More ranges of a file are not said.
  private static let rangeCountMax = 4

  fileprivate var name: String {
    (paths.first ?? "<inode \(id.number)>") + (kind == .directory && paths.first != "/" ? "/" : "")
  }

  fileprivate func size(_ count: UInt64) -> String {
    kind == .regular ? "\(byteSize(count)) of \(byteSize(byteCount))" : byteSize(count)
  }

  fileprivate var lostSize: String {
    lost.isEmpty ? "its map or attributes" : size(lost.totalCount)
  }

  fileprivate var line: String {
    var words: [String] = []
    let known = lost.totalCount - min(lost.totalCount, unnamedByteCount)
    if known > 0 { words.append("\(size(known)) lost") }
    if unnamedByteCount > 0 {
      words.append("\(size(unnamedByteCount)) either in the store or lost (undetermined)")
    }
    if !lost.isEmpty {
      let ranges =
        lost.prefix(Self.rangeCountMax).map { "\($0.lowerBound)-\($0.upperBound - 1)" }
        + (lost.count > Self.rangeCountMax ? ["…"] : [])
      words.append("bytes " + ranges.joined(separator: ", "))
    }
    if structureByteCount > 0 {
      words.append("\(byteSize(structureByteCount)) of its map or attributes lost")
    }
    if doubtfulByteCount > 0 { words.append("\(byteSize(doubtfulByteCount)) in doubt") }
    if likelyByteCount > 0 { words.append("\(byteSize(likelyByteCount)) with a likely place only") }
    return "\(name): " + words.joined(separator: "; ")
  }
}

extension SnapshotPart.Kind {
  /// The prefix of a line about its losses.
  fileprivate var prefix: String {
    switch self {
    case .whole: ""
    case .partition(let number): "partition \(number): "
    case .volume(let name): "\(name): "
    }
  }
}
