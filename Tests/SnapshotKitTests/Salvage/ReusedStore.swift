import BlockIO
@testable import SnapshotKit
import TestSupport

extension StoreBuilder {
  /// The bytes of an older store, or of anything, after Linux has used their space for this one.
  ///
  /// It writes chunk 0, clears area 0, and clears area a + 1 when area a fills. It touches no other
  /// chunk but those that it copies data to.
  func image(over older: [UInt8]) -> [UInt8] {
    let own = sized(older.count / chunkByteCount).image()
    var bytes = older
    func take(_ chunk: Int) {
      let range = chunk * chunkByteCount..<(chunk + 1) * chunkByteCount
      if range.upperBound <= bytes.count { bytes.put(Array(own[range]), at: range.lowerBound) }
    }
    take(0)
    for area in 0...exceptions.count / exceptionsPerArea { take(chunk(ofArea: area)) }
    for exception in exceptions { take(Int(exception.new)) }
    return bytes
  }

  /// One above the highest chunk that the table uses.
  var nextFree: UInt64 { exceptions.map(\.new).max().map { $0 + 1 } ?? 2 }

  /// The exceptions of the areas behind those that a newer table cleared, and whose chunks neither
  /// it nor those between have used.
  func survivors(of newer: StoreBuilder...) -> [Exception] {
    let cleared = newer.map { $0.exceptions.count / exceptionsPerArea }.max() ?? -1
    let used = newer.map(\.nextFree).max() ?? 2
    return exceptions.dropFirst((cleared + 1) * exceptionsPerArea).filter { $0.new >= used }
  }
}

extension Generation {
  /// Its exceptions one by one, in table order.
  var exceptions: [StoreBuilder.Exception] {
    runs.flatMap { run in
      (0..<run.count).map { StoreBuilder.Exception(run.old + $0, run.new + $0) }
    }
  }

  /// Its findings' codes.
  var codes: [FindingCode] { findings.map(\.code) }

  /// The finding of a kind.
  func finding(_ code: FindingCode) -> Finding? { findings.first { $0.code == code } }
}

extension SalvagePlan {
  /// The plan of a store of those bytes.
  init(_ bytes: [UInt8], unreadable: [Range<UInt64>] = []) throws(StoreError) {
    try self.init(Store(FaultySource(bytes, name: "store.img", unreadable: unreadable)))
  }

  /// The exceptions of all generations.
  var exceptions: Set<StoreBuilder.Exception> { Set(generations.flatMap(\.exceptions)) }
}
