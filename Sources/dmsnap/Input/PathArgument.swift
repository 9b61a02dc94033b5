import ArgumentParser
import BlockIO
import FoundationEssentials
import SnapshotKit
import SystemPackage

/// A path of a file or block device, or a part of one, perhaps a copy with gaps:
/// `PATH[,offset=BYTES][,length=BYTES][,gap=AT:BYTES]…`, in any order.
///
/// All numbers count bytes of the file as it lies there, whatever else is said: `gap=4096:512` says
/// that 512 bytes are missing before byte 4096 of the file.
struct PathArgument: ExpressibleByArgument {
  /// As the user gave it.
  let text: String
  /// The path by itself.
  let path: String
  /// Where bytes are missing in the file, or too many, in order.
  let gaps: [Gap]
  private let offset: UInt64?
  private let length: UInt64?

  init?(argument: String) {
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

  /// Whether it is all of the file or device, as it is.
  var isWhole: Bool { offset == nil && length == nil && gaps.isEmpty }

  /// What names the part of it that begins at a byte of it, and has so many bytes or all behind.
  func part(from byteOffset: UInt64, byteCount: UInt64? = nil) -> String {
    let (position, lost, behind) = filePosition(of: byteOffset)
    let count = byteCount ?? length.map { start + $0 - position }
    return "\(path),offset=\(position)" + (count.map { ",length=\($0)" } ?? "")
      + (lost == 0 ? "" : ",gap=\(position):\(lost)")
      + behind.map { ",gap=\($0)" }.joined()
  }

  /// The same, with further gaps, whose places are bytes of what it names.
  func adding(_ others: [Gap]) -> String {
    others.reduce(into: text) { words, gap in
      let position = filePosition(of: gap.range.lowerBound).byteOffset
      let moved = gap.moved(by: Int64(position) - Int64(gap.range.lowerBound))
      words += moved.map { ",gap=\($0)" } ?? ""
    }
  }

  /// Where a byte of what it names lies in the file, how many bytes of the gap it lies in follow
  /// before that, and the gaps behind.
  private func filePosition(
    of byteOffset: UInt64
  ) -> (byteOffset: UInt64, lost: UInt64, behind: ArraySlice<Gap>) {
    var (position, end) = (start, UInt64(0))  // in the file, and in what it names
    for (index, gap) in gaps.enumerated() {
      let next = end + (gap.range.lowerBound - position)
      if byteOffset < next { return (position + (byteOffset - end), 0, gaps[index...]) }
      (position, end) = (gap.range.upperBound, next + gap.unknownByteCount)
      if byteOffset < end { return (position, end - byteOffset, gaps[(index + 1)...]) }
    }
    return (position + (byteOffset - end), 0, [])
  }

  /// The file system of the whole file in which it lies, if it is a part of the file.
  var surroundings: Surroundings? {
    guard start > 0, let file = try? FileSource(path: FilePath(path)) else { return nil }
    return Surroundings(of: start, in: file)
  }

  /// The command that copies it to a new file.
  ///
  /// - Parameter byteCount: How long it is.
  func copyCommand(byteCount: UInt64, to copy: String) -> String {
    isWhole
      ? "cp --sparse=always \(quoted(path)) \(copy)"
      : "dd if=\(quoted(path)) of=\(copy) bs=1M iflag=skip_bytes,count_bytes skip=\(start)"
        + " count=\(byteCount)"
  }

  /// The same, with a path that holds in any directory.
  var absolute: String { absolutePath(path) + text.dropFirst(path.count) }

  /// Where the part begins in the file.
  var start: UInt64 { offset ?? 0 }

  /// Opens it for reading.
  ///
  /// - Parameters:
  ///   - options: What the user says of how to read it; nil for a text, which is read whole anyway.
  ///   - map: What of the whole file was not read when it was copied off a bad medium.
  func open(
    _ options: InputOptions? = nil, _ map: BadSectorMap? = nil
  ) throws(Failure) -> any BlockSource {
    try failing { () throws(BlockIOError) in
      let whole = try FileSource(path: FilePath(path), asksForHoles: options?.noHoles != true)
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
}

extension PathArgument {
  /// Reads all of a file that is taken whole.
  ///
  /// - Parameter what: What a file of more bytes than these is too large for.
  func readAll(atMost byteCount: UInt64, as what: String) throws(Failure) -> IOBuffer {
    let source = try open()
    guard source.byteCount <= byteCount else {
      throw Failure(.couldNotFinish, "\(text): is too large for \(what)")
    }
    let buffer = IOBuffer(byteCount: Int(source.byteCount))
    try failing { () throws(BlockIOError) in
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
    }
    return buffer
  }
}

/// A path from the root, for one that begins here.
///
/// What it says is left as it is: behind a symbolic link, `..` is not where the name suggests.
func absolutePath(_ path: String) -> String {
  FilePath(FileManager.default.currentDirectoryPath).pushing(FilePath(path)).string
}
