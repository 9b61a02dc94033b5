#if TSK
  internal import BlockIO

  /// The chains of clusters of a FAT or exFAT file system.
  ///
  /// libtsk takes a time that grows with the square of a file's fragments; this reads a chain once,
  /// and keeps nothing of one that leads back to itself.
  struct ClusterChains: Sendable {
    private static let (pageByteCount, pageCountMax) = (4096, 1024)

    private let source: any BlockSource
    private let blockByteCount: UInt64
    private let blocksPerCluster: UInt64
    private let clusterCount: UInt64
    /// The byte where the table begins, and the block where the first cluster does.
    private let tableOffset, firstBlock: UInt64
    /// The number of bits in an entry of the table, and the number of those that count.
    private let entryBitCount, valueBitCount: UInt64

    /// The chains of a file system; nil if its first sector makes no sense.
    init?(
      _ source: any BlockSource, _ family: TSKFamily, blockByteCount: UInt64
    ) throws(BlockIOError) {
      guard source.byteCount >= 512 else { return nil }
      let buffer = IOBuffer(byteCount: 512)
      try source.read(at: 0, into: buffer, 0..<512)
      let boot = buffer.bytes(0..<512)
      func number(_ place: Int, _ count: Int) -> UInt64 {
        boot[place..<place + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      }
      (self.source, self.blockByteCount) = (source, blockByteCount)
      switch family {
      case .exFAT:
        guard boot[108] < 13, boot[109] < 26, 1 << boot[108] == blockByteCount else { return nil }
        blocksPerCluster = 1 << boot[109]
        tableOffset = number(80, 4) * blockByteCount
        (firstBlock, clusterCount) = (number(88, 4), number(92, 4))
        (entryBitCount, valueBitCount) = (32, 32)
      case .fat12, .fat16, .fat32:
        blocksPerCluster = UInt64(boot[13])
        guard number(11, 2) == blockByteCount, blocksPerCluster > 0 else { return nil }
        let (short, total) = (number(22, 2), number(19, 2))
        let tables = UInt64(boot[16]) * (short > 0 ? short : number(36, 4))
        let root = (number(17, 2) * 32 + blockByteCount - 1) / blockByteCount
        tableOffset = number(14, 2) * blockByteCount
        firstBlock = number(14, 2) + tables + root
        let blockCount = total > 0 ? total : number(32, 4)
        guard blockCount > firstBlock else { return nil }
        clusterCount = (blockCount - firstBlock) / blocksPerCluster
        entryBitCount = [.fat12: 12, .fat16: 16][family] ?? 32
        valueBitCount = min(entryBitCount, 28)
      case .ntfs, .iso9660, .hfsPlus: return nil
      }
    }

    /// The places of a file: runs of blocks, up to where its chain ends or leads back to itself.
    func runs(from first: UInt64, byteCount: UInt64) throws(BlockIOError) -> [TSKRun] {
      let clusterByteCount = blocksPerCluster * blockByteCount
      var left = byteCount / clusterByteCount + (byteCount % clusterByteCount > 0 ? 1 : 0)
      var runs: [TSKRun] = []
      var pages: [UInt64: [UInt8]] = [:]
      var (cluster, offset): (UInt64, UInt64) = (first, 0)
      // The chain is compared with a place in it that moves on when the way has doubled (Brent).
      var (mark, markedAt, step): (UInt64, UInt64, UInt64) = (first, 1, 0)
      while left > 0, cluster >= 2, cluster - 2 < clusterCount {
        let address = firstBlock + (cluster - 2) * blocksPerCluster
        if let last = runs.last, last.address + last.count == address {
          runs[runs.count - 1] = TSKRun(
            offset: last.offset, address: last.address, count: last.count + blocksPerCluster,
            kind: .data)
        } else {
          runs.append(
            TSKRun(offset: offset, address: address, count: blocksPerCluster, kind: .data))
        }
        offset += blocksPerCluster
        left -= 1
        if left == 0 { break }
        cluster = try next(after: cluster, &pages)
        if cluster == mark { break }
        step += 1
        if step == markedAt { (mark, markedAt, step) = (cluster, markedAt * 2, 0) }
      }
      return runs
    }

    /// The table's entry for a cluster.
    private func next(
      after cluster: UInt64, _ pages: inout [UInt64: [UInt8]]
    ) throws(BlockIOError) -> UInt64 {
      let bit = cluster * entryBitCount
      let place = tableOffset + bit / 8
      var value: UInt64 = 0
      for index in 0..<(entryBitCount + 7) / 8 {
        value |= UInt64(try byte(at: place + index, &pages)) << (index * 8)
      }
      return (value >> (bit % 8)) & (1 << valueBitCount - 1)
    }

    private func byte(
      at place: UInt64, _ pages: inout [UInt64: [UInt8]]
    ) throws(BlockIOError) -> UInt8 {
      let (number, within) = place.quotientAndRemainder(dividingBy: UInt64(Self.pageByteCount))
      if let page = pages[number] { return Int(within) < page.count ? page[Int(within)] : 0 }
      if pages.count == Self.pageCountMax { pages = [:] }
      let start = number * UInt64(Self.pageByteCount)
      let count = start < source.byteCount ? min(4096, source.byteCount - start) : 0
      let buffer = IOBuffer(byteCount: Self.pageByteCount)
      if count > 0 { try source.read(at: start, into: buffer, 0..<Int(count)) }
      pages[number] = buffer.bytes(0..<Int(count))
      return Int(within) < Int(count) ? buffer.bytes(Int(within)..<Int(within) + 1)[0] : 0
    }
  }
#endif
