internal import Glibc
internal import SystemPackage

/// A regular file that is being made in a ``DirectoryTarget``.
package final class NewFile: BlockTarget {
  package let name: String
  package let byteCount: UInt64
  private let directory: DirectoryTarget
  private let part: [UInt8]
  private let file: UnpublishedFile

  /// One that will have the name `part` in a directory.
  init(
    _ part: [UInt8], in directory: DirectoryTarget, named name: String, _ file: UnpublishedFile,
    byteCount: UInt64
  ) throws(Errno) {
    (self.name, self.byteCount, self.part) = (name, byteCount, part)
    (self.directory, self.file) = (directory, file)
    guard let length = off_t(exactly: byteCount) else { throw .fileTooLarge }
    guard ftruncate(file.descriptor.rawValue, length) == 0 else {
      throw Errno(rawValue: Glibc.errno)
    }
  }

  deinit { try? file.descriptor.close() }  // writes were checked as they were made

  package func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    try file.descriptor.readFully(bytes, into: buffer, range, name: name)
  }

  package func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    _ = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try file.descriptor.writeFully(at: byteOffset, from: buffer, range, name: name)
  }

  package func flush() throws(BlockIOError) { try file.descriptor.flush(name: name) }

  package func startWriting(_ range: Range<UInt64>) { file.descriptor.startWriting(range) }

  /// Gives it its attributes.
  ///
  /// - Returns: The names of the extended attributes that it may not have.
  package func set(_ attributes: DirectoryTarget.Attributes) throws(BlockIOError) -> [[UInt8]] {
    try DirectoryTarget.set(attributes, of: file.descriptor.rawValue, named: name)
  }

  /// Gives it its name, now that it is whole.
  package func publish() throws(BlockIOError) {
    do throws(Errno) { try file.publish() } catch {
      throw error == .fileExists
        ? directory.exists(part) : BlockIOError(name, .rename, .system(error))
    }
  }
}
