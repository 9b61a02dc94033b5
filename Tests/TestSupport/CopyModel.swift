/// An origin that is written to while snapshots of it exist, as Linux copies for them.
///
/// The content of a chunk is noise from a number that is never used twice.
public struct CopyModel {
  /// A snapshot: what was copied for it, in order.
  public struct Snapshot {
    /// The copies: the chunk of the origin and its content at that time.
    public internal(set) var copies: [(old: Int, content: UInt64)] = []
  }

  public let chunkSectors: Int
  /// What each chunk of the origin holds now.
  public private(set) var origin: [UInt64]
  public private(set) var snapshots: [Snapshot] = []
  private var next: UInt64

  public init(chunkCount: Int, chunkSectors: Int = 1) {
    self.chunkSectors = chunkSectors
    origin = (0..<UInt64(chunkCount)).map { $0 + 1 }
    next = UInt64(chunkCount) + 1
  }

  /// Takes a snapshot.
  public mutating func snap() { snapshots.append(Snapshot()) }

  /// Writes new content to a chunk of the origin, which is copied first for whom that is new.
  public mutating func write(_ chunk: Int) {
    for index in snapshots.indices
    where !snapshots[index].copies.contains(where: { $0.old == chunk }) {
      snapshots[index].copies.append((chunk, origin[chunk]))
    }
    origin[chunk] = next
    next += 1
  }

  /// Writes new content to a chunk of a snapshot, through its own device.
  public mutating func write(_ chunk: Int, throughSnapshot index: Int) {
    if let copy = snapshots[index].copies.firstIndex(where: { $0.old == chunk }) {
      snapshots[index].copies[copy].content = next
    } else {
      snapshots[index].copies.append((chunk, next))
    }
    next += 1
  }

  public var chunkByteCount: Int { chunkSectors * 512 }

  /// The bytes of a content; 0 is zeroes.
  public func bytes(of content: UInt64) -> [UInt8] {
    if content == 0 { return Array(repeating: 0, count: chunkByteCount) }
    var noise = SplitMix64(seed: content)
    return (0..<chunkByteCount / 8).flatMap { _ in noise.next().littleEndianBytes }
  }

  public var originImage: [UInt8] { origin.flatMap(bytes) }

  /// The layout of a snapshot's store.
  public func builder(_ index: Int) -> StoreBuilder {
    StoreBuilder(chunkSectors: chunkSectors).copying(snapshots[index].copies.map(\.old))
  }

  /// The store of a snapshot.
  public func image(_ index: Int) -> [UInt8] {
    let builder = builder(index)
    var image = builder.image()
    for (exception, copy) in zip(builder.exceptions, snapshots[index].copies) {
      image.put(bytes(of: copy.content), at: Int(exception.new) * chunkByteCount)
    }
    return image
  }
}
