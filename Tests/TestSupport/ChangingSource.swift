public import BlockIO
internal import Synchronization

/// A file to which something is done while it is read: once, after so many calls.
public final class ChangingSource: BlockSource {
  private let base: any BlockSource
  private let change: @Sendable () -> Void
  private let callsLeft = Mutex(Int.max)

  /// A source of what `base` holds, to which `change` will be done.
  public init(_ base: any BlockSource, _ change: @escaping @Sendable () -> Void) {
    self.base = base
    self.change = change
  }

  public var name: String { base.name }
  public var byteCount: UInt64 { base.byteCount }
  public var files: [FileSource] { base.files }

  /// Has the change done in the middle of the next calls, behind so many.
  public func arm(after callCount: Int) { callsLeft.withLock { $0 = callCount } }

  /// Whether the change was done.
  public var isChanged: Bool { callsLeft.withLock { $0 < 0 } }

  private func count() {
    callsLeft.withLock {
      if $0 == 0 { change() }
      $0 -= 1
    }
  }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    count()
    try base.read(at: byteOffset, into: buffer, range)
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    count()
    return try base.nextData(from: byteOffset)
  }
}
