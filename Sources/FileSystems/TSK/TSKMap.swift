#if TSK
  import BlockIO
  internal import TSK

  /// The map of a stream that libtsk has the runs of.
  struct TSKMap {
    private let attribute: TSKAttribute
    private let blockByteCount: UInt64
    private let sourceByteCount: UInt64
    private(set) var map = FileMap()

    /// The map of a stream.
    ///
    /// - Parameter method: How it is compressed if it is.
    init(
      _ attribute: TSKAttribute, blockByteCount: UInt64, sourceByteCount: UInt64, method: String
    ) {
      self.attribute = attribute
      self.blockByteCount = blockByteCount
      self.sourceByteCount = sourceByteCount
      if attribute.byteCount == 0 { return }
      if attribute.resident != nil {
        map.extents = [FileExtent(0..<attribute.byteCount, .inline(nil))]
        return
      }
      if attribute.isCompressed {
        takeUnits(method: method)
      } else {
        for run in attribute.runs { take(run) }
      }
      fillGaps()
    }

    /// The bytes of the file that blocks of it hold.
    private func bytes(_ offset: UInt64, _ count: UInt64) -> Range<UInt64>? {
      let start = offset.multipliedReportingOverflow(by: blockByteCount)
      let length = count.multipliedReportingOverflow(by: blockByteCount)
      let end = start.partialValue.addingReportingOverflow(length.partialValue)
      guard !start.overflow, !length.overflow, !end.overflow else { return nil }
      let skipped = attribute.skippedByteCount
      let bytes =
        max(start.partialValue, skipped) - skipped..<max(end.partialValue, skipped) - skipped
      let inside = bytes.clamped(to: 0..<attribute.byteCount)
      return inside.isEmpty ? nil : inside
    }

    private mutating func take(_ run: TSKRun) {
      guard let file = bytes(run.offset, run.count) else { return }
      switch run.kind {
      case .sparse: append(file, nil)
      case .filler: append(file, .lost)
      case .data:
        guard let place = place(of: run, at: file.lowerBound) else { return append(file, .lost) }
        // Bytes that were never written read as zeroes.
        let limit = min(max(attribute.initializedByteCount, file.lowerBound), file.upperBound)
        append(file.lowerBound..<limit, .data(at: place))
        append(limit..<file.upperBound, .unwritten(at: place + (limit - file.lowerBound)))
      }
    }

    /// The place in the source of a byte of a run; nil if the numbers of the run overflow.
    private func place(of run: TSKRun, at byteOffset: UInt64) -> UInt64? {
      let start = run.address.multipliedReportingOverflow(by: blockByteCount)
      let length = run.count.multipliedReportingOverflow(by: blockByteCount)
      guard !start.overflow, !length.overflow,
        !start.partialValue.addingReportingOverflow(length.partialValue).overflow
      else { return nil }
      let first = run.offset &* blockByteCount
      return start.partialValue + (byteOffset &+ attribute.skippedByteCount &- first)
    }

    /// Ascending pieces; holes (nil) are left out, but not taken for gaps.
    private mutating func append(_ file: Range<UInt64>, _ place: FileExtent.Place?) {
      guard !file.isEmpty else { return }
      guard file.lowerBound >= covered else { return }
      if file.lowerBound > covered { lose(covered..<file.lowerBound) }
      if let place { map.extents.append(FileExtent(file, place)) }
      covered = file.upperBound
    }

    private var covered: UInt64 = 0

    private mutating func lose(_ file: Range<UInt64>) {
      map.extents.append(FileExtent(file, .lost))
    }

    private mutating func fillGaps() {
      if covered < attribute.byteCount { lose(covered..<attribute.byteCount) }
      let lost = map.extents.filter { $0.place == .lost }
      if let first = lost.first {
        map.damage.append(
          FileSystemDamage("where bytes \(first.file.lowerBound) and on are is not known"))
      }
      let beyond = map.extents.first { ($0.sourceRange?.upperBound ?? 0) > sourceByteCount }
      if let beyond {
        map.damage.append(
          FileSystemDamage("an extent ends beyond the end", at: beyond.sourceRange))
      }
    }

    /// Units of compression: a full one is plain, one with fewer blocks is compressed, one without
    /// any is a hole.
    private mutating func takeUnits(method: String) {
      let unit = max(attribute.compressionUnit, 1)
      var pending: [TSKRun] = []
      var pendingCount: UInt64 = 0
      for run in attribute.runs {
        var run = run
        while run.count > 0 {
          // Whole units of one run at once.
          let room = unit - pendingCount
          let count =
            pendingCount == 0 && run.count >= unit ? run.count / unit * unit : min(room, run.count)
          let part = TSKRun(
            offset: run.offset, address: run.address, count: count, kind: run.kind)
          run = TSKRun(
            offset: run.offset &+ count,
            address: run.kind == .data ? run.address &+ count : run.address,
            count: run.count - count, kind: run.kind)
          if count >= unit {
            take(part)
            continue
          }
          pending.append(part)
          pendingCount += count
          if pendingCount == unit { flush(&pending, &pendingCount, method) }
        }
      }
      if !pending.isEmpty { flush(&pending, &pendingCount, method) }
    }

    private mutating func flush(
      _ pending: inout [TSKRun], _ count: inout UInt64, _ method: String
    ) {
      defer { (pending, count) = ([], 0) }
      guard pending.contains(where: { $0.kind == .sparse }), let first = pending.first,
        first.kind == .data, let file = bytes(first.offset, count)
      else {
        for run in pending { take(run) }
        return
      }
      let (start, overflow) = first.address.multipliedReportingOverflow(by: blockByteCount)
      let length = pending.filter { $0.kind == .data }.reduce(0) { $0 &+ $1.count }
      guard !overflow, start <= .max / 2, length <= 1 << 20 else { return append(file, .lost) }
      append(file, .compressed(start..<start + length * blockByteCount, method: method))
    }
  }
#endif
