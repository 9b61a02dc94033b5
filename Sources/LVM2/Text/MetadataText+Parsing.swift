extension MetadataText {
  /// Reads text in lvm2's configuration format.
  ///
  ///     # a comment, up to the end of the line
  ///     name = "a string with \" and \\"
  ///     name { number = -1 list = ["a", 1,] empty = [] }
  ///
  /// If a name occurs twice in a section, libdm takes the last value, and warns. lvm2 does not
  /// write such texts: here it is an error, as it may be two texts that run into each other. So are
  /// values without quotation marks, which only its newest versions read. The work is linear in the
  /// bytes.
  ///
  /// - Source: lvm2 `libdm/libdm-config.c`.
  init(parsing bytes: [UInt8]) throws(MetadataTextError) {
    var parser = MetadataParser(bytes)
    let entries = try parser.entries(depth: 0)
    self.bytes = bytes
    root = MetadataSection(byteOffset: parser.lexer.range.lowerBound, entries: entries)
    writer = parser.lexer.writer
  }
}

/// Goes through a text, token by token.
private struct MetadataParser {
  /// The maximum nesting of sections; lvm2 goes to five.
  private static let depthMax = 16
  /// The maximum number of names and values in a text: far more than ten thousand volumes need, and
  /// few enough for a few hundred megabytes of memory.
  private static let countMax = 1 << 22

  private(set) var lexer: MetadataLexer
  private var count = 0

  init(_ bytes: [UInt8]) {
    lexer = MetadataLexer(bytes)
    lexer.advance()
  }

  /// Reads up to the end of the section, or of the text.
  mutating func entries(depth: Int) throws(MetadataTextError) -> [MetadataEntry] {
    var entries: [MetadataEntry] = []
    var names: Set<String> = []
    while lexer.token == .word || lexer.token == .string {
      let byteOffset = lexer.range.lowerBound
      let name = lexer.content
      // To libdm, a slash leads into a section.
      guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")) else {
        throw error("a name without slashes")
      }
      guard names.insert(name).inserted else { throw error("a name that is new to the section") }
      try countOne()
      lexer.advance()
      entries.append(
        MetadataEntry(name: name, byteOffset: byteOffset, content: try content(depth: depth)))
    }
    guard lexer.token == (depth == 0 ? .end : .mark("}")) else {
      throw error(depth == 0 ? "a name, or the end of the text," : "a name or }")
    }
    return entries
  }

  /// Reads the part after a name.
  private mutating func content(depth: Int) throws(MetadataTextError) -> MetadataEntry.Content {
    switch lexer.token {
    case .mark("="):
      lexer.advance(toValue: true)
      let value = try value()
      lexer.advance()
      return .value(value)
    case .mark("{"):
      guard depth < Self.depthMax else {
        throw error("a text with sections nested at most \(Self.depthMax) deep")
      }
      lexer.advance()
      let entries = try entries(depth: depth + 1)
      lexer.advance()
      return .section(entries)
    default: throw error("= or {")
    }
  }

  /// Reads a value, up to its last token.
  private mutating func value() throws(MetadataTextError) -> MetadataValue {
    guard lexer.token == .mark("[") else { return try item() }
    let byteOffset = lexer.range.lowerBound
    var items: [MetadataValue] = []
    lexer.advance(toValue: true)
    while lexer.token != .mark("]") {
      try countOne()
      items.append(try item())
      lexer.advance()
      if lexer.token == .mark(",") {
        lexer.advance(toValue: true)
      } else if lexer.token != .mark("]") {
        throw error(", or ]")
      }
    }
    return MetadataValue(kind: .list(items), byteOffset: byteOffset)
  }

  /// Reads a value that is not a list.
  private func item() throws(MetadataTextError) -> MetadataValue {
    let kind: MetadataValue.Kind
    switch lexer.token {
    case .string: kind = .string(lexer.content)
    case .fraction: kind = .fraction
    case .integer:
      guard let integer = lexer.integer else {
        throw error("a number from \(Int64.min) to \(Int64.max)")
      }
      kind = .integer(integer)
    default: throw error("a string in quotation marks, or a number,")
    }
    return MetadataValue(kind: kind, byteOffset: lexer.range.lowerBound)
  }

  private mutating func countOne() throws(MetadataTextError) {
    count += 1
    if count > Self.countMax { throw error("a text of at most \(Self.countMax) names and values") }
  }

  /// The error of the last token found.
  private func error(_ required: String) -> MetadataTextError {
    let found =
      switch lexer.token {
      case .end: "the end of the text"
      case .unterminatedString: "a string without end"
      default: Quotation.of(lexer.text[lexer.range])
      }
    return MetadataTextError(
      at: lexer.range.lowerBound, of: lexer.text, found: found, required: required)
  }
}
