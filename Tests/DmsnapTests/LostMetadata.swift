import Foundation
import TestSupport
import Testing

/// All metadata areas of the images are overwritten; one text of the newest version is kept in a
/// file, as vgcfgbackup would have it.
struct LostMetadata {
  let backup: String

  init(_ volumes: Volumes, in directory: TemporaryDirectory) throws {
    let group = volumes.facts.groups[0]
    var newest: [UInt8]?
    for (path, facts) in zip(volumes.paths, volumes.facts.pvs) {
      var bytes = try Files.bytes(path)
      // Areas lie before the first extent and behind the last; all of their texts begin like this.
      let opening = Array("\(group.name) {\nid = ".utf8)
      for start in stride(from: facts.byteOffset, to: bytes.count, by: 512) {
        if Array(bytes[start..<start + opening.count]) == opening {
          let text = bytes[start...].prefix { $0 != 0 }
          let isNewest = String(decoding: text, as: UTF8.self).contains("seqno = \(group.seqno)\n")
          if isNewest { newest = Array(text) }
          bytes.put([UInt8](repeating: 0, count: text.count), at: start)
        } else if Array(bytes[start + 4..<start + 20]) == Array(" LVM2 x[5A%r0N*>".utf8) {
          bytes.put([UInt8](repeating: 0, count: 512), at: start)
        }
      }
      try directory.write(bytes, to: (path as NSString).lastPathComponent)
    }
    backup = try directory.write(try #require(newest), to: "backup")
  }
}
