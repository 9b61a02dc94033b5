internal import SnapshotFormat

/// The kernel's hash table of exceptions, where it decides the mapping of a chunk.
///
/// Exceptions are hashed by `old >> 8`: the 256 chunks of a window share a bucket, and consecutive
/// ones of a window are packed into one entry whose top byte counts them. A chunk is looked up only
/// in its own bucket, and the first entry that covers it wins. That matters only if a table has
/// duplicates or top bytes; otherwise each chunk has one exception.
///
/// - Source: Linux `drivers/md/dm-snap.c`, `dm_insert_exception`, `dm_lookup_exception`,
///   `init_hash_tables`; `drivers/md/dm-exception-store.h`, `dm_consecutive_chunk_count`.
struct KernelBuckets {
  static let windowShift: UInt64 = 8
  private static let bucketCountMin: UInt64 = 64

  private let mask: UInt64

  /// The buckets that a kernel makes for a store of that geometry.
  ///
  /// The kernel uses the chunk size of the table line, which a store does not record; here it is
  /// the header's.
  init(_ geometry: StoreGeometry, _ reading: Reading) {
    // Two MiB of list heads: 8 bytes each until 6.11, 16 with a lock beside each since 6.12.
    let countMax: UInt64 = reading == .kernel612 ? 131_072 : 262_144
    let wanted = min(geometry.wholeChunkCount, countMax)
    let powerOfTwo = wanted == 0 ? 0 : UInt64(1) << UInt64(63 - wanted.leadingZeroBitCount)
    mask = max(powerOfTwo, Self.bucketCountMin) - 1
  }

  /// The number of the bucket in which a chunk is looked up.
  func bucket(of oldChunk: UInt64) -> UInt64 { (oldChunk >> Self.windowShift) & mask }
}

/// One bucket's list, built and reduced as the kernel does it.
struct KernelBucket {
  /// An entry of the list: `new` has the count of further chunks in its top byte.
  struct Entry {
    var old: UInt64
    var new: UInt64

    var number: UInt64 { new & DiskException.chunkNumberMask }
    var furtherCount: UInt64 { new >> DiskException.chunkNumberBits }
    /// The kernel does not check for overflow.
    var lastOld: UInt64 { old &+ furtherCount }
  }

  /// A reason to give up: a kernel would crash, or it would take too long.
  enum Failure: Error {
    /// A run grew past 256 chunks: BUG_ON in `dm_consecutive_chunk_count_inc`.
    case kernelCrash(oldChunk: UInt64)
    /// The bucket is longer than ``entryCountMax``.
    case tooLong(oldChunk: UInt64)
  }

  /// A reason why an exception cannot be removed after its merge; the kernel says "Merge failed"
  /// then.
  enum RemovalFailure: Error {
    /// It is on disk but not in memory.
    case missing
    /// It is in the middle of a longer entry.
    case middleOfRange(Entry)
    /// The entry's count was carried away: BUG_ON in `dm_consecutive_chunk_count_dec`.
    case kernelCrash
  }

  /// The maximum length of a list: a sound window has at most 256 exceptions.
  ///
  /// Lists are walked from the head for each insertion, so the work is bounded by the square of
  /// this.
  static let entryCountMax = 1 << 15

  private(set) var entries: [Entry] = []
  private let addsLastAtHead: Bool

  /// An empty bucket of the kernel that `reading` names.
  init(_ reading: Reading) { addsLastAtHead = reading == .kernel612 }

  /// Inserts an exception as read from disk, with its top byte.
  mutating func insert(old: UInt64, new: UInt64) throws(Failure) {
    guard entries.count < Self.entryCountMax else { throw .tooLong(oldChunk: old) }
    for index in entries.indices {
      let entry = entries[index]
      if old == entry.lastOld &+ 1, new == entry.number &+ entry.furtherCount &+ 1 {
        try lengthen(at: index)
        return
      }
      if old == entry.old &- 1, new == entry.number &- 1 {
        try lengthen(at: index)
        entries[index].old &-= 1
        entries[index].new &-= 1
        return
      }
      if old < entry.old {
        entries.insert(Entry(old: old, new: new), at: index)
        return
      }
    }
    // No larger chunk in the list: after the last until 6.11, at the head since 6.12.
    entries.insert(Entry(old: old, new: new), at: addsLastAtHead ? 0 : entries.count)
  }

  private mutating func lengthen(at index: Int) throws(Failure) {
    guard entries[index].furtherCount < 255 else {
      throw .kernelCrash(oldChunk: entries[index].old)
    }
    entries[index].new &+= 1 << DiskException.chunkNumberBits
  }

  /// Removes one chunk after its merge.
  mutating func remove(old: UInt64) throws(RemovalFailure) {
    guard let index = entries.firstIndex(where: { $0.old <= old && old <= $0.lastOld }) else {
      throw .missing
    }
    let entry = entries[index]
    if entry.furtherCount == 0 {
      entries.remove(at: index)
      return
    }
    if old == entry.old {
      entries[index].old &+= 1
      entries[index].new &+= 1
    } else if old != entry.lastOld {
      throw .middleOfRange(entry)
    }
    guard entries[index].furtherCount > 0 else { throw .kernelCrash }
    entries[index].new &-= 1 << DiskException.chunkNumberBits
  }

  /// The mappings of this bucket's chunks; the first entry that covers a chunk wins; ascending
  /// within a window.
  func runs() -> [ExceptionRun] {
    var windows: [UInt64: [UInt64]] = [:]  // the new chunk of each of 256 chunks; 2^64 - 1: none
    for entry in entries where entry.old <= entry.lastOld {
      let window = entry.old >> KernelBuckets.windowShift
      var numbers = windows[window] ?? [UInt64](repeating: .max, count: 256)
      // A run that extends into the next window is not found there: that is another bucket.
      let last = min(entry.lastOld, window << KernelBuckets.windowShift | 255)
      for old in entry.old...last where numbers[Int(old & 255)] == .max {
        numbers[Int(old & 255)] = entry.number &+ (old - entry.old)
      }
      windows[window] = numbers
    }
    var runs: [ExceptionRun] = []
    for (window, numbers) in windows {
      for (index, new) in numbers.enumerated() where new != .max {
        let old = window << KernelBuckets.windowShift | UInt64(index)
        let last = runs.count - 1
        if last >= 0, runs[last].extend(old: old, new: new) { continue }
        runs.append(ExceptionRun(old: old, new: new, count: 1))
      }
    }
    return runs
  }
}
