import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport

/// A merge with its two disks, whose power can fail.
struct MergeRig {
  let store: [UInt8]
  let power: PowerSupply
  let origin: VolatileTarget
  let undo: VolatileTarget?

  /// A merge of `store` into `origin`, with an undo store if there are bytes for it.
  init(
    _ store: [UInt8], into origin: [UInt8], undo: [UInt8]?, operationCountMax: Int = .max
  ) {
    self.store = store
    power = PowerSupply(operationCountMax: operationCountMax)
    self.origin = VolatileTarget(origin, name: "origin.img", power: power)
    self.undo = undo.map { [power] in VolatileTarget($0, name: "undo.cow", power: power) }
  }

  /// The zeroes that a new undo store of that merge begins with.
  static func emptyUndo(of store: [UInt8], into origin: [UInt8]) throws -> [UInt8] {
    let view = try SnapshotView(store, over: FaultySource(origin))
    return [UInt8](repeating: 0, count: Int(UndoStore.byteCount(for: view)))
  }

  /// Does what `dmsnap merge` does.
  @discardableResult
  func merge(isNew: Bool = true, verify: Bool = true) throws -> Merger.Outcome {
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    let view = SnapshotView(of: origin, through: loaded.table, of: loaded.store.source)
    if let obstacle = try loaded.mergeObstacle(originByteCount: origin.byteCount) {
      throw MergeError.kernelWouldFail(store: "store", obstacle)
    }
    try UndoStore.check(loaded.store, belongsTo: origin, through: view)
    let undoStore = try undo.map {
      try UndoStore(of: view, over: origin, in: $0, isNew: isNew)
    }
    return try Merger(view, of: loaded.store.source, into: origin)
      .merge(undo: undoStore, verify: verify) { _, _ in }
  }

  /// The state in the manifest of an undo store, or nil if it has none.
  static func state(of undo: [UInt8]) -> UndoManifest.State? {
    UndoManifest(FaultySource(undo))?.state
  }
}
