/// A volume that is made of parts of several targets, and written through to them.
///
/// Writes go to all copies.
package final class VolumeTarget: BlockTarget, ForwardingSource {
  private let source: VolumeSource
  private let devices: [any BlockTarget]

  /// The volume of that map, whose device n is `devices[n]`.
  ///
  /// - Throws: If some of it cannot be written: it is on a missing device, or has parity.
  package init(
    _ name: String, _ map: VolumeMap, of devices: [any BlockTarget]
  ) throws(BlockIOError) {
    try Self.check(name, map, of: devices)
    source = VolumeSource(name, map, of: devices)
    self.devices = devices
  }

  /// Refuses a volume of which some cannot be written, before its devices are opened for writing.
  static func check(
    _ name: String, _ map: VolumeMap, of devices: [any BlockSource]
  ) throws(BlockIOError) {
    guard !map.isIncomplete else {
      throw BlockIOError(
        name, .open, .refused("a part of it is missing, and cannot be written"))
    }
    guard map.isWritable else {
      throw BlockIOError(
        name, .open, .refused("its layout can be read, but not written"))
    }
    guard map.deviceEnds.allSatisfy({ $0.value <= devices[$0.key].byteCount }) else {
      throw BlockIOError(
        name, .open,
        .refused("a part of it is past the end of a device, and cannot be written"))
    }
  }

  package var base: any BlockSource { source }

  package func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try source.map.forEachPiece(of: bytes) { (piece) throws(BlockIOError) in
      let start = range.lowerBound + Int(piece.range.lowerBound - byteOffset)
      for place in [piece.place] + piece.copies + piece.staleCopies {
        guard case .device(let device, let byteOffset) = place else {
          preconditionFailure("what cannot be written was refused")
        }
        try devices[device].write(
          at: byteOffset, from: buffer, start..<start + piece.range.count)
      }
    }
  }

  package func startWriting(_ range: Range<UInt64>) {
    source.map.forEachPiece(of: range.clamped(to: 0..<byteCount)) { piece in
      for case .device(let device, let start) in [piece.place] + piece.copies + piece.staleCopies {
        devices[device].startWriting(start..<start + UInt64(piece.range.count))
      }
    }
  }

  package func flush() throws(BlockIOError) {
    for device in devices { try device.flush() }
  }

  package func readingBack() -> [any BlockSource] {
    // A device may itself be made of others, and have copies.
    let devices = devices.map { $0.readingBack() }
    let deviceCount = devices.map(\.count).max() ?? 1
    return (0..<deviceCount).flatMap { index in
      let each = devices.map { $0[min(index, $0.count - 1)] }
      return (0..<source.map.copyCount).map {
        VolumeSource(name, source.map, of: each, onlyCopy: $0)
      }
    }
  }
}
