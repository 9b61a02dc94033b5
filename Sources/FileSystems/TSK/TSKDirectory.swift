#if TSK
  internal import BlockIO
  internal import TSK

  /// Entries that libtsk silently leaves out of a directory, because they make no sense to it.
  extension TSKFileSystem {
    /// As much of a directory is looked at.
    private static let byteCountMax: UInt64 = 32 << 20
    private static let recordByteCount = 32

    /// The message that a directory has entries in use that are not among its names, if it has.
    func omissions(
      in directory: UInt64, _ names: [TSKName]
    ) throws(FileSystemError) -> [FileSystemDamage] {
      let entryCount: ([UInt8]) -> Int
      switch volume.family {
      case .fat12, .fat16, .fat32: entryCount = Self.fatEntryCount
      case .exFAT: entryCount = Self.exFATEntryCount
      case .iso9660: entryCount = Self.isoEntryCount
      case .ntfs, .hfsPlus: return []
      }
      guard let bytes = try bytes(ofDirectory: directory) else { return [] }
      let count = entryCount(bytes)
      let shown = names.count { $0.isAllocated && isShown($0, in: directory) }
      guard count > shown else { return [] }
      return [
        FileSystemDamage("directory \(directory): \(count - shown) of its entries make no sense")
      ]
    }

    /// The content of a directory; nil if it cannot be read.
    private func bytes(ofDirectory number: UInt64) throws(FileSystemError) -> [UInt8]? {
      var bytes: [UInt8] = []
      do throws(FileSystemError) {
        for extent in try map(of: inode(FileID(number))).extents {
          guard case .data = extent.place, let range = extent.sourceRange,
            range.upperBound <= source.byteCount
          else { continue }
          let room = Self.byteCountMax - UInt64(bytes.count)
          let buffer = IOBuffer(byteCount: Int(min(room, range.upperBound - range.lowerBound)))
          try wrapping(
            FileSystemError.io,
            try source.read(at: range.lowerBound, into: buffer, 0..<buffer.byteCount))
          bytes += buffer.bytes(0..<buffer.byteCount)
        }
      } catch {
        if error.isFatal { throw error }
        return nil  // what reads its names says so
      }
      return bytes
    }

    /// The entries of FAT that are in use, without long names, labels, `.` and `..`.
    private static func fatEntryCount(_ bytes: [UInt8]) -> Int {
      recordStarts(bytes).count { start in
        let isLabel = bytes[start + 11] & 0x08 != 0
        return bytes[start] != 0xe5 && bytes[start] != 0x2e && !isLabel
      }
    }

    private static func exFATEntryCount(_ bytes: [UInt8]) -> Int {
      recordStarts(bytes).count { bytes[$0] == 0x85 }
    }

    /// Where the records of FAT and exFAT begin, up to the one that ends the directory.
    private static func recordStarts(_ bytes: [UInt8]) -> some Sequence<Int> {
      stride(from: 0, to: bytes.count - recordByteCount + 1, by: recordByteCount)
        .lazy.prefix { bytes[$0] != 0 }
    }

    /// The records of ISO 9660, a file of several once, without the directory and its parent.
    private static func isoEntryCount(_ bytes: [UInt8]) -> Int {
      let sectorByteCount = 2048
      var (count, start) = (0, 0)
      while start + 34 <= bytes.count {
        let end = start + Int(bytes[start])
        let nextSector = (start / sectorByteCount + 1) * sectorByteCount
        guard end >= start + 34, end <= min(nextSector, bytes.count) else {
          // Only zeroes may follow the last record of a sector.
          if bytes[start] != 0 { count += 1 }
          start = nextSector
          continue
        }
        let isSelf = bytes[start + 32] == 1 && bytes[start + 33] <= 1
        // Not an associated file, nor one whose last record follows.
        if !isSelf, bytes[start + 25] & 0x84 == 0 { count += 1 }
        start = end
      }
      return count
    }
  }
#endif
