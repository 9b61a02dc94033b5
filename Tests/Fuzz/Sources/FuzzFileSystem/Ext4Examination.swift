import FuzzedFormats

/// Takes the bytes for each structure of an ext4 and its journal, and where a checksum would end
/// the examination, makes it right.
func examineExt4(_ bytes: Span<UInt8>) {
  examineSuperblock(bytes)
  guard bytes.count >= 1024 else { return }
  let seed: UInt32 = bytes.little(at: 1020)
  examineBlocks(bytes, seed)
  examineInode(bytes.extracting(0..<256), seed)
  examineInode(bytes.extracting(0..<128), seed)
  for size in [32, 64] {
    let descriptor = bytes.extracting(0..<size)
    _ = Ext4GroupDescriptor(decoding: descriptor)
    _ = Ext4GroupDescriptor.isRight(descriptor, group: seed, seed: seed)
  }
  examineJournal(bytes, seed)
}

private func examineSuperblock(_ bytes: Span<UInt8>) {
  var copy = (0..<1024).map { $0 < bytes.count ? bytes[$0] : 0 }
  copy[0x38] = 0x53
  copy[0x39] = 0xef
  copy[0x65] |= 4
  copy[0x175] = 1
  var checksum = CRC32C()
  checksum.add(copy.span.extracting(0..<0x3fc))
  for index in 0..<4 {
    copy[0x3fc + index] = UInt8(truncatingIfNeeded: checksum.register >> UInt32(8 * index))
  }
  guard let superblock = Ext4Superblock(decoding: copy.span) else { return }
  precondition(superblock.inodesPerBlock > 0 && superblock.tableBlockCount > 0)
  precondition(superblock.groupCount > 0 && superblock.descriptorBlockCount > 0)
  _ = superblock.block(ofDescriptors: superblock.descriptorBlockCount - 1)
}

private func examineInode(_ bytes: Span<UInt8>, _ seed: UInt32) {
  _ = Ext4Inode(decoding: bytes)
  guard let number = Ext4Inode.number(of: bytes, seed: seed) else { return }
  precondition(Ext4Inode.isRight(bytes, number: number, seed: seed))
}

private func examineBlocks(_ bytes: Span<UInt8>, _ seed: UInt32) {
  _ = Ext4Block.register(ofDirectory: bytes)
  _ = Ext4Block.register(ofHashTree: bytes)
  _ = Ext4Block.register(ofExtents: bytes)
  _ = Ext4Block.number(ofAttributes: bytes, seed: seed)
  guard let header = Ext4ExtentHeader(decoding: bytes) else { return }
  for index in 0..<header.count {
    if header.depth == 0 {
      _ = header.extent(index, of: bytes)
    } else {
      _ = header.child(index, of: bytes)
    }
  }
}

private func examineJournal(_ bytes: Span<UInt8>, _ seed: UInt32) {
  _ = Ext4JournalHeader(decoding: bytes)
  _ = Ext4JournalSuperblock(decoding: bytes)
  var copy = (0..<bytes.count).map { bytes[$0] }
  var checksum = CRC32C(register: seed)
  checksum.add(bytes.extracting(0..<bytes.count - 4))
  checksum.addZeroes(4)
  for index in 0..<4 {
    copy[copy.count - 1 - index] = UInt8(truncatingIfNeeded: checksum.register >> UInt32(8 * index))
  }
  for isVersion3 in [false, true] {
    for has64Bits in [false, true] {
      let layout = Ext4JournalLayout(isVersion3: isVersion3, has64Bits: has64Bits, seed: seed)
      guard let tags = layout.tags(of: copy.span), let revoked = layout.revoked(by: copy.span)
      else { preconditionFailure("the checksum was made right") }
      precondition(tags.count <= copy.count / 8 && revoked.count <= copy.count / 4)
      _ = layout.isRight(commit: copy.span)
    }
  }
}
