import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// The manifest lies in the bytes that Linux ignores, and vouches for itself.
@Suite struct UndoManifestTests {
  private static let manifest = UndoManifest(
    state: .saved, originByteCount: 0x0102_0304_0506, exceptionCount: 77,
    tableDigest: Array(repeating: 0xaa, count: 32), fingerprint: Array(repeating: 0xbb, count: 32),
    dataChecksum: SectorChecksum(sum: 0x0807_0605_0403_0201))

  private func encoded(_ manifest: UndoManifest) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 512)
    var span = bytes.mutableSpan
    manifest.encode(after: SnapshotHeader(chunkSize: .kernelDefault), into: &span)
    return bytes
  }

  @Test func `its fields are where its table says`() throws {
    let bytes = try encoded(Self.manifest)
    #expect(Array(bytes[0..<16]) == [0x53, 0x6e, 0x41, 0x70, 1, 0, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0])
    #expect(String(decoding: bytes[16..<24], as: UTF8.self) == "dmsnapun")
    #expect(Array(bytes[24..<32]) == [2, 0, 0, 0, 2, 0, 0, 0])
    #expect(Array(bytes[32..<48]) == [6, 5, 4, 3, 2, 1, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0])
    #expect(bytes[48..<80].allSatisfy { $0 == 0xaa } && bytes[80..<112].allSatisfy { $0 == 0xbb })
    #expect(Array(bytes[112..<128]) == [1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 0, 0, 0, 0])
    let digest = Array(bytes[16..<128]).sha256
    #expect(
      bytes[128..<160].hexadecimal == digest)
    #expect(bytes[160...].allSatisfy { $0 == 0 })
  }

  @Test(arguments: [UndoManifest.State.saving, .saved, .finished])
  func `what is written is read again`(state: UndoManifest.State) throws {
    var manifest = Self.manifest
    manifest.state = state
    #expect(UndoManifest(FaultySource(try encoded(manifest))) == manifest)
  }

  @Test func `version 1 is read, which had no checksum of the data`() throws {
    var bytes = try encoded(Self.manifest)
    bytes[24] = 1
    let digest = Array(bytes[16..<112]).sha256
    let octets = stride(from: 0, to: 64, by: 2).compactMap { index in
      UInt8(digest.dropFirst(index).prefix(2), radix: 16)
    }
    bytes.put(octets, at: 112)
    var expected = Self.manifest
    expected.dataChecksum = nil
    #expect(UndoManifest(FaultySource(bytes)) == expected)
  }

  @Test func `an unknown state or version is no manifest, whatever its checksum`() throws {
    for (byteOffset, value) in [(28, 0), (28, 4), (24, 1), (24, 3), (16, 0)] as [(Int, UInt8)] {
      var bytes = try encoded(Self.manifest)
      bytes[byteOffset] = value
      let digest = Array(bytes[16..<128]).sha256
      let octets = stride(from: 0, to: 64, by: 2).compactMap { index in
        UInt8(digest.dropFirst(index).prefix(2), radix: 16)
      }
      bytes.put(octets, at: 128)
      #expect(UndoManifest(FaultySource(bytes)) == nil)
    }
  }

  @Test(arguments: [0, 16, 143, 511])
  func `fewer than 512 bytes hold no manifest`(byteCount: Int) throws {
    let bytes = try encoded(Self.manifest)
    #expect(UndoManifest(FaultySource(Array(bytes.prefix(byteCount)))) == nil)
  }

  @Test func `a manifest that cannot be read is none`() throws {
    #expect(UndoManifest(FaultySource(try encoded(Self.manifest), unreadable: [0..<1])) == nil)
  }
}
