import BlockIO
import FileSystemFormat

extension ExtFileSystem {
  public func attributes(of inode: Inode) throws(FileSystemError) -> ExtendedAttributes {
    let (entries, damage) = try entries(of: inode, try fields(of: inode))
    var attributes = ExtendedAttributes(of: "inode \(inode.id.number)")
    attributes.note(damage)
    for (entry, bytes) in entries {
      guard let name = entry.fullName else { continue }
      guard attributes.hasRoom(forName: name, byteCount: entry.value.count) else { break }
      var value = entry.valueInode == 0 ? Array(bytes[entry.value]) : nil
      if entry.valueInode != 0 {
        value = try self.value(inInode: entry.valueInode, byteCount: entry.value.count)
      }
      if entry.isAccessControlList {
        value = value.flatMap { Ext4Attribute.accessControlList($0.span) }
      }
      if let value {
        attributes.add(name, value)
      } else {
        attributes.note("\(EscapedName.text(name)) is damaged")
      }
    }
    attributes.sort()
    return attributes
  }

  /// The entries in an inode and in its block, each with the bytes that its value is in.
  private func entries(
    of inode: Inode, _ fields: Ext4InodeFields
  ) throws(FileSystemError) -> ([(Ext4Attribute, bytes: [UInt8])], damage: [FileSystemDamage]) {
    var found: [(Ext4Attribute, bytes: [UInt8])] = []
    var damage: [FileSystemDamage] = []
    func add(_ bytes: [UInt8], from start: Int, _ place: String, at range: Range<UInt64>?) {
      let (entries, isComplete) = Ext4Attribute.entries(in: bytes.span, from: start)
      found += entries.map { ($0, bytes) }
      if !isComplete {
        damage.append(
          FileSystemDamage(
            "attributes of inode \(inode.id.number): damaged in the \(place)", at: range))
      }
    }
    if let start = attributesStart(of: inode, fields) {
      add(Array(inode.record[start...]), from: 0, "inode", at: nil)
    }
    guard fields.attributeBlock != 0, inode.isAllocated else { return (found, damage) }
    let number = fields.attributeBlock
    let range = reader.contains(number) ? reader.range(ofBlocks: number) : nil
    guard let page = try reader.block(number) else {
      damage.append(
        FileSystemDamage("attributes of inode \(inode.id.number): cannot be read", at: range))
      return (found, damage)
    }
    let bytes = Array(page.bytes[page.range])
    guard bytes.span.little(at: 0, as: UInt32.self) == Ext4Attribute.magic,
      !superblock.hasMetadataChecksums
        || Ext4Block.isRight(attributes: bytes.span, block: number, seed: superblock.seed)
    else {
      damage.append(
        FileSystemDamage(
          "attributes of inode \(inode.id.number): the block is damaged", at: range))
      return (found, damage)
    }
    add(bytes, from: Ext4Attribute.blockHeaderByteCount, "block", at: range)
    return (found, damage)
  }

  /// Where the entries in an inode begin; nil if it has none.
  private func attributesStart(of inode: Inode, _ fields: Ext4InodeFields) -> Int? {
    let start = 0x80 + fields.extraByteCount
    guard fields.extraByteCount > 0, start + 4 <= inode.record.count,
      inode.record.span.little(at: start, as: UInt32.self) == Ext4Attribute.magic
    else { return nil }
    return start + 4
  }

  /// The place in an inode of the part of the content that does not fit where the map would be.
  func inlineAttribute(of inode: Inode, _ fields: Ext4InodeFields) -> Range<Int>? {
    guard let start = attributesStart(of: inode, fields) else { return nil }
    let bytes = Array(inode.record[start...])
    let entries = Ext4Attribute.entries(in: bytes.span, from: 0).entries
    guard let data = entries.first(where: \.isInlineData), data.valueInode == 0 else { return nil }
    return start + data.value.lowerBound..<start + data.value.upperBound
  }

  /// Adds the blocks of the attributes to a map, and their damage.
  func addAttributes(
    of inode: Inode, _ fields: Ext4InodeFields, to map: inout FileMap
  ) throws(FileSystemError) {
    let number = fields.attributeBlock
    if number != 0, reader.contains(number) {
      map.structures.append(reader.range(ofBlocks: number))
    }
    guard superblock.incompatible & 0x400 != 0, !fields.flags.contains(.isAttributeValue) else {
      return
    }
    let (found, damage) = try entries(of: inode, fields)
    map.damage += damage
    for (entry, _) in found where entry.valueInode != 0 {
      do throws(FileSystemError) {
        let value = try self.inode(FileID(UInt64(entry.valueInode)))
        guard try self.fields(of: value).flags.contains(.isAttributeValue) else { continue }
        let blocks = try self.map(of: value)
        map.structures += blocks.structures + blocks.extents.compactMap(\.sourceRange)
      } catch {
        guard let problem = error.local else { throw error }
        map.damage.append(problem)
      }
    }
  }

  /// A value that has an inode of its own; nil if that is damaged.
  private func value(
    inInode number: UInt32, byteCount: Int
  ) throws(FileSystemError) -> [UInt8]? {
    do throws(FileSystemError) {
      let inode = try self.inode(FileID(UInt64(number)))
      guard try fields(of: inode).flags.contains(.isAttributeValue), inode.kind == .regular,
        inode.byteCount == UInt64(byteCount)
      else { return nil }
      let (content, buffer) = (try bytes(of: inode), IOBuffer(byteCount: byteCount))
      try wrapping(
        FileSystemError.io, try content.read(at: 0, into: buffer, 0..<byteCount))
      // The time of access is the checksum.
      var checksum = CRC32C(register: superblock.seed)
      buffer.withBytes(0..<byteCount) { checksum.add($0) }
      return checksum.register == inode.record.span.little(at: 0x08)
        ? buffer.bytes(0..<byteCount) : nil
    } catch {
      if error.local != nil { return nil }
      if case .io(let cause) = error, cause.isUnreadableMedium { return nil }
      throw error
    }
  }
}

extension FileSystemError {
  /// The damage, if it is that of one file or structure.
  fileprivate var local: FileSystemDamage? {
    switch self {
    case .damaged(_, let damage): damage
    case .noFile(_, let file): FileSystemDamage("inode \(file): there is none")
    case .unsupported(_, let feature): FileSystemDamage("\(feature) is not supported")
    default: nil
    }
  }
}
