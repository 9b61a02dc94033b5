import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport

extension Store {
  /// The store of those bytes.
  init(_ bytes: [UInt8]) { self.init(FaultySource(bytes, name: "store.img")) }
}

extension StoreBuilder {
  /// What Linux makes of it; for builders whose store loads.
  func loaded(_ reading: Reading = .kernel) throws -> LoadedTable {
    try LoadedTable(Store(image()), reading: reading)
  }
}

extension Reading {
  /// The kernel that reads so, for the reference.
  var kernel: ReferenceDecoder.Kernel { self == .kernel ? .linux61 : .linux612 }
}

extension SnapshotView {
  /// The snapshot of an origin through a store that Linux loads.
  convenience init(
    _ store: [UInt8], over origin: any BlockSource, reading: Reading = .kernel
  ) throws {
    let loaded = try LoadedTable(Store(store), reading: reading)
    self.init(of: origin, through: loaded.table, of: loaded.store.source)
  }

  /// All its bytes, zeroes for what is lost, and what that is.
  func readAll() throws -> (bytes: [UInt8], lost: [LostRange]) {
    let buffer = IOBuffer(byteCount: Int(byteCount))
    var lost: [LostRange] = []
    try read(0..<byteCount, into: buffer, lost: &lost)
    return (buffer.bytes(0..<buffer.byteCount), lost)
  }
}

extension [LostRange] {
  /// The ranges alone, touching ones as one.
  var ranges: [Range<UInt64>] {
    reduce(into: []) { ranges, lost in
      if let last = ranges.last, last.upperBound == lost.range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<lost.range.upperBound
      } else {
        ranges.append(lost.range)
      }
    }
  }
}
