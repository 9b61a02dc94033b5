import Blkid
import Foundation

/// What util-linux's own programs say of an image: the truth that the probe is held against.
enum Oracle {
  /// What blkid(8) says when there is but one answer: its names and values.
  ///
  /// - Returns: Nothing when nothing is found, nil when there is more than one answer.
  static func blkid(_ path: String, offset: UInt64 = 0) throws -> [String: String]? {
    let answer = try Tool.run(
      "blkid", ["-p", "-o", "export", "-O", "\(offset)", path], statuses: [0, 2, 8])
    guard answer.status != 8 else { return nil }
    let pairs = answer.output.split(separator: "\n").map { line in
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), String(parts.last ?? ""))
    }
    return Dictionary(uniqueKeysWithValues: pairs).filter { $0.key != "DEVNAME" }
  }

  /// A signature as wipefs(8) lists it, which is asked to list and to wipe nothing.
  struct Listed: Decodable, Equatable {
    var type: String
    var offset: String
    var uuid: String?
    var label: String?

    init(_ signature: Signature) {
      type = signature.type
      offset = signature.byteOffset.map { "0x\(String($0, radix: 16))" } ?? ""
      uuid = signature.uuid
      label = signature.label
    }
  }

  /// All signatures by wipefs(8); it lists partition tables among them.
  static func wipefs(_ path: String) throws -> [Listed] {
    struct Answer: Decodable { let signatures: [Listed] }
    let output = try Tool.run("wipefs", ["--no-act", "--json", path]).output
    guard !output.isEmpty else { return [] }
    return try JSONDecoder().decode(Answer.self, from: Data(output.utf8)).signatures
  }

  /// A partition as sfdisk(8) lists it, in sectors.
  struct ListedPartition: Decodable, Equatable {
    var start: UInt64
    var size: UInt64
    var type: String
    var uuid: String?
    var name: String?
  }

  struct Table: Decodable {
    let label: String
    let id: String
    let partitions: [ListedPartition]
  }

  /// The partition table by sfdisk(8).
  static func sfdisk(_ path: String) throws -> Table {
    struct Answer: Decodable { let partitiontable: Table }
    let output = try Tool.run("sfdisk", ["--json", path]).output
    return try JSONDecoder().decode(Answer.self, from: Data(output.utf8)).partitiontable
  }
}
