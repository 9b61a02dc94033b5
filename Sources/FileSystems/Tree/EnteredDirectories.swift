internal import BlockIO

/// The directories that were entered: each is entered once, and of those that lie on the same
/// blocks only a few.
///
/// A sound file system has none that do. Blocks that a damaged one has in two directories are read
/// in both; in a hostile one, a few blocks of names that thousands of directories share would have
/// no end.
struct EnteredDirectories {
  private static let (pageByteCount, sectorByteCount): (UInt64, UInt64) = (4096, 512)
  /// The number of directories that may lie on the same block.
  private static let sharedCountMax: UInt8 = 4

  private var ids: Set<FileID> = []
  /// The number of directories that lie on a page, by its number.
  private var pages: [UInt64: UInt8] = [:]
  /// The same of those whose blocks are smaller.
  private var sectors: [UInt64: UInt8] = [:]

  /// Enters a directory.
  ///
  /// - Returns: Why it must not be entered; nil if it may.
  mutating func enter(
    _ directory: Inode, of fileSystem: any FileSystem
  ) throws(FileSystemError) -> FileSystemDamage? {
    guard ids.insert(directory.id).inserted else {
      return FileSystemDamage("directory \(directory.id.number) again")
    }
    let map: FileMap
    do throws(FileSystemError) { map = try fileSystem.map(of: directory) } catch {
      if error.isFatal { throw error }
      return nil  // what reads its names says so
    }
    let places = map.extents.compactMap { extent in
      if case .data = extent.place { extent.sourceRange } else { nil }
    }
    guard places.union.allSatisfy({ count($0) }) else {
      return FileSystemDamage(
        "directory \(directory.id.number): has blocks that are other directories' as well")
    }
    return nil
  }

  /// Counts a directory where it lies.
  ///
  /// - Returns: Whether not too many others do.
  private mutating func count(_ range: Range<UInt64>) -> Bool {
    let page = Self.pageByteCount
    if range.lowerBound % page == 0, range.upperBound % page == 0 {
      return Self.count(range, of: page, in: &pages)
    }
    return Self.count(range, of: Self.sectorByteCount, in: &sectors)
  }

  private static func count(
    _ range: Range<UInt64>, of unit: UInt64, in units: inout [UInt64: UInt8]
  ) -> Bool {
    for number in range.lowerBound / unit..<(range.upperBound - 1) / unit + 1 {
      let count = units[number, default: 0]
      guard count < sharedCountMax else { return false }
      units[number] = count + 1
    }
    return true
  }
}
