import BlockIO
import FileSystemFormat
import Glibc
import SystemPackage

/// An image of a file system, and what must be known of it to make its checksums right.
final class BaseImage: Sendable {
  /// Patches are of blocks, which are read and sealed as wholes.
  static let blockByteCount = 4096

  let bytes: [UInt8]
  /// The blocks that are not all zeroes.
  let blocks: [Int]
  /// How the image computes checksums.
  let checksums: Checksums

  enum Checksums {
    case none
    case xfs(XFSGeometry)
    case btrfs(identifier: [UInt8], nodeByteCount: Int)
  }

  /// The image that DMSNAP_FUZZ_IMAGE names.
  static var named: BaseImage {
    guard let path = unsafe getenv("DMSNAP_FUZZ_IMAGE"),
      let image = try? BaseImage(unsafe String(cString: path))
    else {
      print("DMSNAP_FUZZ_IMAGE must name an image of a file system")
      exit(1)
    }
    return image
  }

  init(_ path: String) throws {
    let file = try FileSource(path: FilePath(path))
    let buffer = IOBuffer(byteCount: Int(file.byteCount))
    try file.read(at: 0, into: buffer, 0..<buffer.byteCount)
    let bytes = buffer.bytes(0..<buffer.byteCount)
    self.bytes = bytes
    blocks = (0..<bytes.count / Self.blockByteCount).filter {
      bytes[$0 * Self.blockByteCount..<($0 + 1) * Self.blockByteCount].contains { $0 != 0 }
    }
    let superblock = 65536
    if let geometry = XFSGeometry(bytes.span.extracting(0..<512)) {
      checksums = .xfs(geometry)
    } else if bytes.count > superblock + 4096,
      bytes[superblock + 64..<superblock + 72].elementsEqual("_BHRfS_M".utf8)
    {
      checksums = .btrfs(
        identifier: Array(bytes[superblock + 32..<superblock + 48]),
        nodeByteCount: Int(bytes[superblock + 148]) | Int(bytes[superblock + 149]) << 8)
    } else {
      checksums = .none
    }
  }

  func block(_ number: Int) -> [UInt8] {
    Array(bytes[number * Self.blockByteCount..<(number + 1) * Self.blockByteCount])
  }
}
