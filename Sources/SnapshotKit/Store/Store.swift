public import BlockIO
public import SnapshotFormat

/// A COW store on a medium: its bytes, the header in them, and where everything is.
///
/// Opening judges nothing beyond the first sector; ``KernelLoad`` has Linux's verdict on the store,
/// ``Auditor`` the faults in it.
public struct Store: Sendable {
  /// The bytes.
  public let source: any BlockSource
  /// The bytes as areas are read from them.
  let areas: any BlockSource
  /// The header's fields; nil if there are fewer than sixteen readable bytes.
  public let header: SnapshotHeader?
  /// The reason why the header could not be read, if the medium failed.
  public let headerError: BlockIOError?
  /// Where areas and chunks are, by the header's chunk size; nil if Linux refuses that size.
  public let geometry: StoreGeometry?
  /// The file system that the store was found in, if it was not read through that: its file may be
  /// in fragments.
  public let surroundings: Surroundings?

  /// Reads the header of a possible store.
  ///
  /// - Parameter surroundings: The file system whose blocks `source` is in.
  public init(_ source: any BlockSource, in surroundings: Surroundings? = nil) {
    self.source = source
    areas = RememberedAreas(source)
    self.surroundings = surroundings
    let byteCount = Int(min(source.byteCount, 512))
    let buffer = IOBuffer(byteCount: byteCount)
    do throws(BlockIOError) {
      try source.readUncached(at: 0, into: buffer, 0..<byteCount)
      header = buffer.withBytes(0..<byteCount) { SnapshotHeader(decoding: $0) }
      headerError = nil
    } catch {
      header = nil
      headerError = error
    }
    let chunkSize = header.flatMap { try? ChunkSize(sectorCount: $0.chunkSectors) }
    geometry = chunkSize.map { StoreGeometry(chunkSize: $0, byteCount: source.byteCount) }
  }
}

extension Store {
  /// Whether the header alone identifies a store: by its magic, or everything but its magic.
  var isRecognised: Bool {
    guard let header else { return false }
    return header.hasMagic || header.isErased
  }
}
