/// A block of a mapfile: bytes of a file or device, and their status in GNU ddrescue.
package struct RescueBlock: Equatable, Sendable {
  /// ddrescue's progress with a block; it works on them in this order.
  package enum Status: Character, CaseIterable, Sendable {
    /// Read first, in large pieces.
    case nonTried = "?"
    /// Read sector by sector, from both edges, each up to the first bad one.
    case nonTrimmed = "*"
    /// Read sector by sector, all of it.
    case nonScraped = "/"
    /// Read again if retries are requested.
    case badSector = "-"
    /// Not read again.
    case finished = "+"
  }

  /// The bytes.
  package let range: Range<UInt64>
  /// Their status in ddrescue's mapfile.
  package let status: Status

  /// A block of those bytes.
  package init(_ range: Range<UInt64>, _ status: Status) {
    self.range = range
    self.status = status
  }
}

extension BadSectorMap {
  /// A mapfile with which ddrescue reads `blocks` of a file or device of `byteCount` bytes.
  ///
  /// Bytes that no block covers are finished, so that ddrescue does not read them. If blocks
  /// overlap, the earlier one has the bytes; bytes past the end are left out. Such a mapfile says
  /// what to read. Even after ddrescue's run it calls bytes finished that were never requested: it
  /// must not be taken for a map of what was read.
  /// - Parameters:
  ///   - blocks: Ascending by where they begin.
  ///   - comment: Lines for the mapfile's readers; ddrescue keeps none of them.
  package static func mapfile(
    of blocks: some Sequence<RescueBlock>, byteCount: UInt64, comment: String
  ) -> String {
    var text = "# "
    // By scalars: to ddrescue only a line feed ends a line.
    for scalar in comment.unicodeScalars {
      text.unicodeScalars.append(scalar)
      if scalar == "\n" { text += "# " }
    }
    text += """

      # current_pos  current_status  current_pass
      0x00000000     ?               1
      #      pos        size  status

      """
    // The next block to write, which may still grow.
    var last = RescueBlock(0..<0, .finished)
    func add(_ range: Range<UInt64>, _ status: RescueBlock.Status) {
      if range.isEmpty { return }
      if status == last.status {
        last = RescueBlock(last.range.lowerBound..<range.upperBound, status)
      } else {
        text += line(of: last)
        last = RescueBlock(range, status)
      }
    }
    for block in blocks {
      let end = last.range.upperBound
      let range = block.range.clamped(to: end..<byteCount)
      if range.isEmpty { continue }
      add(end..<range.lowerBound, .finished)
      add(range, block.status)
    }
    add(last.range.upperBound..<byteCount, .finished)
    return text + line(of: last)
  }

  /// The line of a block, empty for an empty one, in ddrescue's columns.
  private static func line(of block: RescueBlock) -> String {
    if block.range.isEmpty { return "" }
    let range = block.range
    let position = range.lowerBound.hexadecimal(digitCount: 8, uppercase: true)
    let size = (range.upperBound - range.lowerBound).hexadecimal(digitCount: 8, uppercase: true)
    return "0x\(position)  0x\(size)  \(block.status.rawValue)\n"
  }
}
