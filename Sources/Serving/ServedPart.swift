package import Blkid
package import BlockIO

/// A served part of a snapshot: all of it, or one partition.
package struct ServedPart: Equatable, Codable, Sendable {
  /// The number of the partition; nil for all of it.
  package let number: Int?
  /// Its bytes.
  package let bytes: Range<UInt64>
  /// libblkid's name for the file system or other content, if known.
  package let type: String?

  /// Its name as an export of NBD.
  package var exportName: String { number.map { "partition\($0)" } ?? "" }

  /// Its name as a file.
  package var fileName: String { number.map { "partition\($0).img" } ?? "snapshot.img" }

  /// The name of the directory beside that file on which its file system can be mounted.
  package var filesName: String { number.map { "files\($0)" } ?? "files" }

  /// All of a view, and then its partitions.
  package static func all(of view: any BlockSource) throws(BlkidError) -> [ServedPart] {
    let identity = try Probe.identify(view)
    let whole = ServedPart(
      number: nil, bytes: 0..<view.byteCount, type: identity.signatures.first?.type)
    let partitions = identity.partitionTable?.partitions ?? []
    return [whole]
      + partitions.compactMap { partition in
        partition.bytes(inSourceOf: view.byteCount).map {
          ServedPart(
            number: partition.number, bytes: $0, type: partition.content?.signatures.first?.type)
        }
      }
  }
}
