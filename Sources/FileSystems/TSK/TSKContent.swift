#if TSK
  import BlockIO
  internal import TSK

  /// A stream of a file: from the source by its runs, and compressed data through libtsk.
  final class TSKContent: BlockSource {
    let name: String
    let byteCount: UInt64
    private let fileSystem: TSKFileSystem
    private let inode: UInt64
    private let stream: TSKAttribute?
    private let extents: [FileExtent]

    init(
      _ name: String, _ fileSystem: TSKFileSystem, _ inode: UInt64, _ stream: TSKAttribute?,
      byteCount: UInt64, _ map: FileMap
    ) {
      (self.name, self.fileSystem, self.inode) = (name, fileSystem, inode)
      (self.stream, self.byteCount, extents) = (stream, byteCount, map.extents)
    }

    private var base: any BlockSource { fileSystem.source }

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
      var index = index(endingAfter: position)
      while position < bytes.upperBound {
        let extent = index < extents.count ? extents[index] : nil
        let inside = extent.flatMap { $0.file.contains(position) ? $0 : nil }
        let limit = inside?.file.upperBound ?? extent?.file.lowerBound ?? bytes.upperBound
        let end = min(limit, bytes.upperBound)
        let part = target..<target + Int(end - position)
        if let inside {
          try read(inside, at: position, into: buffer, part, isCached: isCached)
          index += 1
        } else {
          buffer.zero(part)
        }
        (position, target) = (end, part.upperBound)
      }
    }

    private func read(
      _ extent: FileExtent, at position: UInt64, into buffer: IOBuffer, _ part: Range<Int>,
      isCached: Bool
    ) throws(BlockIOError) {
      switch extent.place {
      case .data(let start):
        let place = start + position - extent.file.lowerBound
        if isCached {
          try base.read(at: place, into: buffer, part)
        } else {
          try base.readUncached(at: place, into: buffer, part)
        }
      case .unwritten: buffer.zero(part)
      case .lost: throw missing("a part of the file whose place is lost", position, part.count)
      case .inline where stream?.isCompressed != true:
        let bytes = stream?.resident ?? []
        guard let first = Int(exactly: position), first <= bytes.count,
          part.count <= bytes.count - first
        else { throw missing("a part of the file that is lost", position, part.count) }
        buffer.withMutableBytes(part) { target in
          for index in target.indices { target[index] = bytes[first + index] }
        }
      case .inline, .compressed: try decompress(at: position, into: buffer, part)
      }
    }

    private func decompress(
      at position: UInt64, into buffer: IOBuffer, _ part: Range<Int>
    ) throws(BlockIOError) {
      guard let stream else { throw missing("nowhere", position, part.count) }
      do throws(TSKError) {
        let count = try fileSystem.volume.read(
          inode, type: stream.type, identifier: stream.identifier, at: position, into: buffer,
          part)
        if count == part.count { return }
      } catch {
        if case .source(let error) = error { throw error }
      }
      throw missing("a part of the file that cannot be decompressed", position, part.count)
    }

    private func missing(_ what: String, _ position: UInt64, _ count: Int) -> BlockIOError {
      let bytes = position..<position + UInt64(count)
      return BlockIOError(name, .read, .missing(what, bytes), at: bytes)
    }

    private func index(endingAfter position: UInt64) -> Int {
      extents.partitioningIndex { $0.file.upperBound > position }
    }

    func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
      for extent in extents[index(endingAfter: byteOffset)...] {
        if case .unwritten = extent.place { continue }
        return max(extent.file.lowerBound, byteOffset)..<extent.file.upperBound
      }
      return nil
    }

    func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
      var found: [Range<UInt64>] = []
      let range = range.clamped(to: 0..<byteCount)
      for extent in extents[index(endingAfter: range.lowerBound)...] {
        guard extent.file.lowerBound < range.upperBound else { break }
        let part = extent.file.clamped(to: range)
        switch extent.place {
        case .lost: found.append(mergingInto: part)
        case .data(let start):
          let first = start + part.lowerBound - extent.file.lowerBound
          let bytes = first..<first + (part.upperBound - part.lowerBound)
          let inside = bytes.clamped(to: 0..<max(base.byteCount, first))
          for bad in base.knownUnreadable(in: inside) {
            found.append(
              mergingInto: part.lowerBound + (bad.lowerBound - first)..<part.lowerBound
                + (bad.upperBound - first))
          }
          // A source that was cut.
          if bytes.upperBound > base.byteCount {
            let cut = max(first, base.byteCount)
            found.append(mergingInto: part.lowerBound + (cut - first)..<part.upperBound)
          }
        default: break
        }
      }
      return found
    }

    func willRead(_ range: Range<UInt64>) {
      let range = range.clamped(to: 0..<byteCount)
      for extent in extents[index(endingAfter: range.lowerBound)...] {
        guard extent.file.lowerBound < range.upperBound else { break }
        guard case .data(let start) = extent.place, start < base.byteCount else { continue }
        let part = extent.file.clamped(to: range)
        let first = start + part.lowerBound - extent.file.lowerBound
        let end = min(first + (part.upperBound - part.lowerBound), base.byteCount)
        if first < end { base.willRead(first..<end) }
      }
    }
  }
#endif
