package import BlockIO
internal import FoundationEssentials
package import SnapshotKit
internal import SystemPackage

/// A path of a file or block device, or a part of one, perhaps a copy with gaps:
/// `PATH[,offset=BYTES][,length=BYTES][,gap=AT:BYTES]…`, in any order.
///
/// All numbers count bytes of the file as it is, regardless of the other numbers: `gap=4096:512`
/// means that 512 bytes are missing before byte 4096 of the file.
package struct PathArgument: Sendable {
  /// As the user gave it.
  package let text: String
  /// The path by itself.
  package let path: String
  /// Gaps in the file: bytes that are missing, or too many, in order.
  package let gaps: [Gap]
  private let offset: UInt64?
  private let length: UInt64?

  /// Parses it; nil if a number is none, or the gaps overlap.
  package init?(argument: String) {
    var parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    var numbers: [Substring: UInt64] = [:]
    var gaps: [Gap] = []
    options: while let last = parts.last, parts.count > 1 {
      let pair = last.split(separator: "=", maxSplits: 1)
      guard pair.count == 2 else { break }
      switch pair[0] {
      case "offset", "length":
        guard let number = UInt64(pair[1]), numbers[pair[0]] == nil else { return nil }
        numbers[pair[0]] = number
      case "gap":
        guard let gap = Gap(pair[1]) else { return nil }
        gaps.append(gap)
      default: break options
      }
      parts.removeLast()
    }
    text = argument
    path = parts.joined(separator: ",")
    (offset, length) = (numbers["offset"], numbers["length"])
    guard !path.isEmpty, let gaps = gaps.inOrder else { return nil }
    self.gaps = gaps
  }

  /// Whether it is all of the file or device, without gaps.
  package var isWhole: Bool { offset == nil && length == nil && gaps.isEmpty }

  /// The name of a part of it, from a byte on; without a count, to its end.
  package func part(from byteOffset: UInt64, byteCount: UInt64? = nil) -> String {
    let (position, lost, after) = filePosition(of: byteOffset)
    let count = byteCount ?? length.map { start + $0 - position }
    return "\(path),offset=\(position)" + (count.map { ",length=\($0)" } ?? "")
      + (lost == 0 ? "" : ",gap=\(position):\(lost)")
      + after.map { ",gap=\($0)" }.joined()
  }

  /// The same, with further gaps, given in bytes of the named source.
  package func adding(_ others: [Gap]) -> String {
    others.reduce(into: text) { words, gap in
      let position = filePosition(of: gap.range.lowerBound).byteOffset
      let moved = gap.moved(by: Int64(position) - Int64(gap.range.lowerBound))
      words += moved.map { ",gap=\($0)" } ?? ""
    }
  }

  /// The place in the file of a byte of the named source, how many bytes of a gap come before that
  /// place, and the gaps after it.
  private func filePosition(
    of byteOffset: UInt64
  ) -> (byteOffset: UInt64, lost: UInt64, after: ArraySlice<Gap>) {
    var (position, end) = (start, UInt64(0))  // in the file, and in what it names
    for (index, gap) in gaps.enumerated() {
      let next = end + (gap.range.lowerBound - position)
      if byteOffset < next { return (position + (byteOffset - end), 0, gaps[index...]) }
      (position, end) = (gap.range.upperBound, next + gap.unknownByteCount)
      if byteOffset < end { return (position, end - byteOffset, gaps[(index + 1)...]) }
    }
    return (position + (byteOffset - end), 0, [])
  }

  /// The file system around it, if it is a part of a file.
  package var surroundings: Surroundings? {
    guard start > 0, let file = try? FileSource(path: FilePath(path)) else { return nil }
    return Surroundings(of: start, in: file)
  }

  /// The same, with an absolute path.
  package var absolute: String { absolutePath(path) + text.dropFirst(path.count) }

  /// Where the part begins in the file.
  package var start: UInt64 { offset ?? 0 }

  /// Opens it for reading.
  ///
  /// - Parameters:
  ///   - asksForHoles: Whether to ask the file system where data is.
  ///   - map: What was not read of the whole file when it was copied off a bad medium.
  package func open(
    asksForHoles: Bool = true, _ map: BadSectorMap? = nil
  ) throws(BlockIOError) -> any BlockSource {
    let whole = try FileSource(path: FilePath(path), asksForHoles: asksForHoles)
    let file: any BlockSource = map.map { RescuedSource(whole, $0) } ?? whole
    if isWhole { return file }
    let (end, overflow) = start.addingReportingOverflow(length ?? file.byteCount &- start)
    guard !overflow, start <= end, end <= file.byteCount else {
      throw BlockIOError(path, .open, .beyondEnd(byteCount: file.byteCount))
    }
    let part = offset == nil && length == nil ? file : try SliceSource(file, start..<end)
    if gaps.isEmpty { return part }
    let inPart = try gaps.map { (gap) throws(BlockIOError) in
      guard let moved = gap.moved(by: -Int64(start)), gap.range.upperBound <= end else {
        throw BlockIOError(text, .open, .beyondEnd(byteCount: end), at: gap.range)
      }
      return moved
    }
    return try VolumeSource(text, part, with: inPart)
  }
}

extension PathArgument {
  /// Reads all of a file.
  ///
  /// - Parameter what: The thing that a longer file cannot be, for the message.
  package func readAll(atMost byteCount: UInt64, as what: String) throws -> IOBuffer {
    let source = try open()
    guard source.byteCount <= byteCount else { throw InputError.tooLarge(text, what) }
    let buffer = IOBuffer(byteCount: Int(source.byteCount))
    try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
    return buffer
  }

  /// Reads the mapfile that it names.
  package func readMap() throws -> BadSectorMap {
    let buffer = try readAll(atMost: 1 << 32, as: "a mapfile")
    do throws(BadSectorMapError) {
      return try buffer.withBytes(0..<buffer.byteCount) { (bytes) throws(BadSectorMapError) in
        try BadSectorMap(parsing: bytes)
      }
    } catch {
      throw InputError.notAMapfile(text, error)
    }
  }
}

/// The absolute path of a path.
///
/// It is not normalised: after a symbolic link, `..` is not where the name suggests.
package func absolutePath(_ path: String) -> String {
  FilePath(FileManager.default.currentDirectoryPath).pushing(FilePath(path)).string
}
