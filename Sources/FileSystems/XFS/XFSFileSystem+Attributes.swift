import BlockIO
import FileSystemFormat

extension XFSFileSystem {
  public func attributes(of inode: Inode) throws(FileSystemError) -> ExtendedAttributes {
    let decoded = try decoded(inode)
    var walk = XFSAttributeWalk(reader, inode.id.number)
    if let fork = decoded.attributes, decoded.mode != 0 { try walk.read(fork, inode.record) }
    walk.attributes.sort()
    return walk.attributes
  }
}

/// A walk over the attributes of an inode.
struct XFSAttributeWalk {
  private let reader: XFSReader
  private let number: UInt64
  private var visited: Set<UInt64> = []
  fileprivate(set) var attributes: ExtendedAttributes

  init(_ reader: XFSReader, _ number: UInt64) {
    (self.reader, self.number) = (reader, number)
    attributes = ExtendedAttributes(of: "inode \(number)")
  }

  private mutating func note(_ problem: String, at bytes: Range<UInt64>? = nil) {
    attributes.note(problem, at: bytes)
  }

  mutating func read(_ fork: XFSFork, _ record: [UInt8]) throws(FileSystemError) {
    if fork.format == .local {
      let (found, isComplete) = XFSAttribute.short(record.span.extracting(fork.bytes))
      if !isComplete { note("do not fit into it") }
      for attribute in found { try add(attribute, nil) }
      return
    }
    // An inode may have room for attributes and none.
    if fork.format == .extents, fork.extentCount == 0 { return }
    let map = try XFSForkMap(reader, fork, of: number, record)
    attributes.note(map.damage)
    guard map.extents.repetitions.isEmpty else { return note("have blocks that occur twice") }
    try visit(0, level: nil, map)
  }

  /// Reads a block of the tree by hashes.
  private mutating func visit(
    _ block: UInt64, level: Int?, _ map: XFSForkMap
  ) throws(FileSystemError) {
    guard visited.insert(block).inserted else { return note("a block occurs twice") }
    let size = UInt64(reader.geometry.blockByteCount)
    guard let place = map.places(block * size..<(block + 1) * size)?.first else {
      return note("a block is nowhere")
    }
    guard let bytes = try reader.bytes(place) else { return note("cannot be read", at: place) }
    let span = bytes.span
    guard let kind = XFSAttribute.kind(span) else { return note("are something else", at: place) }
    if let problem = reader.verdict(span, [kind], at: place.lowerBound, owner: number).problem {
      return note("a block: \(problem)", at: place)
    }
    let hasChecksums = reader.superblock.hasChecksums
    if kind == .node {
      guard let node = XFSAttribute.children(ofNode: span, hasChecksums: hasChecksums),
        1...5 ~= node.level, node.level == level ?? node.level
      else { return note("a node is damaged", at: place) }
      for child in node.blocks { try visit(child, level: node.level - 1, map) }
      return
    }
    guard level ?? 0 == 0 else { return note("a node is missing", at: place) }
    let (found, isComplete) = XFSAttribute.leaf(span, hasChecksums: hasChecksums)
    if !isComplete { note("a block is damaged", at: place) }
    for attribute in found { try add(attribute, map) }
  }

  private mutating func add(
    _ attribute: XFSAttribute, _ map: XFSForkMap?
  ) throws(FileSystemError) {
    guard attribute.isVisible else { return }
    let name = Array(attribute.prefix.utf8) + attribute.name
    let value: [UInt8]
    switch attribute.value {
    case .here(let bytes):
      guard attributes.hasRoom(forName: name, byteCount: bytes.count) else { return }
      value = bytes
    case .blocks(let block, let count):
      guard let map, attributes.hasRoom(forName: name, byteCount: count) else { return }
      guard let bytes = try remoteValue(block, count, map) else { return }
      value = bytes
    }
    if attribute.prefix == "trusted.", let name = Self.accessControlLists[attribute.name] {
      guard let list = XFSAttribute.accessControlList(value) else {
        return note("an access control list is damaged")
      }
      attributes.add(Array(name.utf8), list)
    } else {
      attributes.add(name, value)
    }
  }

  private static let accessControlLists = [
    Array("SGI_ACL_FILE".utf8): "system.posix_acl_access",
    Array("SGI_ACL_DEFAULT".utf8): "system.posix_acl_default",
  ]

  /// Reads a value from blocks of its own; in version 5 each has a header.
  private mutating func remoteValue(
    _ block: UInt64, _ count: Int, _ map: XFSForkMap
  ) throws(FileSystemError) -> [UInt8]? {
    let size = reader.geometry.blockByteCount
    let header = reader.superblock.hasChecksums ? XFSRemoteHeader.byteCount : 0
    var (value, position) = ([UInt8](), block * UInt64(size))
    value.reserveCapacity(count)
    while value.count < count {
      guard let place = map.places(position..<position + UInt64(size))?.first else {
        note("a value is nowhere")
        return nil
      }
      guard let bytes = try reader.bytes(place) else {
        note("a value cannot be read", at: place)
        return nil
      }
      let part = min(size - header, count - value.count)
      if reader.superblock.hasChecksums {
        let problem = reader.verdict(
          bytes.span, [.attributeValue], at: place.lowerBound, owner: number
        ).problem
        let said = XFSRemoteHeader(bytes.span)
        guard problem == nil, Int(said.start) == value.count, Int(said.count) == part else {
          note("a value: \(problem ?? "a wrong header")", at: place)
          return nil
        }
      }
      value += bytes[header..<header + part]
      position += UInt64(size)
    }
    return value
  }
}
