/// The underlying bytes of a file or device: a partition's on its disk, a loop device's in its
/// file.
///
/// Devices of the device mapper and of md are not followed: they hold the devices under them, which
/// is enough to leave those alone.
///
/// - Source: Linux `/sys/dev/block/*/{partition,start,size}`,
///   `/sys/dev/block/*/loop/{backing_file,offset}`.
struct DeviceStack {
  /// The file or device itself, then the device beneath it, down to the last that is known.
  let layers: [FileIdentity]
  /// The bytes, in the last layer.
  let bytes: Range<UInt64>

  init(of identity: FileIdentity) {
    var layers = [identity]
    var bytes: Range<UInt64> = 0..<UInt64.max
    // The kernel makes no cycles, but its files are read at different moments.
    while let (below, place) = Self.place(of: layers[layers.count - 1]), !layers.contains(below) {
      let start = place.lowerBound.addingReportingOverflow(bytes.lowerBound)
      let end = place.lowerBound.addingReportingOverflow(bytes.upperBound)
      let upperBound = min(end.overflow ? UInt64.max : end.partialValue, place.upperBound)
      bytes = (start.overflow ? upperBound : min(start.partialValue, upperBound))..<upperBound
      layers.append(below)
    }
    self.layers = layers
    self.bytes = bytes
  }

  /// Whether the two share a byte.
  func overlaps(_ other: DeviceStack) -> Bool {
    layers.last == other.layers.last && bytes.overlaps(other.bytes)
  }

  /// The underlying device, and the bytes of it; nil for a file, and for other devices.
  private static func place(of identity: FileIdentity) -> (FileIdentity, Range<UInt64>)? {
    guard identity.isBlockDevice else { return nil }
    let folder = "/sys/dev/block/\(identity.deviceNumber)"
    let below: FileIdentity?
    let start: UInt64
    if KernelText.number(in: "\(folder)/partition") != nil {
      below = KernelText.lines(of: "\(folder)/../dev").first.flatMap(
        FileIdentity.init(deviceNumber:))
      start = byteCount(ofSectors: "\(folder)/start")
    } else {
      let path = KernelText.lines(of: "\(folder)/loop/backing_file").first
      below = path.flatMap { FileIdentity(at: String($0)) }
      start = KernelText.number(in: "\(folder)/loop/offset") ?? 0
    }
    let end = start.addingReportingOverflow(byteCount(ofSectors: "\(folder)/size"))
    guard let below, !end.overflow else { return nil }
    return (below, start..<end.partialValue)
  }

  private static func byteCount(ofSectors path: String) -> UInt64 {
    (KernelText.number(in: path) ?? 0).multipliedReportingOverflow(by: 512).partialValue
  }
}
