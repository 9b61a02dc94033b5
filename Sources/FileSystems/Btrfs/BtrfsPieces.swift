internal import BlockIO
internal import Compression
internal import FileSystemFormat

/// Consecutive bytes of a file, and where they are.
struct BtrfsPiece: Sendable {
  enum Place: Sendable {
    /// In the tree, with the bytes of the source that they lie in, compressed or not.
    case inline([UInt8], at: Range<UInt64>?, Compression?)
    /// At a logical address, as they are.
    case data(UInt64)
    /// Reserved at a logical address.
    case preallocated(UInt64)
    /// Compressed.
    case compressed(BtrfsCompressedExtent)
    /// Not to be found or read, for that reason.
    case lost(String)
  }

  let file: Range<UInt64>
  let place: Place
}

/// A compressed extent, and where in it, decompressed, the bytes of a file begin.
struct BtrfsCompressedExtent: Sendable {
  let method: Compression
  let address: UInt64
  let diskByteCount: UInt64
  let byteCount: UInt64
  let offset: UInt64
}

/// Puts together where a file is.
struct BtrfsPieces {
  /// The longest compressed extent, before and after; Linux writes 128 KiB.
  private static let compressedByteCountMax: UInt64 = 1 << 20
  /// The longest file.
  private static let fileByteCountMax = UInt64(Int64.max)

  private let nodes: BtrfsNodeReader
  private let name: String
  private(set) var pieces: [BtrfsPiece] = []
  private(set) var damage: [FileSystemDamage] = []
  /// The bytes of the source that the inode's items take, each copy.
  private(set) var structures: [Range<UInt64>] = []

  /// Reads the items of an inode.
  init(
    of inode: Inode, in tree: BtrfsTree, name: String
  ) throws(FileSystemError) {
    (nodes, self.name) = (tree.nodes, name)
    let number = inode.id.number
    var losses = BtrfsLosses()
    let first = BtrfsKey(object: number, type: 0, offset: 0)
    let last = BtrfsKey(object: number, type: .max, offset: .max)
    let isFile = inode.kind == .regular || inode.kind == .link
    try tree.forEachLeaf(first...last, losses: &losses) { leaf, items in
      addStructure(leaf, items)
      for index in items where isFile && leaf.key(at: index).type == BtrfsKey.fileExtent {
        add(leaf, index)
      }
      return true
    }
    damage += losses.damage
    if isFile { add(losses, byteCount: min(inode.byteCount, Self.fileByteCountMax), number) }
  }

  private mutating func addStructure(_ leaf: BtrfsNode, _ items: Range<Int>) {
    let bytes =
      leaf.item(at: items.upperBound - 1).lowerBound..<leaf.item(at: items.lowerBound).upperBound
    for place in nodes.places(of: leaf.header.address, count: UInt64(leaf.bytes.count)) {
      structures.append(place + UInt64(bytes.lowerBound)..<place + UInt64(bytes.upperBound))
    }
  }

  private mutating func add(_ leaf: BtrfsNode, _ index: Int) {
    let item = leaf.item(at: index)
    let start = leaf.key(at: index).offset
    guard let extent = BtrfsFileExtent(decoding: leaf.bytes.span.extracting(item)) else {
      return say("an extent is not whole")
    }
    guard start <= Self.fileByteCountMax, extent.byteCount <= Self.fileByteCountMax - start,
      start >= pieces.last?.file.upperBound ?? 0
    else { return say("an extent is where none can be") }
    if extent.isHole || extent.byteCount == 0 { return }
    pieces.append(
      BtrfsPiece(
        file: start..<start + extent.byteCount, place: place(of: extent, leaf, item)))
  }

  private mutating func place(
    of extent: BtrfsFileExtent, _ leaf: BtrfsNode, _ item: Range<Int>
  ) -> BtrfsPiece.Place {
    let methods: [Compression?] = [nil, .zlib, .lzo, .zstd]
    guard !extent.isEncoded, extent.compression < methods.count else {
      return lost("an extent is encoded in an unknown way")
    }
    let method = methods[Int(extent.compression)]
    if let method, !method.isSupported {
      say("compressed by \(method.rawValue), which this build does not decompress")
    }
    switch extent.kind {
    case .inline:
      let place = nodes.places(of: leaf.header.address, count: UInt64(leaf.bytes.count)).first
      let data = item.lowerBound + BtrfsFileExtent.inlineOffset..<item.upperBound
      guard extent.byteCount <= Self.compressedByteCountMax else {
        return lost("an inline extent is too long")
      }
      return .inline(
        Array(leaf.bytes[data]),
        at: place.map { $0 + UInt64(data.lowerBound)..<$0 + UInt64(data.upperBound) }, method)
    case .preallocated: return inExtent(extent) ? .preallocated(start(of: extent)) : outside()
    case .regular: break
    }
    guard let method else {
      return inExtent(extent) ? .data(start(of: extent)) : outside()
    }
    let byteCount = extent.decompressedByteCount
    guard extent.diskByteCount <= Self.compressedByteCountMax,
      byteCount <= Self.compressedByteCountMax, extent.extentOffset <= byteCount,
      extent.byteCount <= byteCount - extent.extentOffset
    else { return lost("a compressed extent is too long") }
    guard isHere(extent.address, extent.diskByteCount) else { return outside() }
    return .compressed(
      BtrfsCompressedExtent(
        method: method, address: extent.address, diskByteCount: extent.diskByteCount,
        byteCount: byteCount, offset: extent.extentOffset))
  }

  private func start(of extent: BtrfsFileExtent) -> UInt64 { extent.address + extent.extentOffset }

  /// Whether the bytes are within their extent, and that is on this device.
  private func inExtent(_ extent: BtrfsFileExtent) -> Bool {
    extent.extentOffset <= extent.diskByteCount
      && extent.byteCount <= extent.diskByteCount - extent.extentOffset
      && isHere(extent.address, extent.diskByteCount)
  }

  private func isHere(_ address: UInt64, _ count: UInt64) -> Bool {
    !nodes.places(of: address, count: count).isEmpty
  }

  private mutating func outside() -> BtrfsPiece.Place {
    lost("an extent is on another device, in a profile that is not supported, or nowhere")
  }

  private mutating func lost(_ problem: String) -> BtrfsPiece.Place {
    say(problem)
    return .lost(problem)
  }

  private mutating func say(_ problem: String) {
    damage.append(FileSystemDamage("\(name): \(problem)"))
  }

  /// Adds the items that may be in leaves that could not be read.
  private mutating func add(_ losses: BtrfsLosses, byteCount: UInt64, _ number: UInt64) {
    var lost: [BtrfsPiece] = []
    for loss in losses.losses {
      let start = loss.start.map { Self.offset($0, of: number, byteCount) } ?? 0
      let end = loss.end.map { Self.offset($0, of: number, byteCount) } ?? byteCount
      let next = pieces.index(endingAfter: start)
      let isInside = next < pieces.count && pieces[next].file.lowerBound <= start
      let first = isInside ? pieces[next].file.upperBound : start
      let following = isInside ? next + 1 : next
      let last = following < pieces.count ? min(end, pieces[following].file.lowerBound) : end
      if first < last {
        lost.append(BtrfsPiece(file: first..<last, place: .lost(loss.damage.problem)))
      }
    }
    if lost.isEmpty { return }
    pieces = (pieces + lost).sorted { $0.file.lowerBound < $1.file.lowerBound }
  }

  /// Up to where in the file a key leads.
  private static func offset(
    _ key: BtrfsKey, of number: UInt64, _ byteCount: UInt64
  ) -> UInt64 {
    let extents = BtrfsKey(object: number, type: BtrfsKey.fileExtent, offset: 0)
    if key < extents { return 0 }
    return (key.object, key.type) == (number, extents.type) ? min(key.offset, byteCount) : byteCount
  }
}

extension [BtrfsPiece] {
  /// The index of the first piece that ends after that byte of the file.
  func index(endingAfter byteOffset: UInt64) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = low + (high - low) / 2
      if self[middle].file.upperBound > byteOffset { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
