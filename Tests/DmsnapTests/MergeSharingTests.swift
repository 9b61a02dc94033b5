import Foundation
import TestSupport
import Testing

/// Where files can share data, a merge shares it, and ends in the bytes that copying ends in.
@Suite(
  .enabled(if: SharingFileSystem.isAvailable, Comment(rawValue: SharingFileSystem.unavailable)))
struct MergeSharingTests {
  private let dmsnap = ToolRunner.dmsnap

  /// A store, the length of its origin, and whether there is anything to share.
  struct Shape: Sendable, CustomTestStringConvertible {
    let chunkSectors: Int
    let olds: [Int]
    let originByteCount: Int
    let isShared: Bool

    var testDescription: String { "chunks of \(chunkSectors) sectors, shared: \(isShared)" }
  }

  private static let shapes = [
    Shape(
      chunkSectors: 256, olds: [3, 4, 9, 0, 14, 13], originByteCount: 16 << 17, isShared: true),
    // Runs of small chunks are shared as one; what is short or lies at odd places is copied.
    Shape(
      chunkSectors: 8, olds: Array(10..<60) + [100, 80, 5] + Array(200..<220),
      originByteCount: 1 << 20, isShared: true),
    // The run begins and ends within blocks of the file system, and the origin ends within a chunk.
    Shape(
      chunkSectors: 4, olds: [3] + Array(9..<99) + Array(301...305),
      originByteCount: 305 * 2048 + 512 + 77, isShared: true),
    Shape(chunkSectors: 256, olds: [3, 4], originByteCount: (4 << 17) + 5 * 512, isShared: true),
    Shape(chunkSectors: 1, olds: Array(0..<400), originByteCount: 1 << 18, isShared: false),
  ]

  @Test(arguments: shapes)
  func `merge, undo, undoing and images are what copying makes of them`(shape: Shape) throws {
    let disk = try SharingFileSystem()
    let store = try disk.write(
      StoreBuilder(chunkSectors: shape.chunkSectors).copying(shape.olds).image(), to: "store")
    let before = Stamp.origin(byteCount: shape.originByteCount)
    let origin = try disk.write(before, to: "origin")
    let kept = try Files.bytes(store)
    let merged = ReferenceDecoder(kept).view(of: before).bytes

    for command in ["merge", "export"] {
      let image = "\(disk.path)/image"
      try dmsnap.succeed([command, store, "--origin", origin, "--to", image])
      #expect(try Files.bytes(image).firstDifference(from: merged) == nil)
      #expect(try SharingFileSystem.sharedByteCount(of: image) > 0)
      try FileManager.default.removeItem(atPath: image)
    }

    let (undo, redo) = ("\(disk.path)/undo", "\(disk.path)/redo")
    let there = try dmsnap.run(["merge", store, "--origin", origin, "--undo", undo, "--verify"])
    #expect(there.status == 0 && there.errors.isEmpty, "\(there)")
    #expect(try Files.bytes(origin).firstDifference(from: merged) == nil)
    #expect(try (SharingFileSystem.sharedByteCount(of: origin) > 0) == shape.isShared)
    #expect(ReferenceDecoder(try Files.bytes(undo)).merge(into: merged) == before)

    let back = try dmsnap.run(["merge", undo, "--origin", origin, "--undo", redo])
    #expect(back.status == 0 && back.errors.isEmpty, "\(back)")
    #expect(try Files.bytes(origin).firstDifference(from: before) == nil)
    let again = try dmsnap.run(["merge", redo, "--origin", origin, "--no-undo"])
    #expect(again.status == 0 && again.errors.isEmpty, "\(again)")
    #expect(try Files.bytes(origin).firstDifference(from: merged) == nil)

    // What the origin and its stores share is nobody's to change.
    let stores = try [undo, redo].map { try Files.sha256($0) }
    try Files.overwrite(origin, at: 0, [UInt8](repeating: 7, count: before.count))
    #expect(try Files.bytes(store).firstDifference(from: kept) == nil)
    #expect(try [undo, redo].map { try Files.sha256($0) } == stores)
    withExtendedLifetime(disk) {}
  }

  @Test func `a merge with undo takes no more room than it changes`() throws {
    let disk = try SharingFileSystem()
    let store = try disk.write(
      StoreBuilder(chunkSectors: 256).copying(0..<80).image(), to: "store")
    let before = Stamp.origin(byteCount: 80 << 17)
    let origin = try disk.write(before, to: "origin")
    let undo = "\(disk.path)/undo"
    // To copy them would take 10 MiB, and 10 MiB again.
    try disk.fill(leaving: 5 << 20)
    let outcome = try dmsnap.run(["merge", store, "--origin", origin, "--undo", undo])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try dmsnap.run(["merge", undo, "--origin", origin, "--no-undo"]).status == 0)
    #expect(try Files.bytes(origin).firstDifference(from: before) == nil)
    withExtendedLifetime(disk) {}
  }

  /// Which sectors can be read is known when they are read.
  @Test func `what a salvage merges is read and copied`() throws {
    let disk = try SharingFileSystem()
    let store = try disk.write(
      StoreBuilder(chunkSectors: 256).copying([3, 4, 9]).image(.headerZeroed), to: "store")
    let origin = try disk.write(Stamp.origin(byteCount: 16 << 17), to: "origin")
    let outcome = try dmsnap.run(
      ["merge", store, "--origin", origin, "--no-undo", "--reading", "salvage"])
    #expect(outcome.status == 0 || outcome.status == 2, "\(outcome)")
    #expect(try SharingFileSystem.sharedByteCount(of: origin) == 0)
    withExtendedLifetime(disk) {}
  }
}
