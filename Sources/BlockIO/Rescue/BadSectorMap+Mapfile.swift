extension BadSectorMap {
  /// Reads a mapfile, including those of old ddrescues, without a pass or called a logfile.
  ///
  ///     # Comments, from line's begin or white space to line's end
  ///     0x00120000     ?               1          position, status, pass
  ///     0x00000000  0x00117000  +                 position, size, status
  ///     0x00117000  0x00000200  -
  ///
  /// Numbers are C's: decimal, 0x and hexadecimal, 0 and octal. Blocks follow each other without
  /// gaps. Input that ddrescue would skip or guess at, such as words at the end of a line or
  /// numbers that do not fit, is an error: a truncated or mistyped map would declare bytes sound.
  /// It takes linear time, and at most 16 bytes of memory per block.
  ///
  /// - Source: GNU ddrescue manual, "Mapfile structure".
  public init(parsing mapfile: Span<UInt8>) throws(BadSectorMapError) {
    var scanner = MapfileScanner()
    guard scanner.moveToNextLine(in: mapfile) else {
      throw scanner.error(in: mapfile, "a status line")
    }
    _ = try scanner.number(in: mapfile, "the position of the rescue")
    _ = try scanner.character(in: mapfile, of: "?*/-FG+", "the status of the rescue")
    try scanner.passIfAny(in: mapfile)
    try scanner.endLine(in: mapfile)

    var readable: [Range<UInt64>] = []
    var end: UInt64?
    while scanner.moveToNextLine(in: mapfile) {
      let start = try scanner.number(in: mapfile, "the position of a block")
      if let end, start != end {
        throw scanner.errorAtLastField(in: mapfile, "position \(end), where the block before ends,")
      }
      let size = try scanner.number(in: mapfile, "the size of the block")
      let (blockEnd, overflow) = start.addingReportingOverflow(size)
      // ddrescue writes an empty block for an empty input.
      guard !overflow, size > 0 || start == 0 else {
        throw scanner.errorAtLastField(
          in: mapfile, "a size from 1 to \(UInt64.max - start), so that the block ends below 2^64,")
      }
      let status = try scanner.character(in: mapfile, of: "?*/-+", "the status of the block")
      try scanner.endLine(in: mapfile)
      if status == UInt8(ascii: "+") { readable.append(mergingInto: start..<blockEnd) }
      end = blockEnd
    }
    self.init(readable: readable)
  }
}

/// Goes through a mapfile field by field.
private struct MapfileScanner {
  private var position = 0
  private var line = 1
  private var lineStart = 0
  /// The last field read.
  private var field = 0..<0

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || 0x09...0x0d ~= byte && byte != UInt8(ascii: "\n")
  }

  /// Skips white space, and a comment after it.
  private mutating func skipSpace(in mapfile: Span<UInt8>) {
    while position < mapfile.count, Self.isSpace(mapfile[position]) { position += 1 }
    guard position < mapfile.count, mapfile[position] == UInt8(ascii: "#") else { return }
    while position < mapfile.count, mapfile[position] != UInt8(ascii: "\n") { position += 1 }
  }

  /// Moves to the first field of the next line that has any; false at the end of the file.
  mutating func moveToNextLine(in mapfile: Span<UInt8>) -> Bool {
    skipSpace(in: mapfile)
    while position < mapfile.count, mapfile[position] == UInt8(ascii: "\n") {
      position += 1
      line += 1
      lineStart = position
      skipSpace(in: mapfile)
    }
    return position < mapfile.count
  }

  /// Moves past the next field of the line; `field` is empty if there is none.
  private mutating func moveOverField(in mapfile: Span<UInt8>) {
    skipSpace(in: mapfile)
    let start = position
    while position < mapfile.count, mapfile[position] != UInt8(ascii: "\n"),
      !Self.isSpace(mapfile[position])
    { position += 1 }
    field = start..<position
  }

  /// Throws unless the line has no more fields.
  mutating func endLine(in mapfile: Span<UInt8>) throws(BadSectorMapError) {
    moveOverField(in: mapfile)
    if !field.isEmpty { throw errorAtLastField(in: mapfile, "the end of the line") }
  }

  /// Reads one character out of a few.
  mutating func character(
    in mapfile: Span<UInt8>, of characters: String, _ what: String
  ) throws(BadSectorMapError) -> UInt8 {
    moveOverField(in: mapfile)
    guard field.count == 1, characters.utf8.contains(mapfile[field.lowerBound]) else {
      throw errorAtLastField(in: mapfile, "\(what), one of \(characters),")
    }
    return mapfile[field.lowerBound]
  }

  /// Reads the number of the pass, which ddrescue writes since 1.21, always in decimal.
  mutating func passIfAny(in mapfile: Span<UInt8>) throws(BadSectorMapError) {
    moveOverField(in: mapfile)
    if field.isEmpty { return }
    guard let pass = value(of: field, in: mapfile, radix: 10), 1...UInt64(Int32.max) ~= pass else {
      throw errorAtLastField(in: mapfile, "the pass, a decimal number from 1 to \(Int32.max),")
    }
  }

  /// Reads a number as C writes it.
  mutating func number(
    in mapfile: Span<UInt8>, _ what: String
  ) throws(BadSectorMapError) -> UInt64 {
    moveOverField(in: mapfile)
    var (digits, radix) = (field, UInt64(10))
    if field.count > 1, mapfile[field.lowerBound] == UInt8(ascii: "0") {
      let isHexadecimal = mapfile[field.lowerBound + 1] | 0x20 == UInt8(ascii: "x")
      digits = field.dropFirst(isHexadecimal ? 2 : 1)
      radix = isHexadecimal ? 16 : 8
    }
    guard let number = value(of: digits, in: mapfile, radix: radix) else {
      throw errorAtLastField(
        in: mapfile, "\(what), a number below 2^64 (decimal, 0x and hexadecimal, 0 and octal),")
    }
    return number
  }

  /// The value of digits; nil if there are none, if one is invalid, or if they overflow.
  private func value(of digits: Range<Int>, in mapfile: Span<UInt8>, radix: UInt64) -> UInt64? {
    if digits.isEmpty { return nil }
    var value: UInt64 = 0
    for index in digits {
      let digit: UInt8 =
        switch mapfile[index] {
        case let byte where UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte:
          byte - UInt8(ascii: "0")
        case let byte where UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20:
          (byte | 0x20) - UInt8(ascii: "a") + 10
        default: .max
        }
      guard digit < radix else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }

  /// The error at the scanner's position.
  func error(in mapfile: Span<UInt8>, _ required: String) -> BadSectorMapError {
    error(at: position..<position, in: mapfile, required)
  }

  /// The error of the last field read.
  func errorAtLastField(in mapfile: Span<UInt8>, _ required: String) -> BadSectorMapError {
    error(at: field, in: mapfile, required)
  }

  private func error(
    at field: Range<Int>, in mapfile: Span<UInt8>, _ required: String
  ) -> BadSectorMapError {
    let nothing = field.lowerBound < mapfile.count ? "the end of the line" : "the end of the file"
    return BadSectorMapError(
      line: line, column: field.lowerBound - lineStart + 1,
      found: field.isEmpty ? nothing : quotation(of: field, in: mapfile), required: required)
  }

  /// The beginning of a field in quotation marks; unprintable bytes as \xNN.
  private func quotation(of field: Range<Int>, in mapfile: Span<UInt8>) -> String {
    var text = "“"
    for index in field.prefix(32) {
      let byte = mapfile[index]
      if 0x21...0x7e ~= byte {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "\\x" + byte.hexadecimal(digitCount: 2)
      }
    }
    return text + (field.count > 32 ? "…”" : "”")
  }
}
