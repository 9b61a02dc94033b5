/// The result of carving an image.
public struct Carving: Equatable, Sendable {
  /// The stores, by byte offset and chunk size.
  public internal(set) var stores: [CarvedStore] = []
  /// Stores that begin before the image, and so have no offset in it.
  public internal(set) var beheaded: [BeheadedStore] = []
  /// The format of the image itself, unless it is raw.
  public internal(set) var container: ContainerFormat?
  /// The byte ranges of the image that could not be read, ascending.
  public internal(set) var unreadable: [Range<UInt64>] = []
}
