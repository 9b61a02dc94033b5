import Synchronization

/// The inodes that claim the blocks of maps, in a file system whose blocks do not name their
/// owners.
///
/// A sound one has each in one map. Blocks that a damaged one has in a few maps are read in all of
/// them; in a hostile one, the maps of thousands of files that claim the same blocks would have no
/// end.
final class MapBlocks: Sendable {
  private static let inodeCountMax = 16

  private struct Claim {
    let first: UInt64
    var others: [UInt64] = []
  }

  private let claims = Mutex<[UInt64: Claim]>([:])

  /// Notes that an inode claims a block.
  ///
  /// - Returns: Whether not too many others do.
  func claim(_ block: UInt64, by inode: UInt64) -> Bool {
    claims.withLock { claims in
      guard var claim = claims[block] else {
        claims[block] = Claim(first: inode)
        return true
      }
      if claim.first == inode || claim.others.contains(inode) { return true }
      guard claim.others.count < Self.inodeCountMax - 1 else { return false }
      claim.others.append(inode)
      claims[block] = claim
      return true
    }
  }
}
