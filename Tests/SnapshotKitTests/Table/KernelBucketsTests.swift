import SnapshotFormat
@testable import SnapshotKit
import Testing

/// Buckets and their lists are the kernel's: how many, which, and in which order.
@Suite struct KernelBucketsTests {
  /// Chunks of the store, and how many buckets Linux 6.1 makes for them.
  private static let counts: [(chunkCount: UInt64, bucketCount: UInt64)] = [
    (0, 64), (1, 64), (63, 64), (64, 64), (127, 64), (128, 128), (255, 128), (256, 256),
    (131_071, 65_536), (131_072, 131_072), (262_143, 131_072), (262_144, 262_144),
    (1 << 30, 262_144),
  ]

  @Test(arguments: counts, Reading.kernels)
  func `there is a power of two of buckets, 64 at the least and 2 MiB of them at the most`(
    counts: (chunkCount: UInt64, bucketCount: UInt64), reading: Reading
  ) throws {
    let chunkCount = counts.chunkCount
    let bucketCount = min(counts.bucketCount, reading == .kernel ? 262_144 : 131_072)
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: 8), byteCount: chunkCount * 4096)
    let buckets = KernelBuckets(geometry, reading)
    #expect(buckets.bucket(of: 255) == 0)
    #expect(buckets.bucket(of: 256) == 1)
    #expect(buckets.bucket(of: (bucketCount - 1) * 256 + 255) == bucketCount - 1)
    #expect(buckets.bucket(of: bucketCount * 256) == 0)
    #expect(buckets.bucket(of: .max) == bucketCount - 1)
  }

  private func bucket(
    _ reading: Reading = .kernel, _ pairs: (UInt64, UInt64)...
  ) throws -> KernelBucket {
    var bucket = KernelBucket(reading)
    for pair in pairs { try bucket.insert(old: pair.0, new: pair.1) }
    return bucket
  }

  private func text(_ bucket: KernelBucket) -> String {
    bucket.entries.map { "\($0.old)+\($0.furtherCount)→\($0.number)" }.joined(separator: " ")
  }

  @Test func `a list is packed at either end of an entry`() throws {
    #expect(text(try bucket(.kernel, (5, 2), (6, 3), (7, 4))) == "5+2→2")
    #expect(text(try bucket(.kernel, (7, 4), (6, 3), (5, 2))) == "5+2→2")
    #expect(text(try bucket(.kernel, (5, 2), (6, 4))) == "5+0→2 6+0→4")
  }

  @Test func `6.1 sorts, and puts what is not smaller behind its equals`() throws {
    #expect(text(try bucket(.kernel, (9, 2), (5, 3), (7, 4))) == "5+0→3 7+0→4 9+0→2")
    #expect(text(try bucket(.kernel, (5, 2), (5, 4), (5, 6))) == "5+0→2 5+0→4 5+0→6")
  }

  @Test func `6.12 puts what is not smaller than any other first`() throws {
    #expect(text(try bucket(.kernel612, (5, 2), (7, 4), (9, 7))) == "9+0→7 7+0→4 5+0→2")
    #expect(text(try bucket(.kernel612, (5, 2), (5, 4), (5, 6))) == "5+0→6 5+0→4 5+0→2")
    #expect(text(try bucket(.kernel612, (9, 2), (5, 4))) == "5+0→4 9+0→2")
  }

  @Test func `the first entry that covers a chunk wins`() throws {
    let runs = try bucket(.kernel, (10, 2), (11, 3), (12, 4), (11, 9)).runs()
    #expect(runs == [ExceptionRun(old: 10, new: 2, count: 3)])
  }

  @Test func `a top byte maps further chunks, up to the window's end`() throws {
    let short = try bucket(.kernel, (10, 2 << 56 | 2)).runs()
    #expect(short == [ExceptionRun(old: 10, new: 2, count: 3)])
    let cut = try bucket(.kernel, (250, 100 << 56 | 2)).runs()
    #expect(cut == [ExceptionRun(old: 250, new: 2, count: 6)])
  }

  @Test func `an entry whose last chunk wraps around covers nothing`() throws {
    #expect(try bucket(.kernel, (.max - 1, 5 << 56 | 2)).runs() == [])
  }

  @Test func `an entry of 256 chunks cannot grow`() throws {
    var bucket = try bucket(.kernel, (1, 255 << 56 | 3))
    #expect(throws: KernelBucket.Failure.self) { try bucket.insert(old: 0, new: 2) }
    #expect(throws: KernelBucket.Failure.self) { try bucket.insert(old: 257, new: 259) }
  }

  @Test func `a chunk is removed from either end of an entry`() throws {
    var bucket = try bucket(.kernel, (5, 2), (6, 3), (7, 4))
    try bucket.remove(old: 7)
    #expect(text(bucket) == "5+1→2")
    try bucket.remove(old: 5)
    #expect(text(bucket) == "6+0→3")
    try bucket.remove(old: 6)
    #expect(text(bucket) == "")
  }

  @Test func `a chunk cannot be removed from the middle, nor twice`() throws {
    var bucket = try bucket(.kernel, (5, 2), (6, 3), (7, 4))
    #expect(throws: KernelBucket.RemovalFailure.self) { try bucket.remove(old: 6) }
    #expect(text(bucket) == "5+2→2")
    #expect(throws: KernelBucket.RemovalFailure.self) { try bucket.remove(old: 8) }
  }

  /// Descending chunks of one bucket go to its front one by one, which costs a move of all others.
  @Test func `a list has an end, wherever it grows`() {
    var bucket = KernelBucket(.kernel)
    #expect(throws: KernelBucket.Failure.self) {
      for index in 0...UInt64(KernelBucket.entryCountMax) {
        try bucket.insert(old: (1 << 40) - index * 256 * 64, new: 2)
      }
    }
  }
}
