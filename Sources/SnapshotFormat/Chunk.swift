/// The number of a chunk: of the origin for an old chunk, of the store for a new one.
///
/// On disk it is 64 bits wide and may be any number at all.
public struct Chunk: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// The number of chunks before this one.
  public var index: UInt64

  /// The chunk of that number.
  @inlinable
  public init(_ index: UInt64) { self.index = index }

  @inlinable
  public static func < (left: Chunk, right: Chunk) -> Bool { left.index < right.index }
}

/// The number of a metadata area, from 0.
public struct AreaIndex: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// The number of areas before this one.
  public var index: UInt64

  /// The area of that number.
  @inlinable
  public init(_ index: UInt64) { self.index = index }

  @inlinable
  public static func < (left: AreaIndex, right: AreaIndex) -> Bool { left.index < right.index }
}
