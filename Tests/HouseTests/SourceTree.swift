import Foundation

/// The Swift files below Sources/, as the tests of the house read them.
struct SourceTree {
  struct File {
    /// The path below Sources/.
    let path: String
    /// The lines as they stand.
    let lines: [Substring]
    /// The text without comments and string literals, but with what is interpolated in these: what
    /// names types.
    let code: String

    init(_ path: String, _ text: String) {
      self.path = path
      lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      code = CodeScanner(text).code
    }

    /// The target that it belongs to.
    var target: String { String(path.prefix { $0 != "/" }) }

    /// The folder of the target that it lies in; empty for one that lies in none.
    var folder: String {
      let parts = path.split(separator: "/")
      return parts.count > 2 ? String(parts[1]) : ""
    }

    /// The types that it declares at its outermost level.
    var declaredTypes: [String] {
      code.matches(
        of:
          /(?m)^(?:(?:public|package|internal|private|fileprivate|final|indirect) )*(?:struct|class|enum|protocol|actor|typealias) (\w+)/
      ).map { String($0.1) }
    }

    /// Whether a line declares what BlockSource, BlockTarget, ExportSink, FileSystem or ExtractionSink
    /// requires, in a file that has a conformer or default implementations: the comment is at the
    /// requirement.
    func isWitness(_ line: Substring) -> Bool {
      let name =
        /\b(?:var|let|func) (?:name|byteCount|files|base|read|readUncached|nextData|knownUnreadable|willRead|hasCached|write|startWriting|flush|readingBack|append|appendZeroes)\b/
      let ofFiles =
        /\b(?:var|let|func) (?:source|family|root|inode|forEachInode|forEachEntry|map|content|target|attributes|freeRanges|structure|directory|file|link|hardLink|special|finish|forbidden|presentCount)\b/
      let fileConformer =
        /(?:class|struct|enum|extension) [^\n{]*:[^{]*\b(?:FileSystem|ExtractionSink)\b|extension \w*FileSystem \{/
      let conformer =
        /(?:class|struct|enum|extension) [^\n{]*:[^{]*\b(?:BlockSource|ForwardingSource|BlockTarget|ExportSink)\b/
      let defaults = /extension (?:BlockSource|ForwardingSource|BlockTarget) \{/
      return line.contains(name) && (code.contains(conformer) || code.contains(defaults))
        || line.contains(ofFiles) && code.contains(fileConformer)
    }

    /// Every capitalised word of the code.
    var namedTypes: Set<String> {
      Set(code.matches(of: /\b[A-Z]\w*/).map { String($0.0) })
    }

    /// The modules that it imports.
    var imports: Set<String> {
      Set(
        code.matches(of: /(?m)^(?:(?:public|package|internal) )?import (\w+)/).map { String($0.1) })
    }
  }

  let files: [File]

  init() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let sources = root.appending(path: "Sources")
    let paths = FileManager.default.subpaths(atPath: sources.path()) ?? []
    files = try paths.filter { $0.hasSuffix(".swift") }.sorted().map {
      File($0, try String(contentsOf: sources.appending(path: $0), encoding: .utf8))
    }
  }
}

/// Which folder of a target uses which other, and by what.
struct FolderUses {
  /// One file naming a type that another folder declares.
  struct Use: Comparable, CustomStringConvertible {
    let from: String
    let to: String
    let file: String
    let type: String

    var description: String { "\(from) → \(to): \(file) names \(type)" }

    static func < (left: Use, right: Use) -> Bool { left.description < right.description }
  }

  let uses: [Use]

  /// Draws the uses within one target.
  init(in files: [SourceTree.File]) {
    var homes: [String: String] = [:]
    for file in files {
      for type in file.declaredTypes { homes[type] = file.folder }
    }
    uses = files.flatMap { file in
      file.namedTypes.compactMap { type in
        homes[type].flatMap { home in
          home == file.folder
            ? nil : Use(from: file.folder, to: home, file: file.path, type: type)
        }
      }
    }.sorted()
  }
}
