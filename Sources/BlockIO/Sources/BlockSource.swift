/// Bytes that can be read at random: a file, a block device, a part of one, a snapshot's view.
///
/// Every reader in dmsnap uses this protocol, and is independent of the medium; extents of several
/// devices conform to it too.
public protocol BlockSource: AnyObject, Sendable {
  /// Its name in messages: the path as the user gave it.
  var name: String { get }

  /// Its length in bytes.
  var byteCount: UInt64 { get }

  /// Reads bytes `byteOffset ..< byteOffset + range.count` into `range` of `buffer`: all of them,
  /// or it throws.
  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError)

  /// Reads like `read`, past caches in which a bad sector would spoil its neighbours.
  func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError)

  /// The first range at or after `byteOffset` that may hold anything but zeroes; nil if there is
  /// none.
  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>?

  /// The bytes of `range` that are known to be unreadable without trying, ascending.
  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>]

  /// Announces that `range` will be read soon, so that the medium can fetch it now.
  func willRead(_ range: Range<UInt64>)

  /// Whether the byte there can be read without the medium, as far as known.
  func hasCached(at byteOffset: UInt64) -> Bool

  /// The files and devices that it is read from.
  var files: [FileSource] { get }
}

extension BlockSource {
  /// Whether any byte is known to be unreadable without trying.
  public var hasKnownUnreadable: Bool { !knownUnreadable(in: 0..<byteCount).isEmpty }

  public func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try read(at: byteOffset, into: buffer, range)
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    byteOffset < byteCount ? byteOffset..<byteCount : nil
  }

  public func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] { [] }

  public func willRead(_ range: Range<UInt64>) {}

  public func hasCached(at byteOffset: UInt64) -> Bool { false }

  public var files: [FileSource] { [] }

  /// Throws if any of the files that it is read from was changed since they were opened.
  ///
  /// Long jobs check at the end, before they show or publish their results.
  public func checkUnchanged() throws(BlockIOError) {
    for file in files { try file.checkUnchanged() }
  }

  /// Announces that these ranges will be read, one after another, if that helps: if there are
  /// several, and the cache does not seem to have them.
  package func willRead(_ ranges: [Range<UInt64>]) {
    guard ranges.count > 1, let first = ranges.first, let last = ranges.last,
      !hasCached(at: first.lowerBound) || !hasCached(at: last.lowerBound)
    else { return }
    for range in ranges { willRead(range) }
  }

  /// Throws unless `byteOffset ..< byteOffset + count` is within the source.
  public func checkBounds(
    at byteOffset: UInt64, count: Int, to operation: BlockIOError.Operation = .read
  ) throws(BlockIOError) -> Range<UInt64> {
    let (end, overflow) = byteOffset.addingReportingOverflow(UInt64(count))
    guard !overflow, end <= byteCount else {
      throw BlockIOError(
        name, operation, .beyondEnd(byteCount: byteCount),
        at: byteOffset..<(overflow ? .max : end))
    }
    return byteOffset..<end
  }

  /// Reads around bad sectors: an unreadable sector costs 512 bytes, not the request.
  ///
  /// - Returns: The byte ranges of the source that could not be read, ascending; the buffer has
  ///   zeroes there. Sectors are those of the source, counted from its byte 0.
  public func readAround(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) -> [Range<UInt64>] {
    let error: BlockIOError
    do throws(BlockIOError) {
      try read(at: byteOffset, into: buffer, range)
      return []
    } catch let failure {
      guard failure.isUnreadableMedium else { throw failure }
      error = failure
    }
    var unreadable: [Range<UInt64>] = []
    try readAround(
      at: byteOffset, into: buffer, range, failure: error, unreadable: &unreadable)
    return unreadable
  }

  /// Reads around unreadable sectors in a range, in or near which something failed.
  ///
  /// - Parameter failure: How reading all of it failed, if that was tried.
  private func readAround(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>,
    failure: BlockIOError? = nil, unreadable: inout [Range<UInt64>]
  ) throws(BlockIOError) {
    var failure = failure
    // A bad sector spoils a page of the cache; below that size, go past the cache.
    if failure == nil || range.count <= 4096 {
      do throws(BlockIOError) {
        if range.count > 4096 {
          try read(at: byteOffset, into: buffer, range)
        } else {
          try readUncached(at: byteOffset, into: buffer, range)
        }
        return
      } catch {
        guard error.isUnreadableMedium else { throw error }
        failure = error
      }
    }
    // For a terabyte that was never tried, not every sector must be found bad by halving.
    let isLost = failure?.isMarkedThroughout(byteCount: range.count) ?? false
    let end = byteOffset.addingReportingOverflow(UInt64(range.count))
    let firstSectorEnd = (byteOffset / 512 + 1).multipliedReportingOverflow(by: 512)
    if isLost || end.overflow || firstSectorEnd.overflow
      || end.partialValue <= firstSectorEnd.partialValue
    {
      buffer.zero(range)
      unreadable.append(mergingInto: byteOffset..<(end.overflow ? .max : end.partialValue))
      return
    }
    // Halve at a sector boundary: each bad sector is found in a logarithmic number of attempts.
    let middle = max(
      firstSectorEnd.partialValue, (byteOffset / 2 + end.partialValue / 2) / 512 * 512)
    let split = range.lowerBound + Int(middle - byteOffset)
    try readAround(
      at: byteOffset, into: buffer, range.lowerBound..<split, unreadable: &unreadable)
    try readAround(at: middle, into: buffer, split..<range.upperBound, unreadable: &unreadable)
  }
}
