/// Decompression of LZO1X, written from a description of its stream.
///
/// liblzo2 is under the GPL, and its licence covers programs that link it.
///
/// - Source: Linux `Documentation/staging/lzo.rst`.
struct LZO1X {
  /// The context of an instruction below 16, which decides its meaning.
  private enum State: Equatable {
    /// A match, and that many literals, at most three.
    case literals(Int)
    /// A longer run of literals.
    case run
  }

  /// The number of bytes of input read.
  private var position = 0
  /// The place where the output continues.
  private var count: Int
  private let range: Range<Int>

  private init(_ range: Range<Int>) { (count, self.range) = (range.lowerBound, range) }

  /// Decompresses a stream; nil if it is damaged, of a newer version, or longer than that.
  static func decompress(
    _ input: Span<UInt8>, into output: inout MutableSpan<UInt8>, _ range: Range<Int>
  ) -> Int? {
    var decoder = LZO1X(range)
    return decoder.decode(input, into: &output) ? decoder.count - range.lowerBound : nil
  }

  private mutating func decode(
    _ input: Span<UInt8>, into output: inout MutableSpan<UInt8>
  ) -> Bool {
    guard input.count >= 3 else { return false }
    var state = State.literals(0)
    // The first byte may be a count of literals.
    if input[0] > 17 {
      position = 1
      let count = Int(input[0]) - 17
      guard copyLiterals(count, of: input, to: &output) else { return false }
      state = count < 4 ? .literals(count) : .run
    } else if input[0] == 17, input.count >= 5 {
      // Version 1 has runs of zeroes.
      guard input[1] == 0 else { return false }
      position = 2
    }
    while let code = next(of: input) {
      if code < 16, state == .literals(0) {
        guard let count = length(code, bits: 4, of: input),
          copyLiterals(count + 3, of: input, to: &output)
        else { return false }
        state = .run
        continue
      }
      guard let match = match(code, after: state, of: input) else { return false }
      if match.distance == 0 { return true }
      guard copyMatch(match, within: &output),
        copyLiterals(match.literals, of: input, to: &output)
      else { return false }
      state = .literals(match.literals)
    }
    return false
  }

  /// A copy of bytes that were put out before, and how many literals follow it.
  private struct Match {
    /// The distance back to their start; 0 at the end of the stream.
    let distance: Int
    let count: Int
    let literals: Int
  }

  private mutating func match(
    _ code: Int, after state: State, of input: Span<UInt8>
  ) -> Match? {
    switch code {
    case 0..<16:
      guard let high = next(of: input) else { return nil }
      let distance = high << 2 + code >> 2 + 1
      return state == .run
        ? Match(distance: distance + 2048, count: 3, literals: code & 3)
        : Match(distance: distance, count: 2, literals: code & 3)
    case 16..<32:
      guard let count = length(code & 7, bits: 3, of: input), let word = word(of: input) else {
        return nil
      }
      let distance = (code & 8) << 11 + word >> 2
      return Match(
        distance: distance == 0 ? 0 : distance + 16384, count: count + 2, literals: word & 3)
    case 32..<64:
      guard let count = length(code & 31, bits: 5, of: input), let word = word(of: input) else {
        return nil
      }
      return Match(distance: word >> 2 + 1, count: count + 2, literals: word & 3)
    default:
      guard let high = next(of: input) else { return nil }
      let count = code < 128 ? 3 + code >> 5 & 1 : 5 + code >> 5 & 3
      return Match(
        distance: high << 3 + code >> 2 & 7 + 1, count: count, literals: code & 3)
    }
  }

  private mutating func next(of input: Span<UInt8>) -> Int? {
    guard position < input.count else { return nil }
    defer { position += 1 }
    return Int(input[position])
  }

  private mutating func word(of input: Span<UInt8>) -> Int? {
    guard position + 2 <= input.count else { return nil }
    defer { position += 2 }
    return Int(input[position]) | Int(input[position + 1]) << 8
  }

  /// A length that goes on in further bytes if its bits are all zero.
  private mutating func length(_ first: Int, bits: Int, of input: Span<UInt8>) -> Int? {
    guard first == 0 else { return first }
    var count = 1 << bits - 1
    while let byte = next(of: input) {
      if byte != 0 { return count + byte }
      count += 255
    }
    return nil
  }

  private mutating func copyLiterals(
    _ length: Int, of input: Span<UInt8>, to output: inout MutableSpan<UInt8>
  ) -> Bool {
    guard length <= input.count - position, length <= range.upperBound - count else {
      return false
    }
    for index in 0..<length { output[count + index] = input[position + index] }
    position += length
    count += length
    return true
  }

  private mutating func copyMatch(
    _ match: Match, within output: inout MutableSpan<UInt8>
  ) -> Bool {
    guard match.distance <= count - range.lowerBound, match.count <= range.upperBound - count
    else { return false }
    // It may overlap what it puts out.
    for index in count..<count + match.count { output[index] = output[index - match.distance] }
    count += match.count
    return true
  }
}
