@testable import BlockIO
import SystemPackage
import TestSupport
import Testing

/// Data is shared where that is possible and worth it, and the end is as if it had been copied.
@Suite struct ExtentClonerTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func extent(_ source: UInt64, _ target: UInt64, _ byteCount: UInt64) -> CopyExtent {
    CopyExtent(sourceOffset: source, targetOffset: target, byteCount: byteCount)
  }

  @Test func `there is none where nothing can be shared`() throws {
    let bytes = pattern(1 << 17)
    let source = try FileSource(path: FilePath(directory.write(bytes, to: "source")))
    let target = try FileTarget(path: FilePath(directory.write(bytes, to: "target")))
    #expect(ExtentCloner(from: FaultySource(bytes), to: target) == nil)
    #expect(ExtentCloner(from: source, to: VolatileTarget(bytes)) == nil)
    #expect(ExtentCloner(from: target, to: target) == nil)
    let away = try FileSource(path: FilePath("/proc/self/exe"))
    if away.identity.device != target.identity.device {
      #expect(ExtentCloner(from: away, to: target) == nil)
    }
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `there is none for a block device`() throws {
    let loop = try LoopDevice(over: directory.write(pattern(1 << 17), to: "disk"))
    let file = try FileSource(path: FilePath(directory.write(pattern(1 << 17), to: "source")))
    #expect(ExtentCloner(from: file, to: try FileTarget(path: FilePath(loop.path))) == nil)
    withExtendedLifetime(loop) {}
  }

  // MARK: - Where files can share

  private static let content = pattern(1 << 20)
  private static let unavailable = Comment(rawValue: SharingFileSystem.unavailable)

  @Test(.enabled(if: SharingFileSystem.isAvailable, unavailable))
  func `whole blocks of both files are shared, and few of them are not`() throws {
    let disk = try SharingFileSystem()
    let source = try FileSource(path: FilePath(disk.write(Self.content, to: "source")))
    let target = try FileTarget(path: FilePath(disk.write(Self.content, to: "target")))
    let cloner = try #require(ExtentCloner(from: source, to: target))
    #expect(cloner.shareablePart(of: extent(0, 8192, 65_536)) == extent(0, 8192, 65_536))
    #expect(cloner.shareablePart(of: extent(0, 0, 65_535)) == nil)
    #expect(cloner.shareablePart(of: extent(0, 512, 1 << 19)) == nil)
    #expect(cloner.shareablePart(of: extent(512, 4608, 69_632)) == extent(4096, 8192, 65_536))
    #expect(cloner.shareablePart(of: extent(512, 512, 65_536)) == nil)
    #expect(cloner.shareablePart(of: extent(4096, 0, 70_000)) == extent(4096, 0, 69_632))
    // What lies at an odd place of a file may be in order as a part of it, and the reverse.
    let slice = try SliceSource(source, 512..<UInt64(1 << 20))
    let shifted = try #require(ExtentCloner(from: slice, to: target))
    #expect(shifted.shareablePart(of: extent(0, 512, 1 << 19)) == extent(3584, 4096, 520_192))
    #expect(shifted.shareablePart(of: extent(0, 0, 1 << 19)) == nil)
    #expect(shifted.clone(extent(3584, 4096, 65_536)))
    #expect(try target.bytes(at: 4096, count: 65_536) == pattern(65_536, from: 4096))
    #expect(!cloner.clone(extent(1 << 20, 0, 65_536)))
    withExtendedLifetime(disk) {}
  }

  @Test(.enabled(if: SharingFileSystem.isAvailable, unavailable))
  func `a copy of any extents shares what it can and ends the same`() throws {
    let disk = try SharingFileSystem()
    for seed in UInt64(1)...8 {
      var random = SplitMix64(seed: seed)
      let unit = [512, 4096, 4096, 65_536].randomElement(using: &random) ?? 512
      let bytes = Array(Self.content.dropFirst(Int(seed)) + Self.content.prefix(Int(seed)))
      let source = try FileSource(path: FilePath(disk.write(bytes, to: "source-\(seed)")))
      var expected = Array(Self.content.reversed())
      let path = try disk.write(expected, to: "target-\(seed)")
      var (extents, position, shared) = ([CopyExtent](), random.below(9) * unit, 0)
      let target = try FileTarget(path: FilePath(path))
      let cloner = try #require(ExtentCloner(from: source, to: target))
      while position < 600 << 10 {
        let count = (1 + random.below(random.oneIn(2) ? 2 : 200_000 / unit + 1)) * unit
        let start = random.below(((1 << 20) - count) / unit) * unit
        let extent = extent(UInt64(start), UInt64(position), UInt64(count))
        shared += Int(cloner.shareablePart(of: extent)?.byteCount ?? 0)
        extents.append(extent)
        expected.replaceSubrange(position..<position + count, with: bytes[start..<start + count])
        position += count + random.below(5) * unit
      }
      let work = extents.shuffled(using: &random)
      let outcome = try ExtentCopier(from: source, to: target, windowByteCount: 1 << 16).copy(
        { (copy) throws(BlockIOError) in
          for extent in work { try copy(extent) }
        }, progress: { _ in true })
      try target.flush()
      #expect(!outcome.isStopped)
      #expect(try target.allBytes().firstDifference(from: expected) == nil, "seed \(seed)")
      #expect(try SharingFileSystem.sharedByteCount(of: path) == shared, "seed \(seed)")
      // What is written later to one of the two is not seen in the other.
      try target.write(at: 0, from: IOBuffer(byteCount: 600 << 10), 0..<600 << 10)
      #expect(try source.allBytes() == bytes)
    }
    withExtendedLifetime(disk) {}
  }

  @Test(.enabled(if: SharingFileSystem.isAvailable, unavailable))
  func `what is to be read is not shared`() throws {
    let disk = try SharingFileSystem()
    let source = try FileSource(path: FilePath(disk.write(pattern(1 << 18), to: "source")))
    let path = try disk.write([UInt8](repeating: 0, count: 1 << 18), to: "target")
    let target = try FileTarget(path: FilePath(path))
    let whole = extent(0, 0, 1 << 18)
    _ = try ExtentCopier(from: source, to: target, sharesUnread: false).copy(
      { (copy) throws(BlockIOError) in try copy(whole) }, progress: { _ in true })
    #expect(try target.allBytes() == pattern(1 << 18))
    #expect(try SharingFileSystem.sharedByteCount(of: path) == 0)
    withExtendedLifetime(disk) {}
  }
}
