/// Leaves the code of a Swift file: comments go, and string literals but for what is interpolated.
struct CodeScanner {
  /// What is left, each interpolation between blanks.
  var code: String { String(decoding: kept, as: UTF8.self) }

  private let text: [UInt8]
  private var position = 0
  private var kept: [UInt8] = []

  init(_ text: String) {
    self.text = Array(text.utf8)
    scanCode(endsAtParenthesis: false)
  }

  private func isNext(_ word: some StringProtocol) -> Bool {
    text[position...].starts(with: word.utf8)
  }

  /// Passes over code: all there is, or until the parenthesis that closes an interpolation.
  private mutating func scanCode(endsAtParenthesis: Bool) {
    var depth = 0
    while position < text.count {
      if isNext("//") {
        position = text[position...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
        continue
      }
      let hashes = String(repeating: "#", count: text[position...].prefix { $0 == 0x23 }.count)
      if isNext(hashes + "\"") {
        position += hashes.utf8.count
        scanString(hashes)
        continue
      }
      if isNext("(") { depth += 1 }
      if isNext(")") {
        depth -= 1
        if endsAtParenthesis, depth < 0 { return }
      }
      kept.append(text[position])
      position += 1
    }
  }

  /// Passes over a string literal, whose quotation marks come next.
  private mutating func scanString(_ hashes: String) {
    let quotes = isNext("\"\"\"") ? "\"\"\"" : "\""
    position += quotes.utf8.count
    while position < text.count, !isNext(quotes + hashes) {
      if isNext("\\" + hashes + "(") {
        position += hashes.utf8.count + 2
        kept.append(UInt8(ascii: " "))
        scanCode(endsAtParenthesis: true)
        kept.append(UInt8(ascii: " "))
        position += 1
      } else {
        position += isNext("\\" + hashes) ? hashes.utf8.count + 2 : 1
      }
    }
    position += quotes.utf8.count + hashes.utf8.count
  }
}
