internal import BlockIO

/// A text of LVM2's metadata as sections and values, not yet as a volume group.
struct MetadataText {
  let bytes: [UInt8]
  /// The text outside of all sections.
  let root: MetadataSection
  /// The version of lvm2 that wrote it; nil if it does not say.
  let writer: String?
}

/// The text between two braces.
struct MetadataSection {
  /// The byte at which its name begins; its end for the whole text.
  let byteOffset: Int
  /// In the order of the text, each name once.
  let entries: [MetadataEntry]
}

/// A name, and its value or section.
struct MetadataEntry {
  enum Content {
    case section([MetadataEntry])
    case value(MetadataValue)
  }

  let name: String
  /// The byte at which the name begins.
  let byteOffset: Int
  let content: Content
}

/// A value after an equals sign, or in a list.
struct MetadataValue {
  enum Kind {
    case integer(Int64)
    case string(String)
    /// lvm2 does not write these; the value is not kept.
    case fraction
    /// None of its values is a list.
    case list([MetadataValue])
  }

  let kind: Kind
  /// The byte at which it begins.
  let byteOffset: Int
}

// The kinds of entries that are required. A missing one is an error at its section.
extension MetadataText {
  /// The section of a name; nil if there is none.
  func optionalSection(
    _ name: String, in section: MetadataSection
  ) throws(MetadataTextError) -> MetadataSection? {
    guard let entry = section.entry(name) else { return nil }
    guard case .section(let entries) = entry.content else {
      throw wrongKind(of: entry, "a section")
    }
    return MetadataSection(byteOffset: entry.byteOffset, entries: entries)
  }

  /// The section of a name.
  func section(
    _ name: String, in section: MetadataSection
  ) throws(MetadataTextError) -> MetadataSection {
    guard let found = try optionalSection(name, in: section) else {
      throw missing(name, in: section, "a section")
    }
    return found
  }

  /// The string of a name; nil if there is none.
  func optionalString(
    _ name: String, in section: MetadataSection
  ) throws(MetadataTextError) -> String? {
    guard let entry = section.entry(name) else { return nil }
    guard case .value(let value) = entry.content, case .string(let string) = value.kind else {
      throw wrongKind(of: entry, "a string")
    }
    return string
  }

  /// The string of a name.
  func string(
    _ name: String, in section: MetadataSection
  ) throws(MetadataTextError) -> String {
    guard let found = try optionalString(name, in: section) else {
      throw missing(name, in: section, "a string")
    }
    return found
  }

  /// The number of a name; nil if there is none.
  func optionalNumber(
    _ name: String, in section: MetadataSection, _ allowed: ClosedRange<UInt64>
  ) throws(MetadataTextError) -> UInt64? {
    guard let entry = section.entry(name) else { return nil }
    guard case .value(let value) = entry.content, case .integer(let integer) = value.kind,
      let number = UInt64(exactly: integer), allowed ~= number
    else { throw wrongKind(of: entry, Self.words(allowed)) }
    return number
  }

  /// The number of a name.
  func number(
    _ name: String, in section: MetadataSection, _ allowed: ClosedRange<UInt64>
  ) throws(MetadataTextError) -> UInt64 {
    guard let found = try optionalNumber(name, in: section, allowed) else {
      throw missing(name, in: section, Self.words(allowed))
    }
    return found
  }

  /// The values of the list of a name; to lvm2, a single value is a list of one.
  func list(
    _ name: String, in section: MetadataSection
  ) throws(MetadataTextError) -> [MetadataValue] {
    guard let entry = section.entry(name) else { throw missing(name, in: section, "a list") }
    guard case .value(let value) = entry.content else { throw wrongKind(of: entry, "a list") }
    guard case .list(let values) = value.kind else { return [value] }
    return values
  }

  /// The strings of the list of a name; empty if there is no such name.
  func strings(
    _ name: String, in section: MetadataSection
  ) throws(MetadataTextError) -> [String] {
    if section.entry(name) == nil { return [] }
    var strings: [String] = []
    for value in try list(name, in: section) { strings.append(try string(value)) }
    return strings
  }

  /// The value as a string.
  func string(_ value: MetadataValue) throws(MetadataTextError) -> String {
    guard case .string(let string) = value.kind else { throw error(at: value, "a string") }
    return string
  }

  /// The error of a value.
  func error(at value: MetadataValue, _ required: String) -> MetadataTextError {
    error(at: value.byteOffset, found: words(value), required)
  }

  /// The error at a byte.
  func error(at byteOffset: Int, found: String, _ required: String) -> MetadataTextError {
    MetadataTextError(at: byteOffset, of: bytes, found: found, required: required)
  }

  /// The error of a name's value; or of the section, if the name is missing.
  func error(
    at name: String, in section: MetadataSection, _ required: String
  ) -> MetadataTextError {
    guard let entry = section.entry(name) else { return missing(name, in: section, required) }
    return wrongKind(of: entry, required)
  }

  private func missing(
    _ name: String, in section: MetadataSection, _ required: String
  ) -> MetadataTextError {
    error(at: section.byteOffset, found: "no \(name)", "\(required) of that name")
  }

  private func wrongKind(of entry: MetadataEntry, _ required: String) -> MetadataTextError {
    switch entry.content {
    case .section: error(at: entry.byteOffset, found: "a section", required)
    case .value(let value): error(at: value, required)
    }
  }

  private func words(_ value: MetadataValue) -> String {
    switch value.kind {
    case .integer(let integer): "\(integer)"
    case .string(let string): Quotation.of(string.utf8)
    case .fraction: "a fraction"
    case .list: "a list"
    }
  }

  private static func words(_ allowed: ClosedRange<UInt64>) -> String {
    "a number from \(allowed.lowerBound) to \(allowed.upperBound)"
  }
}

extension MetadataSection {
  /// The entry of a name.
  func entry(_ name: String) -> MetadataEntry? { entries.first { $0.name == name } }
}

/// Bytes of a text in a message.
enum Quotation {
  /// The first bytes in quotation marks; unprintable ones as \xNN.
  static func of(_ bytes: some Collection<UInt8>) -> String {
    var text = "“"
    for byte in bytes.prefix(32) {
      if 0x20...0x7e ~= byte {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "\\x" + byte.hexadecimal(digitCount: 2)
      }
    }
    return text + (bytes.count > 32 ? "…”" : "”")
  }
}
