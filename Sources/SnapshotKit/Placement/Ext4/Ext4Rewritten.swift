internal import BlockIO
internal import FileSystemFormat

/// Blocks written home since the snapshot was taken, by the origin's journal.
///
/// The store of such a snapshot has the old content of these blocks, and of no others.
struct Ext4Rewritten {
  /// The register of each block, from zero, after its last transaction since then.
  private var contents: [UInt64: UInt32] = [:]
  /// The blocks of the journal that were written since then.
  private(set) var positions: Set<Int> = []

  /// Reads the origin's journal.
  ///
  /// - Parameter sequence: The first transaction since the snapshot was taken.
  init(
    _ place: Ext4JournalPlace, _ volume: Ext4Volume, _ origin: any BlockSource,
    since sequence: UInt32
  ) throws(BlockIOError) {
    let log = try Ext4Log(place, volume, origin) { _ in true }
    let controls = log.controls.filter {
      $0.value.sequence >= sequence && $0.value.sequence <= place.superblock.sequence
    }
    var newest: [UInt64: UInt32] = [:]
    for (position, control) in controls {
      positions.insert(position)
      for (index, tag) in control.tags.enumerated() {
        positions.insert(place.position(position, plus: index + 1))
        if control.sequence >= newest[tag.block] ?? 0 {
          newest[tag.block] = control.sequence
          contents[tag.block] = log.content(of: tag, sequence: control.sequence)
        }
      }
    }
  }

  /// The blocks that were written home, ascending.
  var blocks: [UInt64] { contents.keys.sorted() }

  /// Whether any transaction since then has a block.
  func isNamed(_ block: UInt64) -> Bool { contents[block] != nil }

  /// Whether a block of the origin has the content written home since then.
  func has(_ block: UInt64, _ content: UInt32?) -> Bool {
    content != nil && contents[block] == content
  }
}
