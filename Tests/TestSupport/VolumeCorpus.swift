internal import Foundation

/// The volume groups in corpus/lvm that LVM2 made, and what it and the kernel said of them: see
/// corpus/lvm/README.md.
public enum VolumeCorpus {
  /// A folder of the corpus.
  public struct Case: Decodable, Sendable {
    public let name: String
    /// The images, in the order `pv0`, `pv1`, ...
    public let pvs: [PhysicalVolume]
    public let groups: [Group]
    public let volumes: [Volume]
    public let before: [Earlier]

    /// The volume of that name; the first, where several groups have one.
    public func volume(_ name: String) -> Volume? { volumes.first { $0.name == name } }
  }

  public struct PhysicalVolume: Decodable, Sendable {
    public let file: String
    public let byteCount: Int
    public let sha256: String
    /// Where in the image the physical volume begins.
    public let byteOffset: Int
    /// Nil of one that was taken out of its group, of which lvm2 does not say it.
    public let uuid: String?
    /// The name of its group; nil of an orphan.
    public let vg: String?
  }

  public struct Group: Decodable, Sendable {
    public let name: String
    public let uuid: String
    public let seqno: UInt64
    public let extentByteCount: Int
  }

  public struct Volume: Decodable, Sendable {
    public let name: String
    public let vg: String
    public let segtype: String
    public let byteCount: UInt64
    public let attr: String
    public let origin: String?
    public let dataPercent: String?
    public let chunkByteCount: UInt64
    public let status: String?
    public let sha256: String?
    public let cowSha256: String?

    /// Whether it is the store of a snapshot that is to be merged.
    public var isMerging: Bool { attr.hasPrefix("S") }
  }

  /// A snapshot as it was at some time.
  public struct Earlier: Decodable, Sendable {
    public let volume: String
    public let seqno: UInt64
    public let sha256: String
  }

  /// The names of all cases.
  public static var names: [String] {
    let folder = Corpus.folder.appending(path: "lvm")
    let entries = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
    return (entries ?? []).filter { name in
      FileManager.default.fileExists(atPath: folder.appending(path: "\(name)/case.json").path)
    }.sorted()
  }

  /// The case of that name.
  public static func read(_ name: String) throws -> Case {
    let json = try Data(contentsOf: Corpus.folder.appending(path: "lvm/\(name)/case.json"))
    return try JSONDecoder().decode(Case.self, from: json)
  }

  /// Unpacks the images of a case into a directory, and returns their paths.
  ///
  /// - Parameter prefix: What their names begin with.
  public static func unpack(
    _ facts: Case, in directory: TemporaryDirectory, as prefix: String = "pv"
  ) throws -> [String] {
    try facts.pvs.enumerated().map { index, volume in
      let image = Corpus.Image(
        file: volume.file, byteCount: volume.byteCount, sha256: volume.sha256)
      return try directory.write(
        Corpus.unpack(image, of: "lvm/\(facts.name)"), to: "\(prefix)\(index).img")
    }
  }
}
