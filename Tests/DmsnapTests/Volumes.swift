import Foundation
import TestSupport
import Testing

/// A case of corpus/lvm, unpacked, and the command run on it.
struct Volumes {
  let facts: VolumeCorpus.Case
  /// The images of the physical volumes.
  let paths: [String]
  private let directory: TemporaryDirectory

  /// - Parameter prefix: What the images' names begin with.
  init(_ name: String, in directory: TemporaryDirectory, as prefix: String = "pv") throws {
    facts = try VolumeCorpus.read(name)
    paths = try VolumeCorpus.unpack(facts, in: directory, as: prefix)
    self.directory = directory
  }

  /// The options that name all physical volumes.
  var options: [String] { paths.flatMap { ["--pv", $0] } }

  /// The snapshot of the group that it has, or the first of them.
  var snapshot: (path: String, origin: String, sha256: String?) {
    get throws {
      let volume = try #require(facts.volumes.first { $0.origin != nil })
      return (
        "\(volume.vg)/\(volume.name)", "\(volume.vg)/\(volume.origin ?? "")", volume.sha256
      )
    }
  }

  /// What all images hold.
  func bytes() throws -> [[UInt8]] { try paths.map { try Files.bytes($0) } }

  /// What a command must leave as it was.
  func states() throws -> [FileState] { try paths.map { try FileState($0) } }

  /// Whether all images are as they were unpacked.
  func areUntouched() throws -> Bool {
    try zip(paths, facts.pvs).allSatisfy { try Files.sha256($0) == $1.sha256 }
  }

  /// Runs a command of which the physical volumes are the last arguments.
  func run(_ arguments: String...) throws -> ToolOutcome {
    try ToolRunner.dmsnap.run(arguments + options)
  }

  /// What `lvm extract` makes of a volume; nil where it makes nothing.
  func extract(
    _ volume: String, _ more: String..., status: Int32 = 0,
    _ location: SourceLocation = #_sourceLocation
  ) throws -> [UInt8]? {
    let image = directory.path("extracted")
    let outcome = try ToolRunner.dmsnap.run(
      ["lvm", "extract", volume, "--to", image] + more + options)
    #expect(outcome.status == status, "\(outcome)", sourceLocation: location)
    guard Files.exist(image) else { return nil }
    let bytes = try Files.bytes(image)
    try FileManager.default.removeItem(atPath: image)
    return bytes
  }

  /// The text of a version of a group, as vgcfgbackup would have made it then.
  func text(ofVersion seqno: Int, named group: String = "vg") throws -> String {
    let opening = Array("\(group) {\nid = ".utf8)
    for bytes in try bytes() {
      for start in stride(from: 0, to: bytes.count, by: 512)
      where Array(bytes[start..<start + opening.count]) == opening {
        let text = String(decoding: bytes[start...].prefix { $0 != 0 }, as: UTF8.self)
        if text.contains("\nseqno = \(seqno)\n") { return text }
      }
    }
    throw ToolRunner.Failure(try run("lvm", "list", "--history"))
  }

  /// Finds the COW store's header in the image of a physical volume.
  func headerByteOffset(in bytes: [UInt8]) throws -> Int {
    let magic = Data("SnAp".utf8)
    return try #require(
      stride(from: 0, to: bytes.count, by: 512).first { Data(bytes[$0..<$0 + 4]) == magic })
  }
}

/// A sector that was changed: from what to what.
struct SectorChange: Hashable {
  let old: Data
  let new: Data

  /// The changes from some images to others of the same lengths, with how often each was made.
  static func count(from before: [[UInt8]], to after: [[UInt8]]) -> [SectorChange: Int] {
    var changes: [SectorChange: Int] = [:]
    for (old, new) in zip(before, after) {
      let (old, new) = (Data(old), Data(new))
      for start in stride(from: 0, to: old.count, by: 512) {
        let sector = start..<min(start + 512, old.count)
        if old[sector] == new[sector] { continue }
        changes[SectorChange(old: Data(old[sector]), new: Data(new[sector])), default: 0] += 1
      }
    }
    return changes
  }
}

extension [UInt8] {
  /// How many sectors have a stamp of that writer.
  func count(ofSectorsWith writer: String) -> Int {
    stride(from: 0, to: count, by: 512).count {
      String(decoding: self[$0..<$0 + 64], as: UTF8.self).contains(writer)
    }
  }
}
