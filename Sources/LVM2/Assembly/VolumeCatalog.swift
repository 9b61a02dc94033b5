public import BlockIO

/// The volume groups of the physical volumes that were found.
public struct VolumeCatalog: Sendable {
  /// The groups found.
  public let groups: [FoundVolumeGroup]
  /// Physical volumes in no group.
  public let orphans: [FoundPhysicalVolume]
  /// Problems with the metadata areas of ``orphans``, which may belong to a group all the same.
  public let orphanProblems: [LVMIdentifier: [GroupProblem]]

  /// Assembles the groups.
  ///
  /// Of several copies of a physical volume, the one with the newest metadata is used.
  ///
  /// - Parameter texts: Groups from files of vgcfgbackup, which replace the groups of the areas; if
  ///   the areas have newer versions, like older versions.
  public init(
    _ found: [FoundPhysicalVolume], texts: [VolumeGroup] = []
  ) throws(BlockIOError) {
    var assembly = Assembly()
    var read: [ReadVolume] = []
    for volume in found { read.append(try ReadVolume(volume)) }
    // By number only: among equals, the first stays first.
    for (_, volume) in read.enumerated().sorted(by: {
      ($1.element.newestSeqno, $0.offset) < ($0.element.newestSeqno, $1.offset)
    }) { try assembly.add(volume) }
    for text in texts { assembly.candidates[text.uuid, default: Candidate()].text = text }
    let members = assembly.members
    groups = assembly.candidates.values.compactMap { $0.group(members) }
      .sorted {
        ($0.group.name, $0.group.uuid.description) < ($1.group.name, $1.group.uuid.description)
      }
    let claimed = Set(
      groups.flatMap { $0.group.physicalVolumes.map(\.uuid) + $0.strangers })
    orphans = found.filter { !claimed.contains($0.label.uuid) }
    var orphanProblems = members.areaProblems.filter { !claimed.contains($0.key) }
    for orphan in orphans
    where orphan.label.metadataAreas.isEmpty && orphan.label.isUsed != false {
      orphanProblems[orphan.label.uuid] = [
        .area(
          path: orphan.source.name,
          "has no metadata: only the group's other members name its"
            + " group")
      ]
    }
    self.orphanProblems = orphanProblems
  }

  /// The facts known about one group during assembly.
  private struct Candidate {
    /// From a file.
    var text: VolumeGroup?
    /// In use in an area, with the path of its volume.
    var committed: [(group: VolumeGroup, path: String)] = []
    /// The newest in a ring whose current metadata is lost.
    var fallbacks: [(group: VolumeGroup, path: String)] = []
    var areas: [MetadataArea] = []
    /// The physical volumes that have its metadata.
    var holders: [FoundPhysicalVolume] = []
    var problems: [GroupProblem] = []

    func group(_ members: Members) -> FoundVolumeGroup? {
      let newest = committed.max { $0.group.seqno < $1.group.seqno }
      let fallback = fallbacks.max { $0.group.seqno < $1.group.seqno }
      // The version in use on the disks wins, even with a lower number: a file may be of another
      // line of versions.
      guard let group = newest?.group ?? text ?? fallback?.group else { return nil }
      var problems = self.problems
      if text == nil, newest == nil, let fallback {
        problems.append(.fromRing(path: fallback.path, seqno: fallback.group.seqno))
      }
      for (older, path) in committed where older.seqno < group.seqno {
        problems.append(.outdated(path: path, seqno: older.seqno, newest: group.seqno))
      }
      for volume in group.physicalVolumes { problems += members.problems(of: volume, in: group) }
      let own = Set(group.physicalVolumes.map(\.uuid))
      for holder in holders where !own.contains(holder.label.uuid) {
        problems.append(.notMember(holder.label.uuid, path: holder.source.name))
      }
      return FoundVolumeGroup(
        group: group, text: text, problems: problems,
        members: members.byUUID, areas: areas)
    }
  }

  /// The physical volumes by UUID.
  private struct Members {
    var byUUID: [LVMIdentifier: FoundPhysicalVolume] = [:]
    var duplicates: [LVMIdentifier: [String]] = [:]
    /// The groups whose metadata they have in use.
    var owners: [LVMIdentifier: VolumeGroup] = [:]
    /// Problems with the areas of physical volumes whose group is unknown.
    var areaProblems: [LVMIdentifier: [GroupProblem]] = [:]

    func problems(
      of volume: VolumeGroup.PhysicalVolume, in group: VolumeGroup
    ) -> [GroupProblem] {
      guard let member = byUUID[volume.uuid] else { return [.missing(volume)] }
      let path = member.source.name
      var problems: [GroupProblem] = []
      for ignored in duplicates[volume.uuid] ?? [] {
        problems.append(.duplicate(volume.uuid, used: path, ignored: ignored))
      }
      if let what = member.label.defect { problems.append(.label(path: path, what)) }
      problems += areaProblems[volume.uuid] ?? []
      if let owner = owners[volume.uuid], owner.uuid != group.uuid {
        problems.append(.inOtherGroup(volume, path: path, group: owner.name))
      }
      if let array = member.array, array.isDegraded { problems.append(.degraded(volume, array)) }
      if volume.flags.contains("MISSING") { problems.append(.wasMissing(volume, path: path)) }
      let size = volume.extentCount.multipliedReportingOverflow(by: group.extentByteCount)
      let end = volume.startByteOffset.addingReportingOverflow(size.partialValue)
      let required = size.overflow || end.overflow ? .max : end.partialValue
      if member.source.byteCount < required {
        problems.append(
          .tooShort(volume, path: path, byteCount: member.source.byteCount, required: required))
      }
      return problems
    }
  }

  /// A physical volume, and the versions in use in its areas.
  private struct ReadVolume {
    let volume: FoundPhysicalVolume
    let areas: [(area: MetadataArea, committed: CommittedMetadata)]

    init(_ volume: FoundPhysicalVolume) throws(BlockIOError) {
      self.volume = volume
      var areas: [(MetadataArea, CommittedMetadata)] = []
      for area in volume.areas { areas.append((area, try area.committed())) }
      self.areas = areas
    }

    /// The number of the newest metadata; 0 if there is none.
    var newestSeqno: UInt64 {
      areas.compactMap(\.committed.version?.volumeGroup.seqno).max() ?? 0
    }
  }

  private struct Assembly {
    var candidates: [LVMIdentifier: Candidate] = [:]
    var members = Members()

    mutating func add(_ read: ReadVolume) throws(BlockIOError) {
      let volume = read.volume
      let uuid = volume.label.uuid
      guard members.byUUID[uuid] == nil else {
        members.duplicates[uuid, default: []].append(volume.source.name)
        return
      }
      members.byUUID[uuid] = volume
      let path = volume.source.name
      var ownGroups: Set<LVMIdentifier> = []
      var damaged: [MetadataArea] = []
      var problems: [GroupProblem] = []
      for (area, committed) in read.areas {
        if area.isIgnored {
          problems.append(.area(path: path, "lvm2 was configured not to keep it up to date"))
          damaged.append(area)
          continue
        }
        problems += committed.problems.map { .area(path: path, $0.description) }
        if let group = committed.version?.volumeGroup, committed.problems.isEmpty {
          candidates[group.uuid, default: Candidate()].committed.append((group, path))
          candidates[group.uuid]?.areas.append(area)
          ownGroups.insert(group.uuid)
          members.owners[uuid] = group
        } else if !committed.problems.isEmpty {
          damaged.append(area)
        }
      }
      for area in damaged {
        // A text with a wrong checksum is unreliable; the one before it was once sound.
        let versions = try area.history().versions
        let sound = area.isIgnored ? versions.first : versions.first { !$0.isCommitted }
        let newest = (sound ?? versions.first)?.volumeGroup
        guard let group = newest?.uuid ?? ownGroups.first else { continue }
        candidates[group, default: Candidate()].areas.append(area)
        if let newest { candidates[group]?.fallbacks.append((newest, path)) }
        ownGroups.insert(group)
      }
      if ownGroups.isEmpty, !problems.isEmpty { members.areaProblems[uuid] = problems }
      for group in ownGroups {
        candidates[group]?.holders.append(volume)
        candidates[group]?.problems += problems
      }
    }
  }
}

extension FoundVolumeGroup {
  /// The physical volumes that have the group's metadata but do not belong to it.
  fileprivate var strangers: [LVMIdentifier] {
    problems.compactMap { problem in
      if case .notMember(let uuid, _) = problem { uuid } else { nil }
    }
  }
}
