internal import BlockIO
internal import FileSystemFormat

/// Reads data at logical addresses: of each sector a copy whose checksum is right.
struct BtrfsData: Sendable {
  /// Of data in the tree of checksums.
  ///
  /// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `BTRFS_EXTENT_CSUM_OBJECTID`.
  private static let checksumObject = UInt64.max - 9

  let nodes: BtrfsNodeReader
  private let checksums: [BtrfsTree]

  /// A reader of data that has checksums in those trees, or none.
  init(_ nodes: BtrfsNodeReader, _ checksums: [BtrfsTree]) {
    self.nodes = nodes
    self.checksums = nodes.superblock.checksum.isComputed ? checksums : []
  }

  /// Whether any data has checksums that can be computed.
  var hasChecksums: Bool { !checksums.isEmpty }

  private var sector: Int { nodes.superblock.sectorByteCount }

  /// Reads into `range` of `buffer`.
  ///
  /// - Returns: The bytes, counted from `address`, of which no copy has the right checksum.
  /// - Throws: If a copy cannot be read, and no other is whole.
  func read(
    at address: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) -> [Range<UInt64>] {
    if !hasChecksums {
      try readAny(at: address, into: buffer, range)
      return []
    }
    var bad: [Range<UInt64>] = []
    var done = 0
    while done < range.count {
      let position = address + UInt64(done)
      let before = Int(position % UInt64(sector))
      let rest = range.count - done
      let start = range.lowerBound + done
      if before == 0, rest >= sector {
        let count = rest / sector * sector
        let badSectors = try readSectors(
          at: position, into: buffer, start..<start + count)
        bad += badSectors.map { UInt64(done + $0)..<UInt64(done + $0 + sector) }
        done += count
        continue
      }
      // Only whole sectors have checksums.
      let scratch = IOBuffer(byteCount: sector)
      let count = min(sector - before, rest)
      let badSectors = try readSectors(
        at: position - UInt64(before), into: scratch, 0..<sector)
      if !badSectors.isEmpty { bad.append(UInt64(done)..<UInt64(done + count)) }
      buffer.copy(from: scratch, before..<before + count, to: start)
      done += count
    }
    return bad
  }

  /// Which of consecutive sectors have a checksum, and whether a copy of them is right by it.
  ///
  /// - Parameter address: Where the first begins.
  /// - Returns: Logical addresses, ascending.
  func verdicts(
    at address: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) -> (right: [Range<UInt64>], wrong: [Range<UInt64>]) {
    let expected = try expected(at: address, count: range.count / sector)
    guard expected.isKnown.contains(true) else { return ([], []) }
    var wrong: [Int]
    do throws(BlockIOError) {
      wrong = try readSectors(at: address, into: buffer, range)
    } catch {
      guard error.isUnreadableMedium else { throw error }
      // Unreadable bytes are known to be lost, even without checksums.
      return ([], [])
    }
    var found: (right: [Range<UInt64>], wrong: [Range<UInt64>]) = ([], [])
    for index in expected.isKnown.indices where expected.isKnown[index] {
      let start = address + UInt64(index * sector)
      let bytes = start..<start + UInt64(sector)
      if wrong.first == index * sector {
        wrong.removeFirst()
        found.wrong.append(mergingInto: bytes)
      } else {
        found.right.append(mergingInto: bytes)
      }
    }
    return found
  }

  /// Reads whichever copy can be read.
  private func readAny(
    at address: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let places = places(at: address, range.count)
    var failure = missing(address, range.count)
    for place in places {
      do throws(BlockIOError) {
        return try nodes.source.read(at: place, into: buffer, range)
      } catch {
        guard error.isUnreadableMedium else { throw error }
        failure = error
      }
    }
    throw failure
  }

  /// Reads whole sectors.
  ///
  /// - Returns: Where, from the beginning of `range` on, those are that have no right copy.
  private func readSectors(
    at address: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) -> [Int] {
    let places = places(at: address, range.count)
    guard let first = places.first else { throw missing(address, range.count) }
    let expected = try expected(at: address, count: range.count / sector)
    var pending: [Int]
    do throws(BlockIOError) {
      try nodes.source.read(at: first, into: buffer, range)
      pending = wrong(buffer, range, expected)
    } catch {
      guard error.isUnreadableMedium, places.count > 1 else { throw error }
      pending = Array(stride(from: 0, to: range.count, by: sector))
    }
    var failure: BlockIOError?
    for place in places.dropFirst() {
      var wrong: [Int] = []
      for offset in pending {
        let part = range.lowerBound + offset..<range.lowerBound + offset + sector
        do throws(BlockIOError) {
          try nodes.source.read(at: place + UInt64(offset), into: buffer, part)
          if !isRight(buffer, part, expected, offset / sector) { wrong.append(offset) }
        } catch {
          guard error.isUnreadableMedium else { throw error }
          failure = error
          wrong.append(offset)
        }
      }
      pending = wrong
    }
    if let failure, !pending.isEmpty { throw failure }
    return pending
  }

  private func wrong(_ buffer: IOBuffer, _ range: Range<Int>, _ expected: Expected) -> [Int] {
    stride(from: 0, to: range.count, by: sector).filter { offset in
      let part = range.lowerBound + offset..<range.lowerBound + offset + sector
      return !isRight(buffer, part, expected, offset / sector)
    }
  }

  private func isRight(
    _ buffer: IOBuffer, _ range: Range<Int>, _ expected: Expected, _ index: Int
  ) -> Bool {
    guard expected.isKnown[index] else { return true }
    let kind = nodes.superblock.checksum
    let start = index * kind.byteCount
    return buffer.withBytes(range) { bytes in
      kind.isRight(
        expected.bytes.span.extracting(start..<start + kind.byteCount), for: bytes)
    }
  }

  // MARK: - Checksums

  /// The checksums of consecutive sectors, and which of them are known.
  private struct Expected {
    var bytes: [UInt8]
    var isKnown: [Bool]
  }

  private func expected(
    at address: UInt64, count: Int
  ) throws(BlockIOError) -> Expected {
    let size = nodes.superblock.checksum.byteCount
    var expected = Expected(
      bytes: [UInt8](repeating: 0, count: count * size),
      isKnown: [Bool](repeating: false, count: count))
    let first = BtrfsKey(
      object: Self.checksumObject, type: BtrfsKey.dataChecksums, offset: address)
    let last = BtrfsKey(
      object: Self.checksumObject, type: BtrfsKey.dataChecksums,
      offset: address + UInt64(count * sector - 1))
    var losses = BtrfsLosses()
    do throws(FileSystemError) {
      for tree in checksums {
        try tree.forEachLeaf(first...last, isFloorIncluded: true, losses: &losses) { leaf, items in
          for index in items { add(leaf, index, at: address, count: count, to: &expected) }
          return true
        }
      }
    } catch {
      if case .io(let error) = error { throw error }
    }
    return expected
  }

  private func add(
    _ leaf: BtrfsNode, _ index: Int, at address: UInt64, count: Int, to expected: inout Expected
  ) {
    let key = leaf.key(at: index)
    guard key.object == Self.checksumObject, key.type == BtrfsKey.dataChecksums else { return }
    let item = leaf.item(at: index)
    let size = nodes.superblock.checksum.byteCount
    let (skipped, target): (UInt64, UInt64) =
      key.offset < address
      ? ((address - key.offset) / UInt64(sector), 0)
      : (0, (key.offset - address) / UInt64(sector))
    let itemCount = UInt64(item.count / size)
    guard skipped < itemCount, target < UInt64(count) else { return }
    let used = Int(min(itemCount - skipped, UInt64(count) - target))
    let start = item.lowerBound + Int(skipped) * size
    expected.bytes.replaceSubrange(
      Int(target) * size..<(Int(target) + used) * size,
      with: leaf.bytes[start..<start + used * size])
    for index in Int(target)..<Int(target) + used { expected.isKnown[index] = true }
  }

  // MARK: - Places

  /// The places of bytes in the source, each copy of them.
  func places(at address: UInt64, _ count: Int) -> [UInt64] {
    nodes.places(of: address, count: UInt64(count))
  }

  private func missing(_ address: UInt64, _ count: Int) -> BlockIOError {
    let bytes = address..<address + UInt64(count)
    return BlockIOError(nodes.source.name, .read, .missing("another device", bytes), at: bytes)
  }
}
