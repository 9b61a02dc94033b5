internal import BlockIO
internal import SnapshotFormat

/// The findings of chunk 0 that the header alone shows.
struct HeaderCheck {
  private(set) var findings: [Finding] = []

  init(_ store: Store) {
    guard let header = store.header else {
      if let error = store.headerError {
        add(.headerUnreadable, 0..<16, error.description, "sixteen bytes")
      }
      return
    }
    if header.isErased {
      add(.headerMagicErased, 0..<4, "magic 0x00000000", "0x70416e53 (\"SnAp\")")
    }
    guard header.hasMagic || header.isErased else { return }
    switch header.valid {
    case 0: add(.headerInvalid, 4..<8, "valid 0", "1")
    case 1: break
    case let other: add(.headerValidOdd, 4..<8, "valid \(other)", "0 or 1")
    }
    if header.version != SnapshotHeader.supportedVersion {
      add(.headerVersion, 8..<12, "version \(header.version)", "1")
    }
    guard let geometry = store.geometry else {
      add(
        .headerChunkSize, 12..<16, "\(header.chunkSectors) sectors",
        "a power of two from 1 to \(ChunkSize.max.sectorCount)")
      return
    }
    checkTail(store, geometry)
  }

  // Linux writes zeroes after the header. Our own undo stores have their manifest there.
  private mutating func checkTail(_ store: Store, _ geometry: StoreGeometry) {
    let end = min(geometry.chunkSize.byteCount, store.source.byteCount)
    let buffer = IOBuffer(byteCount: Int(min(end, 1 << 20)))
    if UndoManifest(store.source) != nil { return }
    var position = UInt64(SnapshotHeader.byteCount)
    var nonZero: Range<UInt64>?
    while position < end {
      let count = Int(min(end - position, UInt64(buffer.byteCount)))
      do throws(BlockIOError) {
        try store.source.read(at: position, into: buffer, 0..<count)
      } catch {
        add(.headerUnreadable, position..<position + UInt64(count), error.description, "zeroes")
        return
      }
      if let range = buffer.nonZeroBytes(0..<count) {
        let first = position + UInt64(range.lowerBound)
        nonZero = (nonZero?.lowerBound ?? first)..<position + UInt64(range.upperBound)
      }
      position += UInt64(count)
    }
    if let nonZero {
      add(.headerTail, nonZero, "other bytes than zero after the header", "zeroes")
    }
  }

  private mutating func add(
    _ code: FindingCode, _ bytes: Range<UInt64>, _ found: String, _ required: String
  ) {
    findings.append(
      Finding(
        code: code, place: Finding.Place(bytes: bytes), found: found, required: required,
        ranges: [bytes]))
  }
}

extension SnapshotHeader {
  /// Whether everything but the magic is right, and that is zero: the result of wipefs and LVM.
  var isErased: Bool {
    magic == 0 && version == Self.supportedVersion && valid <= 1
      && (try? ChunkSize(sectorCount: chunkSectors)) != nil
  }

  /// Whether all sixteen bytes are zero.
  var isZero: Bool { magic | valid | version | chunkSectors == 0 }
}
