import Serving
import SnapshotKit

/// `serve` and `mount` with `--format json`: the served parts, their places, and their losses.
///
///     {"schema": "dmsnap.serve.v1", "complete": true, "byteCount": 1048576,
///      "mappedByteCount": 65536, "policy": "error", "socket": "/run/dmsnap-1/socket",
///      "parts": [{"at", "partition", "byteOffset", "byteCount", "type"}],
///      "lost": [{"byteOffset", "byteCount"}]}
struct ServedReport: Encodable {
  let schema: String
  let complete: Bool
  let byteCount: UInt64
  let mappedByteCount: UInt64
  let policy: String
  @Nullable var socket: String?
  @Nullable var layer: String?
  let parts: [Part]
  let lost: [Lost]

  struct Part: Encodable {
    /// A URI, or a path.
    let at: String
    @Nullable var partition: Int?
    let byteOffset: UInt64
    let byteCount: UInt64
    @Nullable var type: String?
  }

  struct Lost: Encodable {
    let byteOffset: UInt64
    let byteCount: UInt64
  }

  init(
    _ schema: String, _ report: ServeReport, _ places: [String],
    _ request: ServeRequest, socket: String?
  ) {
    self.schema = schema
    (complete, byteCount, mappedByteCount) = (
      report.isComplete, report.byteCount, report.mappedByteCount
    )
    policy = request.policy.rawValue
    (self.socket, layer) = (socket, request.layer)
    parts = zip(report.parts, places).map { part, place in
      Part(
        at: place, partition: part.number, byteOffset: part.bytes.lowerBound,
        byteCount: UInt64(part.bytes.count), type: part.type)
    }
    lost = report.lost.map {
      Lost(byteOffset: $0.lowerBound, byteCount: $0.upperBound - $0.lowerBound)
    }
  }
}
