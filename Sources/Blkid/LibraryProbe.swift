internal import CBlkid

/// A probe of libblkid over a part of an open file.
///
/// The only code in this module that is `unsafe` or calls libblkid. It cannot write: the library's
/// wiping functions are never called, and it is lent no descriptor that is open for writing.
@safe
struct LibraryProbe: ~Copyable {
  // More than there are types, in case the library never says "no more".
  private static let signatureCountMax = 512

  private let probe: blkid_probe

  /// A probe of the bytes `range`, of which there is at least one; nil if libblkid refuses.
  init?(descriptor: CInt, range: Range<UInt64>) {
    guard let start = Int64(exactly: range.lowerBound),
      let byteCount = Int64(exactly: range.upperBound - range.lowerBound),
      let probe = unsafe blkid_new_probe()
    else { return nil }
    guard unsafe blkid_probe_set_device(probe, descriptor, start, byteCount) == 0 else {
      unsafe blkid_free_probe(probe)
      return nil
    }
    unsafe self.probe = probe
  }

  deinit { unsafe blkid_free_probe(probe) }

  /// The version of the library that is loaded, which need not be the one that was built with.
  static var libraryVersion: String {
    var version: UnsafePointer<CChar>?
    _ = unsafe blkid_get_library_version(&version, nil)
    return unsafe text(version) ?? "unknown"
  }

  /// All signatures, and whether libblkid failed to look for some of them.
  func signatures() -> (found: [Signature], hasFailed: Bool) {
    let wanted =
      BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID
      | BLKID_SUBLKS_VERSION | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM
    unsafe blkid_probe_enable_superblocks(probe, 1)
    unsafe blkid_probe_set_superblocks_flags(probe, wanted)
    var found: [Signature] = []
    var hasFailed = false
    // The "safe" probe wants one answer and gives none if there are two; this one goes from type to
    // type. After a failure it has moved on too.
    for _ in 0..<Self.signatureCountMax {
      let status = unsafe blkid_do_probe(probe)
      if status > 0 { break }
      if status < 0 { hasFailed = true }
      if status == 0, let signature = currentSignature { found.append(signature) }
    }
    return (found, hasFailed)
  }

  private var currentSignature: Signature? {
    guard let type = value("TYPE") else { return nil }
    return Signature(
      type: type, usage: value("USAGE").flatMap(Signature.Usage.init) ?? .unknown,
      label: value("LABEL"), uuid: value("UUID"), version: value("VERSION"),
      byteOffset: value("SBMAGIC_OFFSET").flatMap { UInt64($0) },
      hasBadChecksum: value("SBBADCSUM") != nil)
  }

  private func value(_ name: String) -> String? {
    var data: UnsafePointer<CChar>?
    guard unsafe blkid_probe_lookup_value(probe, name, &data, nil) == 0 else { return nil }
    return unsafe text(data)
  }

  /// The partition table, if there is one, when the disk's sectors are of that size.
  func partitionTable(sectorByteCount: Int) -> PartitionTable? {
    unsafe blkid_probe_set_sectorsize(probe, UInt32(sectorByteCount))
    guard let list = unsafe blkid_probe_get_partitions(probe),
      let table = unsafe blkid_partlist_get_table(list),
      let type = unsafe text(blkid_parttable_get_type(table))
    else { return emptyTable(sectorByteCount: sectorByteCount) }
    let partitions = unsafe (0..<max(0, blkid_partlist_numof_partitions(list))).compactMap {
      unsafe blkid_partlist_get_partition(list, $0).map(Self.partition)
    }
    return PartitionTable(
      type: type, identifier: unsafe text(blkid_parttable_get_id(table)),
      sectorByteCount: sectorByteCount, partitions: partitions)
  }

  /// A table that libblkid names but that has no partitions: "PMBR", which protects a lost GPT.
  private func emptyTable(sectorByteCount: Int) -> PartitionTable? {
    unsafe blkid_probe_enable_superblocks(probe, 0)
    unsafe blkid_probe_enable_partitions(probe, 1)
    defer { unsafe blkid_reset_probe(probe) }
    guard unsafe blkid_do_probe(probe) == 0 else { return nil }
    return value("PTTYPE").map { PartitionTable(type: $0, sectorByteCount: sectorByteCount) }
  }

  private static func partition(_ partition: blkid_partition) -> Partition {
    let number = unsafe blkid_partition_get_type(partition)
    return unsafe Partition(
      number: Int(blkid_partition_get_partno(partition)),
      byteOffset: byteCount(ofSectors: blkid_partition_get_start(partition)),
      byteCount: byteCount(ofSectors: blkid_partition_get_size(partition)),
      type: text(blkid_partition_get_type_string(partition))
        ?? "0x\(String(UInt32(bitPattern: number), radix: 16))",
      name: text(blkid_partition_get_name(partition)),
      uuid: text(blkid_partition_get_uuid(partition)),
      isExtended: blkid_partition_is_extended(partition) != 0)
  }

  /// Sectors of 512 bytes, which libblkid always counts in; the number comes from a disk.
  private static func byteCount(ofSectors count: blkid_loff_t) -> UInt64 {
    let (product, overflow) = UInt64(max(count, 0)).multipliedReportingOverflow(by: 512)
    return overflow ? .max : product
  }
}

/// A string of libblkid's; invalid UTF-8 is replaced, and an empty string is nil.
private func text(_ string: UnsafePointer<CChar>?) -> String? {
  guard let string = unsafe string else { return nil }
  let text = unsafe String(cString: string)
  return text.isEmpty ? nil : text
}
