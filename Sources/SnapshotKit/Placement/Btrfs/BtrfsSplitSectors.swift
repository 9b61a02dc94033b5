internal import BlockIO
internal import FileSystemFormat

/// Finds data whose sectors are longer than a chunk of the store.
///
/// A sector is written as a whole, and so its chunks were copied one after the other. Looked up is
/// the checksum of so many orphans in a row.
struct BtrfsSplitSectors {
  private let image: BtrfsImage
  /// The number of chunks in a sector.
  private let chunkCount: Int
  /// The first of orphans in a row, and the register that they lead to, ascending by the register.
  private var rows: [(register: UInt32, first: Int)] = []
  /// The register of a sector of zeroes.
  private let seed: UInt32

  init(_ image: BtrfsImage) {
    self.image = image
    let layout = image.layout
    chunkCount = layout.sectorByteCount / layout.chunkByteCount
    seed = CRC32CShift(byteCount: layout.sectorByteCount)(~0)
    guard chunkCount > 1, image.orphans.count >= chunkCount else { return }
    for first in 0...image.orphans.count - chunkCount {
      let row = first..<first + chunkCount
      guard let start = image.position(of: first), let end = image.position(of: row.last ?? first),
        end - start == UInt64(chunkCount - 1),
        row.allSatisfy({ image.orphans.reasons[$0] != .leaked })
      else { continue }
      rows.append((layout.register(of: row.map { image.orphans.register(of: $0) }), first))
    }
    rows.sort { ($0.register, $0.first) < ($1.register, $1.first) }
  }

  /// Looks at checksums of consecutive sectors, and places orphans that have them.
  func look(
    at checksums: [UInt32], from logical: UInt64, _ map: BtrfsChunkMap,
    _ strength: Evidence.Strength
  ) throws(BlockIOError) {
    let layout = image.layout
    let sector = UInt64(layout.sectorByteCount)
    if rows.isEmpty { return }
    for (index, checksum) in checksums.enumerated() {
      let register = ~checksum ^ seed
      let start = rows.partitioningIndex { $0.register >= register }
      guard start < rows.count, rows[start].register == register,
        let chunk = map.index(containing: logical + UInt64(index) * sector)
      else { continue }
      let places = map.chunks[chunk].places(
        of: logical + UInt64(index) * sector, count: sector, on: layout.device)
      for place in places where image.offsetInChunk(place) == 0 {
        try fill(place, register, from: start, strength)
      }
    }
  }

  /// Places the chunks of a sector, unless the image has it.
  private func fill(
    _ place: UInt64, _ register: UInt32, from start: Int, _ strength: Evidence.Strength
  ) throws(BlockIOError) {
    let size = image.layout.sectorByteCount
    guard image.contains(place, count: size) else { return }
    let old = image.chunk(at: place)
    guard (0..<chunkCount).allSatisfy({ image.isOpen(old + UInt64($0)) }) else { return }
    if let bytes = try image.read(place, count: size) {
      var checksum = CRC32C(register: 0)
      checksum.add(bytes.span)
      if checksum.register == register { return }
    }
    let matches = rows[start...].prefix { $0.register == register }.map {
      $0.first..<$0.first + chunkCount
    }
    let contents = Set(matches.map { $0.map { image.orphans.register(of: $0) } })
    guard contents.count == 1 else { return }
    for row in matches {
      if row.allSatisfy({ !image.isPlaced($0) }) {
        for orphan in row {
          image.place(orphan, at: old + UInt64(orphan - row.lowerBound), .btrfsData, strength)
        }
        return
      }
    }
  }
}
