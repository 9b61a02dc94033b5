import BlockIO
import FileSystems

/// How many files of an image are read, and how many bytes of each: images are small, but what a
/// patch makes of them need not be.
private let (fileCountMax, partByteCount) = (1000, 4096)

/// Reads all that a source holds, in every way, and holds it against itself.
func examine(_ source: PatchedSource) {
  guard let fileSystem = try? FileSystemOpening.open(source) else { return }
  _ = fileSystem.notes
  var count = 0
  if let root = try? FileTree(fileSystem).find("/") {
    var walk = TreeWalk(fileSystem, from: root, includesDeleted: true)
    while count < fileCountMax, let entry = try? walk.next() {
      count += 1
      if let inode = entry.inode { examine(inode, of: fileSystem) }
    }
  }
  count = 0
  _ = try? fileSystem.forEachInode(isDeletedIncluded: true) { inode in
    count += 1
    if !inode.isAllocated { examine(inode, of: fileSystem) }
    return count < fileCountMax
  }
  _ = try? OwnerIndex(fileSystem)
  for range in (try? fileSystem.freeRanges()) ?? [] {
    precondition(range.lowerBound < range.upperBound)
  }
  for offset in stride(from: 0, to: source.byteCount, by: 1 << 20) {
    _ = fileSystem.structure(at: offset)
  }
}

/// Reads a file.
private func examine(_ inode: Inode, of fileSystem: any FileSystem) {
  _ = try? fileSystem.attributes(of: inode)
  if inode.kind == .link { _ = try? fileSystem.target(ofLink: inode) }
  if let map = try? fileSystem.map(of: inode) {
    var end: UInt64 = 0
    for extent in map.extents {
      precondition(extent.file.lowerBound >= end, "extents overlap")
      end = extent.file.upperBound
    }
  }
  guard inode.kind == .regular, let content = try? fileSystem.content(of: inode) else { return }
  precondition(content.byteCount == inode.byteCount)
  let buffer = IOBuffer(byteCount: partByteCount)
  let part = min(content.byteCount, UInt64(partByteCount))
  for start in [0, content.byteCount - part] {
    _ = try? content.readAround(at: start, into: buffer, 0..<Int(part))
  }
  var next: UInt64 = 0
  for _ in 0..<16 {
    guard let data = try? content.nextData(from: next) else { break }
    precondition(data.lowerBound >= next && data.upperBound > data.lowerBound)
    next = data.upperBound
  }
}
