internal import Blkid
public import BlockIO
internal import SnapshotFormat

/// What speaks against an origin's being that of a store, whose bytes do not name it.
///
/// Only content that names itself can contradict: of raw data, or of an origin in which nothing is
/// recognised, nothing is said.
public enum OriginContradiction: Equatable, Sendable, CustomStringConvertible {
  /// The snapshot's superblock is in the store, and it is not the origin's.
  case otherContent(snapshot: ContentIdentity, origin: ContentIdentity)
  /// The origin has a file system, of whose chunks the store's copies have not a single sector.
  case noRelation(comparedChunkCount: Int)

  /// So many chunks of the table are looked at, spread evenly over it.
  private static let sampleCount = 256
  /// With fewer of them that hold anything, chance could be at work.
  private static let comparedCountMin = 64

  /// What speaks against `origin`, or nil.
  public init?(_ view: SnapshotView, origin: any BlockSource) throws(ContentError) {
    let comparison: ContentComparison
    do throws(BlkidError) {
      comparison = try ContentComparison(snapshot: view, origin: origin)
    } catch {
      throw .probe(error)
    }
    guard let shown = comparison.snapshot, let own = comparison.origin else { return nil }
    // An ext3 that became an ext4 since keeps its UUID; without one, the type has to do.
    let isOther =
      shown.uuid != nil && own.uuid != nil ? shown.uuid != own.uuid : shown.type != own.type
    if isOther {
      self = .otherContent(snapshot: shown, origin: own)
      return
    }
    do throws(BlockIOError) {
      guard let count = try Self.unrelatedCount(view, origin), count >= Self.comparedCountMin else {
        return nil
      }
      self = .noRelation(comparedChunkCount: count)
    } catch {
      throw .io(error)
    }
  }

  /// How many of the sampled chunks hold something in the store and in the origin; nil as soon as
  /// one sector is in both.
  private static func unrelatedCount(
    _ view: SnapshotView, _ origin: any BlockSource
  ) throws(BlockIOError) -> Int? {
    let chunkByteCount = view.table.geometry.chunkSize.byteCount
    let chunkCount = view.mappedByteCount / chunkByteCount
    let step = max(1, chunkCount / UInt64(sampleCount)) * chunkByteCount
    let buffers = (IOBuffer(byteCount: 4096), IOBuffer(byteCount: 4096))
    var comparedCount = 0
    var next: UInt64 = 0  // in bytes of the table, from the beginning of a run
    for run in view.table.runs {
      guard let bytes = view.bytes(of: run) else { break }
      let byteCount = bytes.upperBound - bytes.lowerBound
      while next < byteCount {
        let start = bytes.lowerBound + next
        let sample = start..<min(start + min(chunkByteCount, 4096), bytes.upperBound)
        next += step
        var lost: [LostRange] = []
        try view.read(sample, into: buffers.0, lost: &lost)
        let unreadable = try origin.readAround(
          at: sample.lowerBound, into: buffers.1, 0..<sample.count)
        guard lost.isEmpty, unreadable.isEmpty, !buffers.0.isUniform(0..<sample.count),
          !buffers.1.isUniform(0..<sample.count)
        else { continue }
        comparedCount += 1
        for sector in stride(from: 0, to: sample.count, by: 512) {
          let place = sector..<sector + 512
          if buffers.0.equals(place, in: buffers.1, at: sector), !buffers.0.isUniform(place) {
            return nil
          }
        }
      }
      next -= byteCount
    }
    return comparedCount
  }

  public var description: String {
    switch self {
    case .otherContent(let snapshot, let origin):
      "holds \(Self.words(origin)), but the snapshot would be \(Self.words(snapshot)):"
        + " is it the right origin?"
    case .noRelation(let count):
      "has a file system, but of \(count) chunks that the store has copies of, no sector is in both:"
        + " is it the right origin?"
    }
  }

  private static func words(_ content: ContentIdentity) -> String {
    content.type + (content.uuid.map { " with UUID \($0)" } ?? "")
  }
}
