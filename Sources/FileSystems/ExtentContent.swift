import BlockIO

/// The content of a file, read from where its extents are.
final class ExtentContent: BlockSource {
  let name: String
  let byteCount: UInt64
  private let base: any BlockSource
  private let extents: [FileExtent]
  /// The beginning of the content, of a file that has it in its inode.
  private let inline: [UInt8]

  /// - Parameter extents: Ascending; everything between them is a hole.
  init(
    _ name: String, _ base: any BlockSource, byteCount: UInt64, _ extents: [FileExtent],
    inline: [UInt8] = []
  ) {
    (self.name, self.base, self.byteCount) = (name, base, byteCount)
    (self.extents, self.inline) = (extents, inline)
  }

  var files: [FileSource] { base.files }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range, isCached: true)
  }

  func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range, isCached: false)
  }

  private func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>, isCached: Bool
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    var (position, target) = (bytes.lowerBound, range.lowerBound)
    var index = indexOfExtent(endingAfter: position)
    while position < bytes.upperBound {
      let extent = index < extents.count ? extents[index] : nil
      let isInside = extent?.file.contains(position) ?? false
      let limit = isInside ? extent?.file.upperBound : extent?.file.lowerBound
      let end = min(limit ?? bytes.upperBound, bytes.upperBound)
      let part = target..<target + Int(end - position)
      switch isInside ? extent?.place : nil {
      case .data(let start):
        let place = start + (position - (extent?.file.lowerBound ?? position))
        if isCached {
          try base.read(at: place, into: buffer, part)
        } else {
          try base.readUncached(at: place, into: buffer, part)
        }
      case .inline where end <= UInt64(inline.count):
        let first = Int(position)
        buffer.withMutableBytes(part) { bytes in
          for index in bytes.indices { bytes[index] = inline[first + index] }
        }
      case .lost:
        throw BlockIOError(
          name, .read, .missing("a part of the file whose place is lost", position..<end),
          at: position..<end)
      default: buffer.zero(part)
      }
      if isInside { index += 1 }
      (position, target) = (end, part.upperBound)
    }
  }

  private func indexOfExtent(endingAfter position: UInt64) -> Int {
    extents.partitioningIndex { $0.file.upperBound > position }
  }

  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    for extent in extents[indexOfExtent(endingAfter: byteOffset)...] {
      if case .unwritten = extent.place { continue }
      let part = max(extent.file.lowerBound, byteOffset)..<extent.file.upperBound
      return part.lowerBound < byteCount ? part.clamped(to: 0..<byteCount) : nil
    }
    return nil
  }

  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    var found: [Range<UInt64>] = []
    forEachPart(of: range) { file, place in
      switch place {
      case .lost: found.append(mergingInto: file)
      case .data(let start):
        let bytes = start..<start + (file.upperBound - file.lowerBound)
        let inside = bytes.clamped(to: 0..<max(base.byteCount, start))
        for part in base.knownUnreadable(in: inside) {
          found.append(
            mergingInto: file.lowerBound + (part.lowerBound - start)..<file.lowerBound
              + (part.upperBound - start))
        }
        // A source that was cut.
        if bytes.upperBound > base.byteCount {
          let missing = max(bytes.lowerBound, base.byteCount)
          found.append(mergingInto: file.lowerBound + (missing - start)..<file.upperBound)
        }
      default: break
      }
    }
    return found
  }

  func willRead(_ range: Range<UInt64>) {
    forEachPart(of: range) { file, place in
      guard case .data(let start) = place, start < base.byteCount else { return }
      base.willRead(
        start..<min(start + (file.upperBound - file.lowerBound), base.byteCount))
    }
  }

  func hasCached(at byteOffset: UInt64) -> Bool {
    let index = indexOfExtent(endingAfter: byteOffset)
    guard index < extents.count, extents[index].file.contains(byteOffset),
      case .data(let start) = extents[index].place
    else { return true }
    return base.hasCached(at: start + (byteOffset - extents[index].file.lowerBound))
  }

  /// Calls `body` with each extent's part of a range, and where it is.
  private func forEachPart(
    of range: Range<UInt64>, _ body: (Range<UInt64>, FileExtent.Place) -> Void
  ) {
    let range = range.clamped(to: 0..<byteCount)
    for extent in extents[indexOfExtent(endingAfter: range.lowerBound)...] {
      guard extent.file.lowerBound < range.upperBound else { break }
      let part = extent.file.clamped(to: range)
      if case .data(let start) = extent.place {
        body(part, .data(at: start + (part.lowerBound - extent.file.lowerBound)))
      } else {
        body(part, extent.place)
      }
    }
  }
}
