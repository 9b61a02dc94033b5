public import BlockIO
public import FileSystems
internal import Synchronization

/// A file system in memory, made of a literal tree: each file's content is in whole blocks of its
/// source, in the order of the tree, from block 1 on.
public final class MemoryFileSystem: FileSystem {
  /// How large a block is.
  public static let blockByteCount = 4096

  /// A file with its name.
  public struct Node: Sendable {
    enum Content: Sendable {
      case file([Piece])
      case directory([Node])
      case link(String)
      case hardLink(String)
      /// A file that shares all it has with another one.
      case clone(String)
      case special(FileKind)
      /// A directory that is another one once more, as no sound file system has it.
      case again(String)
    }

    var name: [UInt8]
    var content: Content
    var permissions: UInt16 = 0o644
    var owner: UInt32 = 0
    var modified = Timestamp(seconds: 1_700_000_000, nanoseconds: 123_456_789)
    var attributes: [ExtendedAttribute] = []
    var isDamaged = false
    var isDeleted = false
    var number: UInt64?

    /// A part of a file's content.
    public enum Piece: Sendable {
      /// Bytes, in blocks of their own.
      case bytes([UInt8])
      /// A hole.
      case hole(Int)
      /// Bytes that cannot be read.
      case lost(Int)

      var byteCount: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .hole(let count), .lost(let count): count
        }
      }
    }

    /// A file of that text.
    public static func file(_ name: String, _ text: String) -> Node {
      Node(name: Array(name.utf8), content: .file([.bytes(Array(text.utf8))]))
    }

    /// A file of those pieces; all but the last must be whole blocks.
    public static func file(_ name: String, pieces: [Piece]) -> Node {
      Node(name: Array(name.utf8), content: .file(pieces))
    }

    /// A directory.
    public static func directory(_ name: String, _ nodes: [Node]) -> Node {
      Node(name: Array(name.utf8), content: .directory(nodes), permissions: 0o755)
    }

    /// A symbolic link.
    public static func link(_ name: String, to target: String) -> Node {
      Node(name: Array(name.utf8), content: .link(target), permissions: 0o777)
    }

    /// Another name of the file at a path that comes before it in the tree.
    public static func hardLink(_ name: String, to path: String) -> Node {
      Node(name: Array(name.utf8), content: .hardLink(path))
    }

    /// A file that shares all it has with the one at a path that comes before it in the tree.
    public static func clone(_ name: String, of path: String) -> Node {
      Node(name: Array(name.utf8), content: .clone(path))
    }

    /// A name of a directory at a path that comes before it, or that it is in.
    public static func again(_ name: String, _ path: String) -> Node {
      Node(name: Array(name.utf8), content: .again(path))
    }

    /// A pipe, socket or device.
    public static func special(_ name: String, _ kind: FileKind) -> Node {
      Node(name: Array(name.utf8), content: .special(kind))
    }

    /// The same with changes.
    public func with(
      name: [UInt8]? = nil, permissions: UInt16? = nil, owner: UInt32? = nil, seconds: Int64? = nil,
      attributes: [ExtendedAttribute]? = nil, isDamaged: Bool = false, isDeleted: Bool = false,
      number: UInt64? = nil
    ) -> Node {
      var node = self
      node.name = name ?? node.name
      node.permissions = permissions ?? node.permissions
      node.owner = owner ?? node.owner
      node.modified = seconds.map { Timestamp(seconds: $0) } ?? node.modified
      node.attributes = attributes ?? node.attributes
      (node.isDamaged, node.isDeleted) = (isDamaged, isDeleted)
      node.number = number ?? node.number
      return node
    }
  }

  private struct File: Sendable {
    var inode: Inode
    var node: Node
    var entries: [DirectoryEntry] = []
    var map = FileMap()
    var linkCount: UInt32 = 1
  }

  public let source: any BlockSource
  public let family = "memory"
  public let root = FileID(2)
  private let files: [FileID: File]
  private let order: [FileID]
  private let readCount = Mutex(0)
  private let sharing: ExtentSharing
  private let free: [Range<UInt64>]

  /// A file system with those files in its root.
  ///
  /// - Parameters:
  ///   - seconds: When names in its root were changed last.
  ///   - sharing: Whether files may be clones of others.
  ///   - blockCount: How many blocks it has; those after the last file's are free.
  public init(
    _ nodes: [Node], named name: String = "memory", seconds: Int64? = nil,
    sharing: ExtentSharing = .never, blockCount: Int = 0
  ) {
    self.sharing = sharing
    var builder = Builder()
    builder.add(Node.directory("", nodes).with(seconds: seconds), at: "", as: FileID(2))
    files = builder.files
    order = builder.order
    let used = builder.bytes.count
    let count = max(used, blockCount * Self.blockByteCount)
    builder.bytes += [UInt8](repeating: 0, count: count - used)
    free = [0..<UInt64(Self.blockByteCount)] + (used < count ? [UInt64(used)..<UInt64(count)] : [])
    source = MemorySource(name: name, builder.bytes)
  }

  private struct Builder {
    var files: [FileID: File] = [:]
    var order: [FileID] = []
    var paths: [String: FileID] = [:]
    var bytes = [UInt8](repeating: 0, count: MemoryFileSystem.blockByteCount)
    var next: UInt64 = 11

    mutating func add(_ node: Node, at path: String, as id: FileID) {
      paths[path] = id
      var file = File(inode: MemoryFileSystem.inode(node, id, byteCount: 0), node: node)
      var byteCount: UInt64 = 0
      switch node.content {
      case .file(let pieces):
        for piece in pieces {
          let range = byteCount..<byteCount + UInt64(piece.byteCount)
          switch piece {
          case .bytes(let content):
            file.map.extents.append(FileExtent(range, .data(at: UInt64(bytes.count))))
            bytes += content
            let over = bytes.count % MemoryFileSystem.blockByteCount
            if over > 0 {
              bytes += [UInt8](repeating: 0xee, count: MemoryFileSystem.blockByteCount - over)
            }
          case .hole: break
          case .lost:
            file.map.extents.append(FileExtent(range, .lost))
            file.map.damage.append(FileSystemDamage("extent lost"))
          }
          byteCount = range.upperBound
        }
      case .clone(let path):
        file.map = paths[path].flatMap { files[$0]?.map } ?? file.map
        byteCount = file.map.extents.last?.file.upperBound ?? 0
      case .link(let target): byteCount = UInt64(target.utf8.count)
      case .directory, .hardLink, .special, .again: break
      }
      file.inode = MemoryFileSystem.inode(node, id, byteCount: byteCount)
      files[id] = file
      order.append(id)
      guard case .directory(let nodes) = node.content else { return }
      var entries: [DirectoryEntry] = []
      for child in nodes {
        let childPath = path + "/" + EscapedName.text(child.name)
        let childID: FileID
        switch child.content {
        case .hardLink(let target), .again(let target):
          childID = paths[target] ?? FileID(999)
          files[childID]?.linkCount += 1
        default:
          childID = FileID(child.number ?? next)
          next += 1
          add(child, at: childPath, as: childID)
        }
        entries.append(
          DirectoryEntry(
            name: child.name, id: childID, kind: files[childID]?.inode.kind,
            isDeleted: child.isDeleted))
      }
      files[id]?.entries = entries.reversed()
    }
  }

  private static func inode(
    _ node: Node, _ id: FileID, byteCount: UInt64, linkCount: UInt32 = 1
  ) -> Inode {
    let kind: FileKind =
      switch node.content {
      case .file, .clone: .regular
      case .directory, .again: .directory
      case .link: .link
      case .hardLink: .unknown
      case .special(let kind): kind
      }
    return Inode(
      id: id, kind: kind, permissions: node.permissions, owner: node.owner, group: node.owner,
      linkCount: linkCount, byteCount: byteCount,
      device: kind == .characterDevice ? Inode.Device(major: 1, minor: 3) : nil,
      modified: node.modified, accessed: node.modified, changed: node.modified,
      isAllocated: !node.isDeleted)
  }

  private func file(_ id: FileID) throws(FileSystemError) -> File {
    guard let file = files[id] else { throw .noFile(source.name, "\(id.number)") }
    if file.node.isDamaged {
      throw .damaged(source.name, FileSystemDamage("inode \(id.number): wrong checksum"))
    }
    return file
  }

  public func inode(_ id: FileID) throws(FileSystemError) -> Inode {
    let file = try file(id)
    return Self.inode(
      file.node, id, byteCount: file.inode.byteCount, linkCount: file.linkCount)
  }

  public func forEachInode(
    isDeletedIncluded: Bool, _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    var damage: [FileSystemDamage] = []
    for id in order {
      let found: Inode
      do throws(FileSystemError) { found = try inode(id) } catch {
        damage.append(error.damage)
        continue
      }
      if found.isAllocated || isDeletedIncluded, try !body(found) { break }
    }
    return damage
  }

  public func forEachEntry(
    of directory: Inode, _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    for entry in try file(directory.id).entries { if try !body(entry) { break } }
    return []
  }

  public func map(of inode: Inode) throws(FileSystemError) -> FileMap { try file(inode.id).map }

  public func content(of inode: Inode) throws(FileSystemError) -> any BlockSource {
    guard inode.kind == .regular else { throw .wrongKind(source.name, "a regular file") }
    return MemoryContent(source, try file(inode.id).map, byteCount: inode.byteCount)
  }

  public func target(ofLink inode: Inode) throws(FileSystemError) -> [UInt8] {
    guard case .link(let target) = try file(inode.id).node.content else {
      throw .wrongKind(source.name, "a symbolic link")
    }
    return Array(target.utf8)
  }

  public func attributes(of inode: Inode) throws(FileSystemError) -> ExtendedAttributes {
    var attributes = ExtendedAttributes(of: "inode \(inode.id.number)")
    for attribute in try file(inode.id).node.attributes {
      attributes.add(attribute.name, attribute.value)
    }
    return attributes
  }

  public func freeRanges() throws(FileSystemError) -> [Range<UInt64>] { free }

  public func sharing(of inode: Inode) -> ExtentSharing { sharing }
}

/// The content of a file of a ``MemoryFileSystem``.
private final class MemoryContent: BlockSource {
  let name = "content"
  let byteCount: UInt64
  private let base: any BlockSource
  private let map: FileMap

  init(_ base: any BlockSource, _ map: FileMap, byteCount: UInt64) {
    (self.base, self.map, self.byteCount) = (base, map, byteCount)
  }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    buffer.zero(range)
    for extent in map.extents {
      let part = extent.file.clamped(to: bytes)
      if part.isEmpty { continue }
      let start = range.lowerBound + Int(part.lowerBound - byteOffset)
      guard case .data(let place) = extent.place else {
        throw BlockIOError(name, .read, .missing("lost extent", part), at: part)
      }
      try base.read(
        at: place + part.lowerBound - extent.file.lowerBound, into: buffer,
        start..<start + part.count)
    }
  }

  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    map.extents.first { $0.file.upperBound > byteOffset }.map {
      max(byteOffset, $0.file.lowerBound)..<$0.file.upperBound
    }
  }

  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    map.extents.filter { $0.place == .lost }.map { $0.file.clamped(to: range) }
      .filter { !$0.isEmpty }
  }
}
