internal import Blkid
public import BlockIO

/// Finds COW stores in an image by their structure, wherever they begin, and the file systems that
/// they are in.
public struct Carver {
  private let source: any BlockSource

  /// A carver of `source`.
  public init(_ source: any BlockSource) { self.source = source }

  /// Searches for stores.
  ///
  /// Unreadable bytes are skipped and listed; any other error is thrown.
  public func carve(progress: ProgressHandler) throws(BlockIOError) -> Carving {
    var search = StoreSearch(source)
    try search.run(progress: progress)
    var stores = search.stores.sorted {
      ($0.byteOffset, $0.chunkSize) < ($1.byteOffset, $1.chunkSize)
    }
    if stores.contains(where: { $0.byteOffset > 0 }), let identity = try? Probe.identify(source) {
      for index in stores.indices where stores[index].byteOffset > 0 {
        stores[index].place(in: Surroundings(of: stores[index].byteOffset, in: identity))
      }
    }
    let carving = Carving(
      stores: stores, beheaded: search.beheaded, container: ContainerFormat(of: source),
      unreadable: search.unreadable)
    try source.checkUnchanged()
    return carving
  }
}
