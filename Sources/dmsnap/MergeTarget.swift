import BlockIO
import LVM2
import SnapshotKit
import SystemPackage

/// The origin that a merge writes to: a file or device, or a volume of a group through those that
/// its physical volumes are in.
struct MergeTarget {
  private let found: StoreInput
  private let origin: PathArgument?

  /// The target of a merge into what was found, which the user may have named.
  init(_ found: StoreInput, origin: PathArgument?) {
    self.found = found
    self.origin = origin
  }

  /// Refuses a target before anything is opened for writing.
  ///
  /// - Parameters:
  ///   - undo: Where the undo store will be, or is.
  ///   - skipIdentical: Whether what the origin holds already is to be left alone.
  func check(undo: String?, skipIdentical: Bool) throws(Failure) {
    let origin = try found.requireOrigin()
    let store = found.store.source
    if let volume = found.volume { try checkReuse(volume) }
    if let volume = found.originVolume {
      try checkProblems(volume)
      try check(volume)
      try checkMetadata(volume)
      if skipIdentical { try checkWithoutCopies(volume, "--skip-identical would compare but one") }
      if volume.input.options.leg != nil {
        try checkWithoutCopies(volume, "--leg would save but one, and not the one in use")
      }
    } else if let path = self.origin, !path.isWhole {
      guard path.gaps.isEmpty else {
        throw Failure(
          .refused, "\(path.text): has gaps, into which nothing can be written; use --to")
      }
      throw Failure(
        .refused,
        "\(path.text): a merge in place cannot write to a part of a file;"
          + " attach it to a loop device (losetup --offset), or use --to")
    }
    if found.originVolume == nil || found.volume == nil { try checkFilesApart(origin, store) }
    // An undo file is opened for writing to look into it, which must not happen to an input.
    if let undo, FileTarget.exists(FilePath(undo)) {
      let file = try failing { () throws(BlockIOError) in
        try FileSource(path: FilePath(undo)).identity
      }
      if (origin.files + store.files).contains(where: { DeviceUse.overlap($0.identity, file) }) {
        throw Failure(
          .refused,
          "\(undo): is the store or the origin itself, or shares bytes with it; not an undo file")
      }
    }
    // The store would change as we read it.
    for file in origin.files + store.files {
      try failing { () throws(BlockIOError) in
        try FileTarget.checkUnused(file.identity, name: file.name)
      }
    }
  }

  private func checkFilesApart(
    _ origin: any BlockSource, _ store: any BlockSource
  ) throws(Failure) {
    for target in origin.files {
      for source in store.files {
        if target.identity == source.identity {
          throw Failure(MergeError.sameFile(target.name))
        }
        if DeviceUse.overlap(target.identity, source.identity) {
          throw Failure(
            .refused,
            "\(target.name): shares bytes with the store (as a disk and its partition do, or a loop"
              + " device and its file); a store is never written")
        }
      }
    }
  }

  /// Refuses a group of which it is not certain what it is, or that is another's by now.
  private func checkProblems(_ origin: StoreInput.OriginVolume) throws(Failure) {
    let used = Set(origin.version.allocations(below: origin.name).map(\.physicalVolume))
    for problem in origin.group.problems {
      let isInDoubt =
        switch problem {
        case .duplicate(let uuid, _, _): used.contains(uuid)
        case .inOtherGroup(let volume, _, _): used.contains(volume.uuid)
        case .fromRing: true
        default: false
        }
      if isInDoubt {
        throw Failure(
          .refused, "\(origin.text): \(problem): it is not written; --to writes a new image")
      }
    }
  }

  /// Refuses a store of which others may have overwritten a part: it would go into the origin.
  private func checkReuse(_ volume: SnapshotVolume) throws(Failure) {
    let reuse = try failing { () throws(BlockIOError) in
      try volume.found.reuse(of: volume.snapshot.store, in: volume.version)
    }
    if let owner = reuse.first?.owner {
      throw Failure(
        .refused,
        "\(volume.store.name): some of its extents were given to \(volume.version.name)/\(owner)"
          + " since, whose data may be there now; --to writes a new image")
    }
  }

  /// Refuses a volume that is not what it was, or that has bytes of the store.
  private func check(_ origin: StoreInput.OriginVolume) throws(Failure) {
    let now = origin.group.group
    if origin.version != now,
      origin.version.mapping(below: origin.name) != now.mapping(below: origin.name)
    {
      throw Failure(
        .refused,
        "\(origin.text): lies elsewhere since version \(origin.version.seqno), in which it is not"
          + " written; --to writes a new image")
    }
    let own = origin.version.allocations(below: origin.name)
    guard let volume = found.volume else { return }
    let store = volume.version.allocations(below: volume.snapshot.store)
    let isShared = own.contains { mine in
      store.contains {
        $0.physicalVolume == mine.physicalVolume && $0.extents.overlaps(mine.extents)
      }
    }
    if isShared {
      throw Failure(
        .refused,
        "\(origin.text): has extents that are the store's as well, by the group's metadata; a store"
          + " is never written")
    }
  }

  /// Refuses extents that have a metadata area in them.
  private func checkMetadata(_ origin: StoreInput.OriginVolume) throws(Failure) {
    for allocation in origin.version.allocations(below: origin.name) {
      guard let member = origin.group.member(allocation.physicalVolume),
        let bytes = origin.version.bytes(of: allocation)
      else { continue }
      if member.areas.contains(where: { $0.byteRange.overlaps(bytes) }) {
        throw Failure(
          .refused, "\(origin.text): has extents in which \(member.source.name) has metadata")
      }
    }
  }

  /// Refuses an option that goes by one copy where there are several.
  private func checkWithoutCopies(
    _ origin: StoreInput.OriginVolume, _ why: String
  ) throws(Failure) {
    let map = try failingVolume { () throws(VolumeError) in
      try origin.group.mapper(origin.version).map(of: origin.name)
    }
    if map.copyCount > 1 {
      throw Failure(
        .refused, "\(origin.text): has copies, of which \(why); without it all are written")
    }
  }

  /// Opens the origin for writing, and no more of the group than it lies on.
  func open() throws(Failure) -> any BlockTarget {
    guard let origin = found.originVolume else {
      guard let path = self.origin else { throw Failure(.refused, "an origin is not known") }
      return try failing { () throws(BlockIOError) in
        try FileTarget(path: FilePath(path.path))
      }
    }
    let used = Set(origin.version.allocations(below: origin.name).map(\.physicalVolume))
    let volumes = origin.version.physicalVolumes.map(\.uuid).filter { used.contains($0) }
      .compactMap { origin.group.member($0) }
    var files: [FileIdentity: FileTarget] = [:]
    var devices: [any BlockTarget] = []
    for volume in volumes {
      devices.append(try target(of: volume, in: origin.input, &files))
    }
    return try failingVolume { () throws(VolumeError) in
      let mapper = VolumeMapper(origin.version, leg: origin.input.options.leg) { uuid in
        used.contains(uuid) ? origin.group.member(uuid)?.source : nil
      }
      let map = try mapper.map(of: origin.name)
      do throws(BlockIOError) { return try ExtentTarget(origin.text, map, of: devices) } catch {
        throw .io(error)
      }
    }
  }

  /// A physical volume as a target: the part of a file that it is.
  ///
  /// A file is opened once, be it with several volumes in it.
  private func target(
    of volume: FoundPhysicalVolume, in input: VolumeInput,
    _ files: inout [FileIdentity: FileTarget]
  ) throws(Failure) -> any BlockTarget {
    let path = input.options.physicalVolumes[volume.input].path
    guard path.gaps.isEmpty else {
      throw Failure(
        .refused, "\(path.text): has gaps, into which nothing can be written; use --to")
    }
    let start = path.start + volume.range.lowerBound
    let map = ExtentMap([
      ExtentMap.Segment(
        0..<UInt64(volume.range.count), .place(.device(0, byteOffset: start)))
    ])
    return try failing { () throws(BlockIOError) in
      let identity = volume.source.files[0].identity
      let known = files[identity]
      let file = if let known { known } else { try FileTarget(path: FilePath(path.path)) }
      guard file.identity == identity else {
        throw BlockIOError(path.path, .open, .refused("was replaced while it was being opened"))
      }
      files[identity] = file
      return try ExtentTarget(volume.source.name, map, of: [file])
    }
  }
}
