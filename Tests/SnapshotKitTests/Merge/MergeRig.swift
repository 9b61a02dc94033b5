import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport

/// A merge with its disks, to which all kinds of things can happen.
struct MergeRig {
  let power: PowerSupply
  let store: VolatileTarget
  let origin: VolatileTarget
  let undo: VolatileTarget?
  /// Small enough for a merge to take several windows.
  var windowByteCount = 8192

  /// A merge of `store` into `origin`, with an undo store if there are bytes for it.
  init(
    _ store: [UInt8], into origin: [UInt8], undo: [UInt8]?, operationCountMax: Int = .max
  ) {
    self.init(
      VolatileTarget(store, name: "store.img"), into: VolatileTarget(origin, name: "origin.img"),
      undo: undo.map { VolatileTarget($0, name: "undo.cow") },
      PowerSupply(.powerCut(afterOperations: operationCountMax)))
  }

  /// The same of disks as others left them, caches and all.
  init(
    _ store: VolatileTarget, into origin: VolatileTarget, undo: VolatileTarget?,
    _ power: PowerSupply = PowerSupply()
  ) {
    self.power = power
    self.store = VolatileTarget(store, power: power)
    self.origin = VolatileTarget(origin, power: power)
    self.undo = undo.map { VolatileTarget($0, power: power) }
  }

  /// The zeroes that a new undo store of that merge begins with.
  static func emptyUndo(of store: [UInt8], into origin: [UInt8]) throws -> [UInt8] {
    let view = try SnapshotView(store, over: FaultySource(origin))
    return [UInt8](repeating: 0, count: Int(UndoStore.byteCount(for: view)))
  }

  /// Does what `dmsnap merge` does.
  ///
  /// - Parameter isNew: Whether the undo store is; as `dmsnap merge` finds out itself, if not given.
  @discardableResult
  func merge(isNew: Bool? = nil, verify: Bool = true) throws -> MergeOutcome {
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    let view = SnapshotView(of: origin, through: loaded.table, of: store)
    if let obstacle = try loaded.mergeObstacle(originByteCount: origin.byteCount) {
      throw MergeError.refused(MergeRefusal(.kernelWouldFail, "store: \(obstacle)"))
    }
    try UndoStore.check(loaded.store, belongsTo: origin, through: view)
    let undoStore = try undo.map {
      let isNew = try isNew ?? Self.isNew($0)
      var undoStore = try UndoStore(of: view, over: origin, in: $0, isNew: isNew)
      undoStore.windowByteCount = windowByteCount
      return undoStore
    }
    var merger = Merger(view, of: store, into: origin)
    merger.windowByteCount = windowByteCount
    return try merger.merge(undo: undoStore, verify: verify)
  }

  /// Whether an undo file is to be written from its beginning: it has no manifest, and nothing else.
  private static func isNew(_ undo: VolatileTarget) throws -> Bool {
    if UndoManifest(undo) != nil { return false }
    guard try undo.allBytes().allSatisfy({ $0 == 0 }) else {
      throw MergeError.refused(
        MergeRefusal(.undoExists, "\(undo.name): exists, and is not an undo store"))
    }
    return true
  }

  /// The state in the manifest of an undo store, or nil if it has none.
  static func state(of undo: [UInt8]) -> UndoManifest.State? {
    UndoManifest(FaultySource(undo))?.state
  }
}

extension MergeError {
  /// What it was refused for; nil where it is something else.
  var refusal: MergeRefusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}
