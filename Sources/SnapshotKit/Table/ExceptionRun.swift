/// Consecutive exceptions as one: old chunks `old ..< old + count` are at new chunks
/// `new ..< new + count`.
///
/// Twenty-four bytes, the most that dmsnap keeps for an exception. Neither range wraps around.
public struct ExceptionRun: Hashable, Sendable, BitwiseCopyable {
  /// The first chunk of the origin.
  public var old: UInt64
  /// The first chunk of the store, without a top byte.
  public var new: UInt64
  /// The number of chunks, at least one.
  public var count: UInt64

  /// A run of `count` chunks.
  package init(old: UInt64, new: UInt64, count: UInt64) {
    self.old = old
    self.new = new
    self.count = count
  }

  /// The last chunk of the origin.
  public var lastOld: UInt64 { old + (count - 1) }

  /// One above the last chunk of the origin; saturates at the largest number.
  var oldEnd: UInt64 { lastOld == .max ? .max : lastOld + 1 }

  /// Appends an exception if it continues the run, and returns whether it did.
  package mutating func extend(old next: UInt64, new nextNew: UInt64) -> Bool {
    guard next != 0, next == old &+ count, nextNew == new &+ count else { return false }
    count += 1
    return true
  }
}
