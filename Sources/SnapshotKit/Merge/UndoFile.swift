public import BlockIO
public import SystemPackage

/// The file of an undo store: made new with room for all of it, or opened to go on.
public enum UndoFile {
  /// Opens or makes the file at `path`.
  ///
  /// What is there and is no undo store is not even opened for writing.
  ///
  /// - Parameter unsharedByteCount: How many bytes must be copied to a file that can share data
  ///   with the origin; nil for one that cannot, in which room is taken for all.
  /// - Returns: The file, and whether it was made now.
  /// - Throws: ``MergeError/noSpace(path:needed:available:)`` with nothing left behind.
  public static func open(
    _ path: FilePath, byteCount: UInt64,
    unsharedByteCount: (FileTarget) -> UInt64? = { _ in nil }
  ) throws(MergeError) -> (file: FileTarget, isNew: Bool) {
    do throws(BlockIOError) {
      if FileTarget.exists(path) {
        let existing = try FileSource(path: path)
        if UndoManifest(existing) != nil { return (try FileTarget(path: path), false) }
        guard existing.byteCount == byteCount, try isBlank(existing) else {
          throw BlockIOError(
            path.string, .open, .refused("exists, and is no undo store; it is not overwritten"))
        }
        return (try FileTarget(path: path), true)
      }
    } catch {
      throw .io(error)
    }
    return (try make(path, byteCount: byteCount, unsharedByteCount), true)
  }

  private static func make(
    _ path: FilePath, byteCount: UInt64, _ unsharedByteCount: (FileTarget) -> UInt64?
  ) throws(MergeError) -> FileTarget {
    let available: UInt64
    do throws(BlockIOError) { available = try OutputFile.availableByteCount(at: path) } catch {
      throw .io(error)
    }
    let file: FileTarget
    do throws(BlockIOError) {
      file = try FileTarget(creating: path, byteCount: byteCount)
    } catch {
      guard error.reason == .system(.fileTooLarge) else { throw .io(error) }
      throw .noSpace(path: path.string, needed: byteCount, available: available)
    }
    let unshared = unsharedByteCount(file)
    guard unshared ?? byteCount <= available else {
      file.discard()
      throw .noSpace(path: path.string, needed: unshared ?? byteCount, available: available)
    }
    do throws(BlockIOError) {
      if unshared == nil { try file.reserve() }
    } catch {
      file.discard()
      throw .io(error)
    }
    return file
  }

  /// Whether a file is all zero: as it is made, and as a crash leaves it that comes before the header.
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
