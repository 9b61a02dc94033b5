import BlockIO
import SnapshotFormat
import SnapshotKit

/// A store of which an input has the header and the areas, and this makes up all else.
///
/// Data chunks are most of a store and hardly matter to anything. Without them an input of a few
/// KiB has sixteen areas, and each byte of it that is changed is one that is looked at.
///
/// The input begins with 32 bytes, ``Recipe``; the areas follow, one behind the other.
final class CompactStore: BlockSource {
  /// What the first bytes of an input say.
  struct Recipe {
    static let byteCount = 32

    /// Where in the input what stands.
    enum Field {
      static let layout = 16
      static let tail = 17
      static let cut = 18
      static let holes = 19
      static let unreadableStart = 20
      static let unreadableCount = 21
      static let originChunks = 22
      static let originRest = 23
      static let gapArea = 24
      static let gapSectors = 25
      static let extent = 26
    }

    /// The chunk size by which areas lie, whatever the header says: 1 to 16 sectors.
    let chunkSize: ChunkSize
    /// Whether the reader is told the chunk size.
    let saysChunkSize: Bool
    /// Whether the bytes behind are a store as it is, and no areas.
    let isRaw: Bool
    /// Of 255, how much of the span behind the last area is there.
    let tail: UInt64
    /// How many bytes are cut off the end.
    let cut: UInt64
    /// Which of eight chunks of data each are holes.
    let holes: UInt8
    /// Sectors of the areas that cannot be read.
    let unreadable: Range<Int>
    /// How long the origin is, if there is one.
    let originByteCount: UInt64?
    /// The area from which on everything comes so many sectors early, or late.
    let (gapArea, gapSectorCount): (UInt64, Int64)
    /// The kernel that is asked.
    let kernel: Reading
    /// Whether the store is read as a salvage reads it.
    let isSalvage: Bool
    /// Whether everything is done that can be, be it slow.
    let isThorough: Bool

    init(_ bytes: [UInt8]) {
      let layout = bytes[Field.layout]
      chunkSize = ChunkSize.all[Int(layout & 7) % 5]
      saysChunkSize = layout & 8 != 0
      isRaw = layout & 16 != 0
      isSalvage = layout & 64 != 0
      kernel = layout & 128 == 0 ? .kernel : .kernel612
      tail = UInt64(bytes[Field.tail])
      cut = UInt64(bytes[Field.cut]) * 2
      holes = bytes[Field.holes]
      let start = Int(bytes[Field.unreadableStart])
      unreadable = start..<start + Int(bytes[Field.unreadableCount])
      let size = UInt64(bytes[Field.originChunks]) * 4 * chunkSize.byteCount
      originByteCount =
        layout & 32 == 0 ? nil : size + UInt64(bytes[Field.originRest]) * 2
      gapArea = UInt64(bytes[Field.gapArea])
      gapSectorCount = Int64(Int8(bitPattern: bytes[Field.gapSectors]))
      isThorough = bytes[Field.extent] == 0
    }
  }

  let name = "store"
  let byteCount: UInt64
  private let recipe: Recipe
  private let input: [UInt8]
  private let chunkByteCount: UInt64
  private let stride: UInt64
  /// Where the gap is, in bytes.
  private let gapStart: UInt64

  /// The store that an input of ``Recipe/byteCount`` bytes at least is for.
  init(_ input: [UInt8], _ recipe: Recipe) {
    self.recipe = recipe
    self.input = input
    (chunkByteCount, stride) = (recipe.chunkSize.byteCount, recipe.chunkSize.areaStride)
    gapStart = (1 + recipe.gapArea * stride) * chunkByteCount
    let metadata = UInt64(input.count - Recipe.byteCount)
    let (areaCount, rest) = metadata.quotientAndRemainder(dividingBy: chunkByteCount)
    // Up to the end of the last area, which may be cut, or so much of the span behind it.
    let whole = (1 + areaCount * stride) * chunkByteCount
    let end =
      rest > 0
      ? whole + rest
      : whole - min(areaCount, 1) * (stride - 1) * chunkByteCount * (255 - recipe.tail) / 255
    let all = recipe.isRaw ? metadata : end
    byteCount = all - min(all, recipe.cut)
  }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    if !recipe.unreadable.isEmpty, let lost = knownUnreadable(in: bytes).first {
      throw BlockIOError(name, .read, .markedUnreadable(lost), at: bytes)
    }
    buffer.withMutableBytes(range) { target in
      unsafe target.withUnsafeMutableBytes { memory in
        var done = 0
        while done < memory.count {
          let room = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[done...])
          done += unsafe fill(room, from: byteOffset + UInt64(done))
        }
      }
    }
  }

  /// Puts bytes of one chunk in, and returns how many.
  ///
  /// By whole pieces, as every byte of every area is read a dozen times.
  private func fill(_ memory: UnsafeMutableRawBufferPointer, from position: UInt64) -> Int {
    let place = recipe.isRaw ? position : unshifted(position)
    let (chunk, within) =
      recipe.isRaw ? (stride + 1, place) : place.quotientAndRemainder(dividingBy: chunkByteCount)
    // A gap begins with an area, where a chunk begins.
    let room = recipe.isRaw ? memory.count : Int(min(UInt64(memory.count), chunkByteCount - within))
    var start = Recipe.byteCount + (recipe.isRaw ? 0 : Int(chunk / stride * chunkByteCount))
    var end = input.count
    var filling: UInt8 = 0
    if chunk == 0 {
      (start, end) = (0, 16)
    } else if chunk % stride != 1 {
      (start, end) = (0, 0)
      if recipe.holes >> UInt8(chunk % 8) & 1 == 0 { filling = UInt8(chunk & 255) | 1 }
    }
    start = min(start + Int(within), end)
    let count = min(room, end - start)
    unsafe input.withUnsafeBytes {
      unsafe memory.copyMemory(from: .init(rebasing: $0[start..<start + count]))
    }
    let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[count..<room])
    unsafe rest.initializeMemory(as: UInt8.self, repeating: filling)
    return room
  }

  /// Where a byte would be if nothing were missing or too much.
  private func unshifted(_ position: UInt64) -> UInt64 {
    if recipe.gapSectorCount == 0 || position < gapStart { return position }
    return UInt64(max(Int64(position) + recipe.gapSectorCount * 512, 0))
  }

  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    guard byteOffset < byteCount else { return nil }
    if recipe.isRaw || recipe.gapSectorCount != 0 { return byteOffset..<byteCount }
    var chunk = byteOffset / chunkByteCount
    while chunk % stride != 1, chunk > 0, recipe.holes >> UInt8(chunk % 8) & 1 != 0 { chunk += 1 }
    let start = max(chunk * chunkByteCount, byteOffset)
    let end = min((chunk + 1) * chunkByteCount, byteCount)
    return start < end ? start..<end : nil
  }

  func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    if recipe.unreadable.isEmpty || recipe.isRaw { return [] }
    var lost: [Range<UInt64>] = []
    let perArea = Int(chunkByteCount / 512)
    for sector in recipe.unreadable {
      let (area, within) = sector.quotientAndRemainder(dividingBy: perArea)
      let start = (1 + UInt64(area) * stride) * chunkByteCount + UInt64(within) * 512
      let bytes = (start..<start + 512).clamped(to: range).clamped(to: 0..<byteCount)
      if !bytes.isEmpty { lost.append(mergingInto: bytes) }
    }
    return lost
  }
}

extension [Range<UInt64>] {
  fileprivate mutating func append(mergingInto range: Range<UInt64>) {
    if let last, last.upperBound == range.lowerBound {
      self[count - 1] = last.lowerBound..<range.upperBound
    } else {
      append(range)
    }
  }
}

/// An origin of which only the length matters: its sectors are all alike.
final class PlainOrigin: BlockSource {
  let name = "origin"
  let byteCount: UInt64

  init(byteCount: UInt64) { self.byteCount = byteCount }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    _ = try checkBounds(at: byteOffset, count: range.count)
    buffer.zero(range)
  }

  func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    // Every other 64 KiB is a hole.
    let start = byteOffset % 131_072 < 65_536 ? byteOffset : (byteOffset / 131_072 + 1) * 131_072
    guard start < byteCount else { return nil }
    return start..<min((start / 131_072) * 131_072 + 65_536, byteCount)
  }
}
