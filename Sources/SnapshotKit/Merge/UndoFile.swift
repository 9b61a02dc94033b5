public import BlockIO
public import SystemPackage

/// The file of an undo store: made new with room for all of it, or opened to go on.
public enum UndoFile {
  /// Opens or makes the file at `path`.
  ///
  /// What is there and is no undo store is not even opened for writing.
  ///
  /// - Returns: The file, and whether it was made now.
  /// - Throws: ``MergeError/noSpace(path:needed:available:)`` before anything is written.
  public static func open(
    _ path: FilePath, byteCount: UInt64
  ) throws(MergeError) -> (file: FileTarget, isNew: Bool) {
    let available: UInt64
    do throws(BlockIOError) {
      if FileTarget.exists(path) {
        guard UndoManifest(try FileSource(path: path)) != nil else {
          throw BlockIOError(
            path.string, .open, .refused("exists, and is no undo store; it is not overwritten"))
        }
        return (try FileTarget(path: path), false)
      }
      available = try OutputFile.availableByteCount(at: path)
    } catch {
      throw .io(error)
    }
    guard byteCount <= available else {
      throw .noSpace(path: path.string, needed: byteCount, available: available)
    }
    do throws(BlockIOError) {
      return (try FileTarget(creating: path, byteCount: byteCount), true)
    } catch {
      throw .io(error)
    }
  }
}
