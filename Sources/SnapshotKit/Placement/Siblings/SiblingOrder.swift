internal import BlockIO
internal import SnapshotFormat

/// A sibling's exceptions by their places in its order, and by their old chunks.
struct SiblingOrder {
  struct Placed {
    let position: UInt64
    let run: ExceptionRun
  }

  /// Ascending by place.
  let runs: [Placed]
  /// Ascending by old chunk.
  private let byOld: [Placed]

  init(_ sibling: Sibling) {
    runs = sibling.runs.compactMap { run in
      sibling.geometry.position(ofData: Chunk(run.new)).map { Placed(position: $0, run: run) }
    }
    byOld = runs.sorted { $0.run.old < $1.run.old }
  }

  /// How many exceptions there are.
  var chunkCount: UInt64 { runs.reduce(0) { $0 + $1.run.count } }

  /// The place of the exception for a chunk of the origin.
  func position(of old: UInt64) -> UInt64? {
    let index = byOld.partitioningIndex { $0.run.lastOld >= old }
    guard index < byOld.count, byOld[index].run.old <= old else { return nil }
    return byOld[index].position + (old - byOld[index].run.old)
  }

  /// Where the data of the exception for a chunk of the origin begins in the sibling, in bytes.
  func byteOffset(of old: UInt64, _ geometry: StoreGeometry) -> UInt64? {
    position(of: old).flatMap { geometry.dataChunk(inOrder: $0) }.flatMap {
      geometry.byteOffset(of: $0)
    }
  }

  /// The old chunks at those places, in order; empty if there are more than `limit`.
  func olds(in places: Range<UInt64>, limit: Int) -> [UInt64] {
    var olds: [UInt64] = []
    var index = runs.partitioningIndex { $0.position + $0.run.count > places.lowerBound }
    while index < runs.count, runs[index].position < places.upperBound {
      let placed = runs[index]
      let part = (placed.position..<placed.position + placed.run.count).clamped(to: places)
      if UInt64(olds.count) + UInt64(part.count) > UInt64(limit) { return [] }
      olds += part.map { placed.run.old + ($0 - placed.position) }
      index += 1
    }
    return olds
  }

  /// The exception whose data is in that chunk.
  func exception(at new: UInt64) -> (position: UInt64, old: UInt64)? {
    let index = runs.partitioningIndex { $0.run.new + $0.run.count > new }
    guard index < runs.count, runs[index].run.new <= new else { return nil }
    let within = new - runs[index].run.new
    return (runs[index].position + within, runs[index].run.old + within)
  }
}
