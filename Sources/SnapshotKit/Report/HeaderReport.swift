internal import SnapshotFormat

/// A store's header in JSON, with the fields as on the medium.
struct HeaderReport: Encodable {
  let magic: UInt32
  let valid: UInt32
  let version: UInt32
  let chunkSectors: UInt32

  init(_ header: SnapshotHeader) {
    magic = header.magic
    valid = header.valid
    version = header.version
    chunkSectors = header.chunkSectors
  }
}
