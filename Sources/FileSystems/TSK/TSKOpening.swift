public import BlockIO

/// Opens the file systems that libtsk reads, if it is there.
public enum TSKOpening {
  /// Opens a FAT, exFAT, NTFS, ISO 9660 or HFS+ file system.
  ///
  /// - Throws: `notFound` if it is none of these; `unsupported` if it looks like one, and libtsk is
  ///   not there, or the program was built without the trait `TSK`.
  public static func open(_ source: any BlockSource) throws(FileSystemError) -> any FileSystem {
    guard let family = try wrapping(FileSystemError.io, try TSKSignature.family(of: source)) else {
      throw .notFound(source.name)
    }
    #if TSK
      return try TSKFileSystem(source, family)
    #else
      throw .unsupported(source.name, "\(family), in a build without libtsk,")
    #endif
  }
}

/// Signs that a source may hold one of these file systems, without libtsk.
enum TSKSignature {
  /// The family whose magic bytes a source has; nil if it has none's.
  static func family(of source: any BlockSource) throws(BlockIOError) -> String? {
    let boot = try bytes(of: source, at: 0, count: 512)
    if boot.count == 512, boot[510] == 0x55, boot[511] == 0xaa {
      if boot[3..<11].elementsEqual("NTFS    ".utf8) { return "NTFS" }
      if boot[3..<11].elementsEqual("EXFAT   ".utf8) { return "exFAT" }
      // A jump, a sector's size, a power of two of sectors per cluster, one or two tables.
      let sector = UInt16(boot[11]) | UInt16(boot[12]) << 8
      if [0xeb, 0xe9].contains(boot[0]), [512, 1024, 2048, 4096].contains(sector),
        boot[13].nonzeroBitCount == 1, [1, 2].contains(boot[16])
      {
        return "FAT"
      }
    }
    if try bytes(of: source, at: 0x8001, count: 5).elementsEqual("CD001".utf8) {
      return "ISO 9660"
    }
    let header = try bytes(of: source, at: 1024, count: 2)
    return header.elementsEqual("H+".utf8) || header.elementsEqual("HX".utf8) ? "HFS+" : nil
  }

  private static func bytes(
    of source: any BlockSource, at byteOffset: UInt64, count: Int
  ) throws(BlockIOError) -> [UInt8] {
    guard byteOffset <= source.byteCount, source.byteCount - byteOffset >= UInt64(count) else {
      return []
    }
    let buffer = IOBuffer(byteCount: count)
    try source.read(at: byteOffset, into: buffer, 0..<count)
    return buffer.bytes(0..<count)
  }
}
