internal import Blkid
package import BlockIO

/// A file system in which a store was found.
public struct Surroundings: Equatable, Sendable {
  /// Its type.
  public let type: String
  /// Where it begins in the image.
  public let byteOffset: UInt64

  /// The file system that has a byte of an image, unless it is the file system's first.
  package init?(of byteOffset: UInt64, in image: any BlockSource) {
    guard byteOffset > 0, let identity = try? Probe.identify(image) else { return nil }
    self.init(of: byteOffset, in: identity)
  }

  init?(of byteOffset: UInt64, in identity: Identity) {
    func filesystem(_ identity: Identity) -> Signature? {
      identity.signatures.first { $0.usage == .filesystem && !$0.hasBadChecksum }
    }
    let partition = identity.partitionTable?.partitions.first {
      $0.byteOffset < byteOffset && byteOffset - $0.byteOffset < $0.byteCount
        && $0.content.flatMap(filesystem) != nil
    }
    if let partition, let type = partition.content.flatMap(filesystem)?.type {
      (self.type, self.byteOffset) = (type, partition.byteOffset)
    } else if identity.partitionTable == nil, let type = filesystem(identity)?.type {
      (self.type, self.byteOffset) = (type, 0)
    } else {
      return nil
    }
  }
}
