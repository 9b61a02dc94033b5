/// What carving an image gave.
public struct Carving: Equatable, Sendable {
  /// The stores, by byte offset and chunk size.
  public internal(set) var stores: [CarvedStore] = []
  /// Stores that begin before the image, so that no offset in it names them.
  public internal(set) var beheaded: [BeheadedStore] = []
  /// The format of the image itself, if it is not that of a raw one.
  public internal(set) var container: ContainerFormat?
  /// The byte ranges of the image that could not be read, ascending.
  public internal(set) var unreadable: [Range<UInt64>] = []
}
