import BlockIO
import FileSystemFormat

/// Bytes that are put into a block of an image.
struct Patch {
  /// Counts the blocks that hold anything, and from their last to the first again.
  let block: Int
  let byteOffset: Int
  let bytes: ArraySlice<UInt8>
}

/// Takes an input for patches: two bytes say which block, two where in it, one how many bytes, and
/// the bytes follow.
struct PatchReader {
  private let input: [UInt8]
  private var position = 0

  init(_ input: [UInt8]) { self.input = input }

  mutating func next() -> Patch? {
    guard position + 6 <= input.count else { return nil }
    let header = input[position..<position + 5].map { Int($0) }
    let start = position + 5
    position = min(start + header[4] % 32 + 1, input.count)
    return Patch(
      block: header[0] | header[1] << 8,
      byteOffset: (header[2] | header[3] << 8) % BaseImage.blockByteCount,
      bytes: input[start..<position])
  }
}

/// The blocks of an image that are patched.
struct Patches {
  let base: BaseImage
  private(set) var blocks: [Int: [UInt8]] = [:]

  init(_ base: BaseImage) { self.base = base }

  mutating func apply(_ patch: Patch) {
    let number = base.blocks[patch.block % base.blocks.count]
    for (index, byte) in zip(patch.byteOffset..<BaseImage.blockByteCount, patch.bytes) {
      blocks[number, default: base.block(number)][index] = byte
    }
  }

  /// Makes the checksums of all that was patched right.
  mutating func repairChecksums() {
    for number in blocks.keys.sorted() {
      switch base.checksums {
      case .none: return
      case .xfs(let geometry):
        for sector in stride(from: 0, to: BaseImage.blockByteCount, by: 512) {
          seal(number, sector, geometry)
        }
      case .btrfs(let identifier, let nodeByteCount):
        if number == 16 {
          seal(16, blockCount: 1)
        } else {
          let count = max(1, nodeByteCount / BaseImage.blockByteCount)
          let first = number / count * count
          if block(first)[32..<48].elementsEqual(identifier) { seal(first, blockCount: count) }
        }
      }
    }
  }

  private func block(_ number: Int) -> [UInt8] { blocks[number] ?? base.block(number) }

  /// Seals the structure of XFS that begins at a sector of a block, if there is one.
  private mutating func seal(_ number: Int, _ sector: Int, _ geometry: XFSGeometry) {
    let count = BaseImage.blockByteCount
    let bytes = block(number)[sector...] + [UInt8](repeating: 0, count: 512)
    guard
      let found = XFSBlock(beginning: Array(bytes.prefix(512)).span, of: geometry),
      case let blockCount = (sector + found.byteCount + count - 1) / count,
      number + blockCount <= base.bytes.count / count
    else { return }
    var all = (number..<number + blockCount).flatMap { block($0) }
    var whole = Array(all[sector..<sector + found.byteCount])
    found.seal(&whole, lsn: found.lsn ?? 0)
    all.replaceSubrange(sector..<sector + found.byteCount, with: whole)
    put(all, at: number)
  }

  /// Seals a node of btrfs, or its superblock.
  private mutating func seal(_ number: Int, blockCount: Int) {
    guard number + blockCount <= base.bytes.count / BaseImage.blockByteCount else { return }
    var all = (number..<number + blockCount).flatMap { block($0) }
    var checksum = CRC32C()
    checksum.add(all.span.extracting(32..<all.count))
    for index in 0..<4 {
      all[index] = UInt8(truncatingIfNeeded: checksum.inverted >> UInt32(8 * index))
    }
    put(all, at: number)
  }

  private mutating func put(_ bytes: [UInt8], at number: Int) {
    let count = BaseImage.blockByteCount
    for index in 0..<bytes.count / count {
      let part = Array(bytes[index * count..<(index + 1) * count])
      if part != block(number + index) { blocks[number + index] = part }
    }
  }
}

/// An image with patches.
final class PatchedSource: BlockSource {
  let name = "patched"
  private let patches: Patches

  init(_ patches: Patches) { self.patches = patches }

  var byteCount: UInt64 { UInt64(patches.base.bytes.count) }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let start = Int(try checkBounds(at: byteOffset, count: range.count).lowerBound)
    let (base, block) = (patches.base.bytes, BaseImage.blockByteCount)
    buffer.withMutableBytes(range) { target in
      for index in target.indices { target[index] = base[start + index] }
      for (number, bytes) in patches.blocks {
        let part = (number * block..<(number + 1) * block).clamped(to: start..<start + range.count)
        for position in part { target[position - start] = bytes[position - number * block] }
      }
    }
  }
}
