package import BlockIO

/// An extraction as a tar stream in the pax format.
///
/// Times have their nanoseconds, extended attributes are `SCHILY.xattr` records, and files with
/// holes are sparse as GNU tar 1.0 has them. Sockets, which tar has no type for, are left out.
///
/// - Source: POSIX.1-2017 `pax`; the GNU tar manual, "Storing Sparse Files".
package final class TarSink: ExtractionSink {
  private static let blockByteCount = 512
  /// A hole is worth a record from this size on.
  private static let holeByteCountMin: UInt64 = 4096

  private let sink: any ByteSink
  private let buffer = IOBuffer(byteCount: 1 << 20)
  private var byteCount: UInt64 = 0
  package let forbidden: [(path: String, what: String)] = []
  package let presentCount: UInt64 = 0

  /// A stream that goes into `sink`.
  package init(_ sink: any ByteSink) { self.sink = sink }

  // MARK: - Files

  package func directory(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError) {
    let name = path.isEmpty ? Array("./".utf8) : Self.joined(path) + [UInt8(ascii: "/")]
    try begin(TarHeader(name, "5", inode, attributes))
  }

  package func file(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute],
    _ content: any BlockSource, progress: (UInt64) -> Void
  ) throws(ExtractionError) -> [Range<UInt64>] {
    var header = TarHeader(Self.joined(path), "0", inode, attributes)
    do throws(BlockIOError) {
      let known = content.knownUnreadable(in: 0..<content.byteCount)
      let pieces = try Self.data(of: content, except: known)
      var map: [UInt8] = []
      if pieces.totalCount + Self.holeByteCountMin <= content.byteCount {
        map = Self.map(pieces, byteCount: content.byteCount)
        header.makeSparse(byteCount: content.byteCount)
      }
      let data = map.isEmpty ? [0..<content.byteCount] : pieces
      header.byteCount = UInt64(map.count) + data.totalCount
      try write(header.bytes)
      try write(map)
      let lost = try write(data, of: content, progress)
      try pad()
      return (lost + known).union
    } catch {
      throw .target(error)
    }
  }

  package func link(
    _ path: [[UInt8]], to target: [UInt8], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError) {
    var header = TarHeader(Self.joined(path), "2", inode, attributes)
    header.target = target
    try begin(header)
  }

  package func hardLink(
    _ path: [[UInt8]], to first: [[UInt8]], _ inode: Inode
  ) throws(ExtractionError) {
    var header = TarHeader(Self.joined(path), "1", inode, [])
    header.target = Self.joined(first)
    try begin(header)
  }

  package func special(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError) {
    let type: Character
    switch inode.kind {
    case .fifo: type = "6"
    case .characterDevice: type = "3"
    case .blockDevice: type = "4"
    default: throw .cannotMake("a socket, which tar cannot hold")
    }
    try begin(TarHeader(Self.joined(path), type, inode, attributes))
  }

  /// Two blocks of zeroes end the stream, which is whole records of twenty blocks.
  package func finish() throws(ExtractionError) -> [(path: String, error: ExtractionError)] {
    let record = UInt64(Self.blockByteCount * 20)
    let end = (byteCount + UInt64(Self.blockByteCount * 2) + record - 1) / record * record
    do throws(BlockIOError) { try write([UInt8](repeating: 0, count: Int(end - byteCount))) } catch
    { throw .target(error) }
    return []
  }

  // MARK: - Bytes

  private static func joined(_ path: [[UInt8]]) -> [UInt8] {
    Array(path.joined(separator: [UInt8(ascii: "/")]))
  }

  /// The data of a file that may be read, ascending; holes that are not worth a record count as
  /// data.
  private static func data(
    of content: any BlockSource, except known: [Range<UInt64>]
  ) throws(BlockIOError) -> [Range<UInt64>] {
    var pieces: [Range<UInt64>] = []
    try content.forEachData(except: known) { data in
      let end = min(data.upperBound, content.byteCount)
      guard data.lowerBound < end else { return }
      if let last = pieces.last, data.lowerBound - last.upperBound < holeByteCountMin {
        pieces[pieces.count - 1] = last.lowerBound..<end
      } else {
        pieces.append(data.lowerBound..<end)
      }
    }
    return pieces
  }

  /// The map of a sparse file: the number of its pieces, then where each is and how long, in lines,
  /// up to the end of a block.
  private static func map(_ pieces: [Range<UInt64>], byteCount: UInt64) -> [UInt8] {
    var pieces = pieces
    if pieces.last?.upperBound != byteCount { pieces.append(byteCount..<byteCount) }
    var map = Array("\(pieces.count)\n".utf8)
    for piece in pieces {
      map += Array("\(piece.lowerBound)\n\(piece.upperBound - piece.lowerBound)\n".utf8)
    }
    let over = map.count % blockByteCount
    return map + [UInt8](repeating: 0, count: over == 0 ? 0 : blockByteCount - over)
  }

  private func begin(_ header: TarHeader) throws(ExtractionError) {
    do throws(BlockIOError) { try write(header.bytes) } catch { throw .target(error) }
  }

  /// Writes pieces of a file.
  ///
  /// Unreadable bytes are zeroes in the stream, because its lengths are written first; they are
  /// listed.
  private func write(
    _ pieces: [Range<UInt64>], of content: any BlockSource, _ progress: (UInt64) -> Void
  ) throws(BlockIOError) -> [Range<UInt64>] {
    var lost: [Range<UInt64>] = []
    for piece in pieces {
      var position = piece.lowerBound
      while position < piece.upperBound {
        let count = Int(min(piece.upperBound - position, UInt64(buffer.byteCount)))
        for range in try content.readAround(at: position, into: buffer, 0..<count) {
          lost.append(mergingInto: range)
        }
        try sink.write(buffer, 0..<count)
        byteCount += UInt64(count)
        position += UInt64(count)
        progress(position)
      }
    }
    return lost
  }

  private func pad() throws(BlockIOError) {
    let over = Int(byteCount % UInt64(Self.blockByteCount))
    if over > 0 { try write([UInt8](repeating: 0, count: Self.blockByteCount - over)) }
  }

  private func write(_ bytes: [UInt8]) throws(BlockIOError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(buffer.byteCount)
      buffer.withMutableBytes(0..<piece.count) { target in
        for (index, byte) in piece.enumerated() { target[index] = byte }
      }
      try sink.write(buffer, 0..<piece.count)
      byteCount += UInt64(piece.count)
      rest = rest.dropFirst(piece.count)
    }
  }
}
