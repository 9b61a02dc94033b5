/// Opens for writing the very files that sources were read from, and only the sources' bytes.
///
/// No name is followed again: it may lead elsewhere by now. A file is opened once, even if several
/// sources are in it.
package struct TargetOpening {
  private var files: [FileIdentity: FileTarget] = [:]

  /// An opening of no files yet.
  package init() {}

  /// The bytes of `source`, to be written.
  ///
  /// - Throws: If some of them are missing, or their files cannot be opened.
  package mutating func target(of source: any BlockSource) throws(BlockIOError) -> any BlockTarget {
    switch source {
    case let file as FileSource: return try target(of: file)
    // Sectors that could not be read from a medium can still be written to its copy.
    case let mapped as RescuedSource: return try target(of: mapped.base)
    case let slice as SliceSource:
      let whole = try target(of: slice.base)
      let place = ExtentPlace.device(0, byteOffset: slice.range.lowerBound)
      return try VolumeTarget(
        slice.name, VolumeMap([VolumeMap.Segment(0..<slice.byteCount, .place(place))]), of: [whole])
    case let volume as VolumeSource:
      try VolumeTarget.check(volume.name, volume.map, of: volume.devices)
      var devices: [any BlockTarget] = []
      for device in volume.devices { devices.append(try target(of: device)) }
      return try VolumeTarget(volume.name, volume.map, of: devices)
    default:
      throw BlockIOError(source.name, .open, .refused("cannot be written to"))
    }
  }

  private mutating func target(of file: FileSource) throws(BlockIOError) -> FileTarget {
    if let open = files[file.identity] { return open }
    let target = try FileTarget(reopening: file)
    files[file.identity] = target
    return target
  }
}
