import BlockIO
import Foundation
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// Whatever reads a store or an origin at length ends with an error where one of them is changed
/// meanwhile, at whichever moment that is.
@Suite struct ChangedInputTests {
  /// What is done to a file of 2 MiB.
  enum Change: CaseIterable, Sendable {
    case shorten, lengthen, lengthenWithData, fillHole, wipe

    func apply(to path: String) {
      // What does not work here shows in the test: nothing fails then.
      switch self {
      case .shorten: try? Files.truncate(path, to: 3 << 18)
      case .lengthen: try? Files.truncate(path, to: 9 << 18)
      case .lengthenWithData:
        try? Files.truncate(path, to: 9 << 18)
        try? Files.overwrite(path, at: 9 << 18 - 512, [UInt8](repeating: 7, count: 512))
      case .fillHole: try? Files.overwrite(path, at: 5 << 18, [UInt8](repeating: 7, count: 512))
      case .wipe: try? Files.overwrite(path, at: 0, [UInt8](repeating: 0, count: 8192))
      }
    }
  }

  private let directory: TemporaryDirectory
  private let original: (store: String, origin: String)

  init() throws {
    directory = try TemporaryDirectory()
    let store = StoreBuilder(chunkSectors: 8).copying(Array(0..<300)).image()
    let origin = Stamp.origin(byteCount: 65536)
    original = (
      try directory.write(sparse: 2 << 20, [(at: 0, bytes: store)], to: "store"),
      try directory.write(
        sparse: 2 << 20, [0, 2, 4, 6].map { (at: $0 << 18, bytes: origin) }, to: "origin")
    )
  }

  /// A fresh copy of a file, last written long ago, that will be changed so.
  private func changing(_ path: String, _ change: Change) throws -> ChangingSource {
    let copy = "\(path).changed"
    try? FileManager.default.removeItem(atPath: copy)
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    Files.age(copy)
    return ChangingSource(try FileSource(path: FilePath(copy))) { change.apply(to: copy) }
  }

  /// Does a job again and again, on a store and an origin of which one is changed one call later each
  /// time, until it ends before that; each time it must end with an error that says so.
  private func expectErrors(
    _ location: SourceLocation = #_sourceLocation,
    _ job: (LoadedTable, SnapshotView) throws -> Void
  ) throws {
    for change in Change.allCases {
      for isStore in [true, false] {
        var callCount = 0
        while true {
          let store = try changing(original.store, change)
          let origin = try changing(original.origin, change)
          let loaded = try LoadedTable(Store(store), reading: .kernel)
          let view = SnapshotView(of: origin, through: loaded.table, of: store)
          (isStore ? store : origin).arm(after: callCount)
          let error = Result { try job(loaded, view) }.failure
          guard (isStore ? store : origin).isChanged else { break }
          guard case .changed? = (error as? BlockIOError)?.reason else {
            let input = isStore ? "store" : "origin"
            Issue.record(
              "\(change) of the \(input), call \(callCount): \(String(describing: error))",
              sourceLocation: location)
            break
          }
          // Every early moment, and ever fewer of the later ones: a search makes thousands of calls.
          callCount += 1 + callCount / 3
        }
      }
    }
  }

  /// A sink that keeps nothing.
  private final class Drain: ExportSink {
    func append(_ buffer: IOBuffer, _ range: Range<Int>) {}
    func appendZeroes(byteCount: UInt64) {}
  }

  @Test func `an export to a stream`() throws {
    try expectErrors { _, view in
      _ = try Exporter(view).export(to: Drain()) { _, _ in }
    }
  }

  @Test func `an export to a file`() throws {
    let path = directory.path("image")
    try expectErrors { _, view in
      let output = try OutputFile(path: FilePath(path), byteCount: view.byteCount)
      _ = try Exporter(view).export(to: output, origin: view.origin, store: view.store) { _, _ in }
    }
  }

  @Test func `an export of a volume`() throws {
    let path = directory.path("image")
    try expectErrors { _, view in
      for source in [view.store, view.origin] {
        let output = try OutputFile(path: FilePath(path), byteCount: source.byteCount)
        _ = try Exporter.export(source, to: output) { _, _ in }
      }
    }
  }

  @Test func `a salvaged store`() throws {
    let path = directory.path("salvaged")
    try expectErrors { loaded, _ in
      let writer = StoreWriter(loaded)
      let output = try OutputFile(path: FilePath(path), byteCount: writer.byteCount)
      _ = try writer.write(to: output) { _, _ in }
    }
  }

  @Test func `a search for stores`() throws {
    try expectErrors { loaded, _ in _ = try Carver(loaded.store.source).carve { _, _ in } }
  }

  @Test func `a merge, whose store is changed`() throws {
    let path = try directory.copy(original.origin, to: "target")
    try expectErrors { loaded, view in
      let target = try FileTarget(path: FilePath(path))
      do throws(MergeError) {
        _ = try Merger(
          SnapshotView(of: target, through: view.table, of: view.store), of: view.store,
          into: target
        ).merge(undo: nil, verify: false)
      } catch {
        guard case .cut(let cut) = error, let cause = cut.cause else { throw error }
        throw cause
      }
    }
  }
}

extension Result {
  fileprivate var failure: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
