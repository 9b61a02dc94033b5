package import BlockIO

/// Identifies the content of a source, with libblkid.
///
/// Nothing is ever written: inputs are read through a descriptor that is open for reading only.
///
/// A file, a device, or a part of one is probed in place. Of anything else, such as a snapshot's
/// view, and of a device that libblkid cannot or will not read, an excerpt is made in memory: the
/// first 4.25 MiB and last 2 MiB, the logical partitions' records, and the structures of FAT32,
/// exFAT and NTFS that are elsewhere. An excerpt does not show
///
/// - the label of HFS+ whose catalog is outside, and of FAT32 and exFAT if it is not in the first
///   64 KiB of the root directory
/// - DDF RAID members whose header is outside, UDF whose descriptors are
/// - BSD, Minix, Solaris and UnixWare tables inside a partition of a DOS table
///
/// A GPT is found with sectors of 512 and of 4096 bytes; not in an image that was cut before the
/// end of its partitions, where libblkid does not accept it.
package enum Probe {
  /// The version of libblkid.
  package static var libraryVersion: String { LibraryProbe.libraryVersion }

  /// Identifies `source`, or the bytes `range` of it, and the content of its partitions.
  ///
  /// All signatures are listed. Places are counted from the beginning of the probed range.
  /// Unreadable bytes are treated as zeroes, and listed in the result.
  ///
  /// - Throws: If `range` is not within the source, if the source fails in other ways than bad
  ///   sectors, or if there is no memory.
  package static func identify(
    _ source: any BlockSource, range: Range<UInt64>? = nil
  ) throws(BlkidError) -> Identity {
    var part = source
    if let range {
      part = try wrapping(BlkidError.source, try SliceSource(source, range))
    }
    var identity = try identifyItself(part)
    guard var table = identity.partitionTable else { return identity }
    for (index, partition) in table.partitions.enumerated() where !partition.isExtended {
      table.partitions[index].content = try content(of: partition, in: part)
    }
    identity.partitionTable = table
    return identity
  }

  /// The content of a partition, or of as much of it as there is.
  private static func content(
    of partition: Partition, in source: any BlockSource
  ) throws(BlkidError) -> Identity? {
    guard partition.byteOffset < source.byteCount else { return nil }
    let room = source.byteCount - partition.byteOffset
    let end = partition.byteOffset + min(partition.byteCount, room)
    let slice = try wrapping(
      BlkidError.source, try SliceSource(source, partition.byteOffset..<end))
    return try identifyItself(slice)
  }

  /// The content of a source, without looking into partitions.
  private static func identifyItself(_ source: any BlockSource) throws(BlkidError) -> Identity {
    guard source.byteCount > 0 else { return Identity() }  // an error to libblkid
    let backing = FileBacking(of: source)
    // A device knows its sector size; an image does not.
    var sectorByteCounts = [512, 4096]
    if let backing, backing.isBlockDevice { sectorByteCounts = [backing.logicalBlockByteCount] }
    if let backing, let (identity, hasFailed) = identify(backing, sectorByteCounts), !hasFailed,
      // libblkid ignores devices that LVM hides, COW stores among them.
      !(backing.isBlockDevice && identity.isEmpty)
    {
      return identity
    }
    let excerpt = try wrapping(BlkidError.source, try Excerpt(of: source))
    guard let copy = FileBacking(of: excerpt.file),
      var (identity, _) = identify(copy, sectorByteCounts)
    else { throw .library(name: source.name) }
    identity.unreadable = excerpt.unreadable
    return identity
  }

  /// libblkid's result, and whether it failed to look for something; nil if it refuses.
  private static func identify(
    _ backing: FileBacking, _ sectorByteCounts: [Int]
  ) -> (Identity, hasFailed: Bool)? {
    backing.withDescriptor { descriptor in
      guard let probe = LibraryProbe(descriptor: descriptor, range: backing.range) else {
        return nil
      }
      let (signatures, hasFailed) = probe.signatures()
      var identity = Identity(signatures: signatures)
      identity.partitionTable = partitionTable(probe, sectorByteCounts)
      // The 55AA at the end of a boot sector does not make it a table.
      if let table = identity.partitionTable, table.type == "dos", table.partitions.isEmpty,
        !signatures.isEmpty
      {
        identity.partitionTable = nil
      }
      return (identity, hasFailed)
    } ?? nil
  }

  /// The table found with one of those sector sizes, of which the first is the likeliest.
  private static func partitionTable(
    _ probe: borrowing LibraryProbe, _ sectorByteCounts: [Int]
  ) -> PartitionTable? {
    let table = sectorByteCounts.first.flatMap { probe.partitionTable(sectorByteCount: $0) }
    // "PMBR" protects a GPT that is not where it was expected.
    guard table == nil || table?.type == "PMBR" else { return table }
    for sectorByteCount in sectorByteCounts.dropFirst() {
      let other = probe.partitionTable(sectorByteCount: sectorByteCount)
      if let other, other.type == "gpt" { return other }
    }
    return table
  }
}
