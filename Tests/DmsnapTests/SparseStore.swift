import TestSupport

/// A large store that costs little: its table is whole, and of its data there is one line a chunk.
struct SparseStore {
  let path: String

  /// A store of 4 KiB chunks with exceptions for those old chunks, as Linux would make them.
  init(copying olds: [UInt64], in directory: TemporaryDirectory, as name: String) throws {
    let perArea = 256
    var pieces: [(at: UInt64, bytes: [UInt8])] = [
      (0, [0x7041_6e53, 1, 1, 8].flatMap { UInt32($0).littleEndianBytes })
    ]
    let areaCount = olds.count / perArea + 1
    for area in 0..<areaCount {
      var table: [UInt8] = []
      for position in area * perArea..<min((area + 1) * perArea, olds.count) {
        let new = UInt64(position + area + 2)
        table += olds[position].littleEndianBytes + new.littleEndianBytes
        pieces.append((new * 4096, Array("chunk \(olds[position]) new\n".utf8)))
      }
      pieces.append((UInt64(1 + area * (perArea + 1)) * 4096, table))
    }
    let chunkCount = UInt64(olds.count + areaCount + 1)
    path = try directory.write(sparse: chunkCount * 4096, pieces, to: name)
  }
}
