internal import BlockIO
internal import SystemPackage

/// The file of an undo store: a new one with room for everything, or one to continue.
enum UndoFile {
  /// Makes the file at `path`, or opens the existing one to continue it.
  ///
  /// - Parameters:
  ///   - existing: The existing file, if any; it is opened for writing only if it is an undo store,
  ///     or blank, as an early crash leaves it.
  ///   - unsharedByteCount: How many bytes must be copied to a file that can share data with the
  ///     origin; nil for one that cannot, in which room is reserved for everything.
  /// - Returns: The file, and whether it is still empty.
  /// - Throws: A refusal, and leaves no file.
  static func open(
    _ path: FilePath, existing: FileSource?, byteCount: UInt64,
    unsharedByteCount: (FileTarget) -> UInt64? = { _ in nil }
  ) throws(MergeError) -> (file: FileTarget, isNew: Bool) {
    guard let existing else {
      return (try make(path, byteCount: byteCount, unsharedByteCount), true)
    }
    try check(existing, byteCount: byteCount)
    let file = try wrapping(unavailable, try FileTarget(reopening: existing))
    let isNew = UndoManifest(existing) == nil
    // A crash may have come before there was room for everything.
    if isNew, unsharedByteCount(file) == nil { try wrapping(MergeError.io, try file.reserve()) }
    return (file, isNew)
  }

  /// Refuses an existing file that is neither an undo store nor blank.
  static func check(_ existing: FileSource, byteCount: UInt64) throws(MergeError) {
    if UndoManifest(existing) != nil { return }
    if existing.byteCount == byteCount, try wrapping(unavailable, try isBlank(existing)) { return }
    throw .refused(
      MergeRefusal(
        .undoExists, "\(existing.name): exists, and is not an undo store; it is not overwritten"))
  }

  private static func unavailable(_ error: BlockIOError) -> MergeError {
    MergeError(error, as: .targetUnavailable)
  }

  private static func make(
    _ path: FilePath, byteCount: UInt64, _ unsharedByteCount: (FileTarget) -> UInt64?
  ) throws(MergeError) -> FileTarget {
    let available = try wrapping(MergeError.io, try OutputFile.availableByteCount(at: path))
    let file: FileTarget
    do throws(BlockIOError) {
      file = try FileTarget(creating: path, byteCount: byteCount)
    } catch {
      guard error.reason == .system(.fileTooLarge) else { throw .io(error) }
      throw noRoom(path, needed: byteCount, available: available)
    }
    let unshared = unsharedByteCount(file)
    guard unshared ?? byteCount <= available else {
      file.discard()
      throw noRoom(path, needed: unshared ?? byteCount, available: available)
    }
    do throws(BlockIOError) {
      if unshared == nil { try file.reserve() }
    } catch {
      file.discard()
      throw .io(error)
    }
    return file
  }

  private static func noRoom(
    _ path: FilePath, needed: UInt64, available: UInt64
  ) -> MergeError {
    .refused(
      MergeRefusal(
        .noRoom, "\(path): needs \(needed) bytes; the file system has \(available)"))
  }

  /// Whether a file is all zero: as it is made, and as a crash leaves it before the header is
  /// written.
  private static func isBlank(_ file: FileSource) throws(BlockIOError) -> Bool {
    let buffer = IOBuffer(byteCount: 1 << 20)
    var position: UInt64 = 0
    while let data = try file.nextData(from: position) {
      position = data.lowerBound
      while position < data.upperBound {
        let piece = 0..<Int(min(UInt64(buffer.byteCount), data.upperBound - position))
        try file.read(at: position, into: buffer, piece)
        guard buffer.isZero(piece) else { return false }
        position += UInt64(piece.count)
      }
    }
    return true
  }
}
