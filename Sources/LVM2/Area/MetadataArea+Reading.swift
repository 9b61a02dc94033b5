package import BlockIO

extension MetadataArea {
  /// Reads the text that the header names.
  ///
  /// If its checksum is wrong but it still describes a group, it is returned with the problem.
  ///
  /// - Throws: Errors other than a bad medium.
  package func committed() throws(BlockIOError) -> CommittedMetadata {
    guard let location = committedLocation else {
      return CommittedMetadata(version: nil, problems: problems)
    }
    guard let ranges = byteRanges(of: location) else {
      let problem = MetadataAreaProblem.textOutside(
        byteOffset: location.byteOffset, byteCount: location.byteCount)
      return CommittedMetadata(version: nil, problems: problems + [problem])
    }
    var problems = problems
    var bytes: [UInt8] = []
    var unreadable: [Range<UInt64>] = []
    for range in ranges { unreadable += try append(range, to: &bytes) }
    if !unreadable.isEmpty { problems.append(.unreadable(unreadable)) }
    let checksum = LVMChecksum(bytes).value
    if checksum != location.checksum {
      problems.append(.textChecksum(found: checksum, required: location.checksum))
    }
    let text = Array(bytes.prefix { $0 != 0 })
    do throws(MetadataTextError) {
      let version = MetadataVersion(
        volumeGroup: try VolumeGroup(parsing: text),
        byteOffset: ranges.first?.lowerBound ?? byteRange.lowerBound, isCommitted: true, text: text)
      return CommittedMetadata(version: version, problems: problems)
    } catch {
      return CommittedMetadata(version: nil, problems: problems + [.text(error)])
    }
  }

  /// Finds all texts that are left in the area, with or without its header.
  ///
  /// A text counts if it begins, ends, and describes a group. Older ones no longer have a checksum:
  /// if a power cut joined the beginning of one text to the end of an older one and the result is
  /// valid, that goes unnoticed.
  ///
  /// - Throws: Errors other than a bad medium.
  package func history() throws(BlockIOError) -> MetadataHistory {
    let committed = try committed()
    var problems = committed.problems
    var found: [MetadataVersion] = []
    var fragmentCount = 0
    let start = byteRange.lowerBound + UInt64(Self.headerByteCount)
    if byteRange.upperBound - byteRange.lowerBound > Self.searchedByteCountMax {
      problems.append(.tooLarge(byteCount: byteRange.upperBound - byteRange.lowerBound))
    } else if start < byteRange.upperBound {
      var bytes: [UInt8] = []
      let unreadable = try append(start..<byteRange.upperBound, to: &bytes)
      if !unreadable.isEmpty, !problems.contains(.unreadable(unreadable)) {
        problems.append(.unreadable(unreadable))
      }
      let starts = [committedLocation, precommittedLocation].compactMap { location in
        location.flatMap { byteRanges(of: $0)?.first.map { Int($0.lowerBound - start) } }
      }
      let ring = MetadataRing(bytes, knownStarts: starts)
      for text in ring.texts {
        guard let group = try? VolumeGroup(parsing: text.bytes) else { continue }
        let byteOffset = start + UInt64(text.start)
        let isCommitted =
          committed.version?.byteOffset == byteOffset && committed.version?.text == text.bytes
        found.append(
          MetadataVersion(
            volumeGroup: group, byteOffset: byteOffset, isCommitted: isCommitted, text: text.bytes))
      }
      fragmentCount = ring.traceCount - found.count
    }
    if let version = committed.version, !found.contains(where: \.isCommitted) {
      found.append(version)
    }
    return MetadataHistory(
      versions: Self.newestFirst(found), fragmentCount: fragmentCount, problems: problems)
  }

  /// The bytes of the device that a text has, in its order; nil if it does not fit.
  ///
  /// - Source: lvm2 `lib/format_text/format-text.c`, `_raw_read_mda_header()` and its callees.
  private func byteRanges(of location: Location) -> [Range<UInt64>]? {
    let header = UInt64(Self.headerByteCount)
    let areaByteCount = byteRange.upperBound - byteRange.lowerBound
    guard location.byteOffset >= header, location.byteOffset < areaByteCount,
      location.byteCount <= areaByteCount - header,
      location.byteCount <= Self.searchedByteCountMax
    else { return nil }
    let start = byteRange.lowerBound + location.byteOffset
    let room = byteRange.upperBound - start
    if location.byteCount <= room { return [start..<start + location.byteCount] }
    let again = byteRange.lowerBound + header
    return [start..<byteRange.upperBound, again..<again + (location.byteCount - room)]
  }

  /// Appends bytes of the device; unreadable ones are zero, and returned.
  private func append(
    _ range: Range<UInt64>, to bytes: inout [UInt8]
  ) throws(BlockIOError) -> [Range<UInt64>] {
    let buffer = IOBuffer(byteCount: Int(min(range.upperBound - range.lowerBound, 1 << 20)))
    var unreadable: [Range<UInt64>] = []
    var position = range.lowerBound
    while position < range.upperBound {
      let count = Int(min(range.upperBound - position, UInt64(buffer.byteCount)))
      for lost in try source.readAround(at: position, into: buffer, 0..<count) {
        unreadable.append(mergingInto: lost)
      }
      bytes += buffer.bytes(0..<count)
      position += UInt64(count)
    }
    return unreadable
  }

  /// Versions in the order of ``MetadataHistory/versions``, each text once.
  private static func newestFirst(_ versions: [MetadataVersion]) -> [MetadataVersion] {
    let committed = versions.first(where: \.isCommitted)
    // Of versions with the same text, keep the committed one.
    var texts: Set<[UInt8]> = committed.map { [$0.text] } ?? []
    let different = versions.filter { $0.isCommitted || texts.insert($0.text).inserted }

    var lastTimes: [LVMIdentifier: Int64] = [:]
    for version in different {
      lastTimes[version.volumeGroup.uuid] = max(
        lastTimes[version.volumeGroup.uuid] ?? .min, version.volumeGroup.creationTime ?? .min)
    }
    if let committed { lastTimes[committed.volumeGroup.uuid] = .max }
    func rank(_ version: MetadataVersion) -> (Int64, String, UInt64, Int, UInt64) {
      let group = version.volumeGroup
      return (
        lastTimes[group.uuid] ?? .min, group.uuid.description, group.seqno,
        version.isCommitted ? 1 : 0, version.byteOffset
      )
    }
    return different.sorted { rank($0) > rank($1) }
  }
}
