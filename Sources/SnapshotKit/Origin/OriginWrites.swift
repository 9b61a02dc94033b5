internal import Blkid
internal import BlockIO
internal import SnapshotFormat

/// Whether the origin of an invalid snapshot was written after Linux stopped copying for it.
///
/// Before the invalidation a copy preceded every write to the origin, afterwards none did: chunks
/// without an exception may be newer than the snapshot. Nothing proves that they are not, unless
/// the origin is of a kind that is never written; but file systems keep records that prove that
/// they are.
public enum OriginWrites: Equatable, Sendable, CustomStringConvertible {
  /// The origin holds nothing but a file system of that type, which cannot be written.
  case impossible(type: String)
  /// The origin was written after the snapshot was taken, with the evidence.
  case proved([String])
  /// There is no evidence.
  case unknown

  /// File systems that cannot be written.
  private static let readOnlyTypes: Set<String> = [
    "squashfs", "iso9660", "erofs", "cramfs", "romfs",
  ]

  /// Looks for evidence in the origin of `view`.
  ///
  /// - Parameters:
  ///   - own: What libblkid finds in the origin.
  ///   - hasInFlightChunks: Whether copies were under way when the snapshot became invalid.
  init(
    _ view: SnapshotView, own: Identity, hasInFlightChunks: Bool
  ) throws(BlockIOError) {
    if let type = try Self.readOnlyType(of: view.origin, own) {
      self = .impossible(type: type)
      return
    }
    let notes = try WriteNotes(view)
    var evidence = notes.evidence
    // If the snapshot itself was written, they may be its own.
    if hasInFlightChunks, !notes.isSnapshotNewer {
      evidence.append("copies were under way when the snapshot became invalid")
    }
    self = evidence.isEmpty ? .unknown : .proved(evidence)
  }

  /// The type of an origin that cannot be written anywhere; nil for any other.
  private static func readOnlyType(
    of origin: any BlockSource, _ own: Identity
  ) throws(BlockIOError) -> String? {
    let types = Set(own.signatures.map(\.type))
    guard let type = types.first, types.count == 1, readOnlyTypes.contains(type) else { return nil }
    // A stick with a live system may have partitions that are written, in the image or after it.
    for partition in own.partitionTable?.partitions ?? [] where !partition.isExtended {
      guard let content = partition.content,
        !content.signatures.isEmpty,
        content.signatures.allSatisfy({ readOnlyTypes.contains($0.type) })
      else { return nil }
    }
    return try ImageExtent(type, in: origin)?.isAll(of: origin) == true ? type : nil
  }

  public var description: String {
    switch self {
    case .impossible(let type):
      "\(type), which cannot be written: chunks without an exception are unchanged"
    case .proved(let evidence):
      "written after the snapshot was taken (\(evidence.joined(separator: "; "))): \(Self.risk)"
    case .unknown: Self.unknownWords
    }
  }

  private static let risk = "chunks without an exception may be newer than the snapshot"

  /// The text for a lack of evidence, or of an origin.
  package static let unknownWords =
    "unknown; assume that it was written after the snapshot became invalid: \(risk)"

  /// The finding of an audit.
  var finding: Finding {
    let (code, found): (FindingCode, String) =
      switch self {
      case .impossible(let type):
        (.originUnchanged, "an origin that holds \(type) and nothing else")
      case .proved(let evidence): (.originWritten, evidence.joined(separator: "; "))
      case .unknown: (.originUnknown, "no evidence")
      }
    return Finding(
      code: code, place: Finding.Place(), found: found,
      required: "no write to the origin after the snapshot became invalid")
  }
}
