import BlockIO
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// An export is the view, byte for byte, whatever it goes to; what is zero stays a hole.
@Suite struct ExporterTests {
  /// A sink that keeps what it gets.
  private final class MemorySink: ExportSink {
    private(set) var bytes: [UInt8] = []
    private(set) var dataByteCount = 0

    func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
      bytes += buffer.bytes(range)
      dataByteCount += range.count
    }

    func appendZeroes(byteCount: UInt64) throws(BlockIOError) {
      bytes += [UInt8](repeating: 0, count: Int(byteCount))
    }
  }

  @Test(arguments: UInt64(1)...150)
  func `an export of an odd store is its view`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    let reference = ReferenceDecoder(made.store)
    guard reference.verdict == .loads else { return }
    let view = try SnapshotView(made.store, over: FaultySource(made.origin))
    let sink = MemorySink()
    let lost = try Exporter(view).export(to: sink) { _, _ in }
    let (bytes, unreadable) = reference.view(of: made.origin)
    #expect(sink.bytes.firstDifference(from: bytes) == nil)
    #expect(lost.ranges == unreadable)
  }

  @Test(arguments: [0, 1, 511, 512, 513, 5000])
  func `an origin of any length is exported whole`(byteCount: Int) throws {
    let origin = Stamp.origin(byteCount: byteCount)
    let view = try SnapshotView(StoreBuilder().image(), over: FaultySource(origin))
    let sink = MemorySink()
    #expect(try Exporter(view).export(to: sink) { _, _ in }.isEmpty)
    #expect(sink.bytes == origin)
  }

  @Test func `holes and blocks of zeroes are zeroes to the sink, larger than any window`() throws {
    let size = 5 << 20
    let store = StoreBuilder(chunkSectors: 8).copying([700]).image()
    let origin = FaultySource(
      byteCount: UInt64(size) + 512,
      pieces: [
        ((1 << 20) - 512, [UInt8](repeating: 7, count: 1024)), (UInt64(size) + 511, [9]),
        (2 << 20, [UInt8](repeating: 0, count: 64 << 10)),
      ])
    let view = try SnapshotView(store, over: origin)
    let sink = MemorySink()
    var steps: [UInt64] = []
    _ = try Exporter(view).export(to: sink) { done, total in
      steps.append(done)
      #expect(total == view.byteCount)
    }
    let expected = try view.readAll().bytes
    #expect(sink.bytes.firstDifference(from: expected) == nil)
    #expect(sink.dataByteCount <= 4 * 4096)
    #expect(steps == steps.sorted() && steps.last == view.byteCount)
  }

  @Test func `bad sectors cost 512 bytes each, and are zero in the image`() throws {
    let origin = FaultySource(Stamp.origin(byteCount: 40 * 512), unreadable: [5000..<5001])
    let view = try SnapshotView(StoreBuilder(chunkSectors: 1).image(), over: origin)
    let sink = MemorySink()
    let lost = try Exporter(view).export(to: sink) { _, _ in }
    #expect(lost == [LostRange(4608..<5120, .originUnreadable)])
    #expect(sink.bytes[4608..<5120].allSatisfy { $0 == 0 })
    #expect(Array(sink.bytes[5120...]) == Array(Stamp.origin(byteCount: 40 * 512)[5120...]))
  }

  @Test func `a new file has the view's bytes, and holes where they are zero`() throws {
    let directory = try TemporaryDirectory()
    let store = StoreBuilder(chunkSectors: 8).copying([0, 300]).image()
    let origin = try directory.write(
      sparse: 2 << 20, [(at: 1 << 20, bytes: Stamp.origin(byteCount: 4096))], to: "origin.img")
    let source = try FileSource(path: FilePath(origin))
    let storeFile = try FileSource(path: FilePath(try directory.write(store, to: "store.cow")))
    let loaded = try LoadedTable(Store(storeFile), reading: .kernel)
    let view = SnapshotView(of: source, through: loaded.table, of: storeFile)
    let path = FilePath(directory.path("image.img"))
    let output = try OutputFile(path: path, byteCount: view.byteCount)
    let lost = try Exporter(view).export(
      to: output, origin: source, store: storeFile
    ) { _, _ in }
    try output.publish()
    #expect(lost.isEmpty)
    let image = try FileSource(path: path)
    #expect(try image.allBytes().firstDifference(from: try view.readAll().bytes) == nil)
    var data: UInt64 = 0
    var position: UInt64 = 0
    while let range = try image.nextData(from: position) {
      (data, position) = (data + UInt64(range.count), range.upperBound)
    }
    #expect(data <= 3 * 65536, "the file is not sparse: \(data) bytes of data")
  }

  @Test func `a sink that fails stops the export`() throws {
    final class FullSink: ExportSink {
      func append(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
        throw BlockIOError("full", .write, .system(.noSpace))
      }
      func appendZeroes(byteCount: UInt64) throws(BlockIOError) {}
    }
    let view = try SnapshotView(
      StoreBuilder().image(), over: FaultySource(Stamp.origin(byteCount: 4096)))
    #expect(throws: BlockIOError.self) { try Exporter(view).export(to: FullSink()) { _, _ in } }
  }
}
