import Compression
import Testing

struct CompressionTests {
  /// 64 times `abc`, by each method: zlib and zstd by their tools, LZO1X by hand.
  private static let streams: [(Compression, [UInt8])] = [
    (.lzo, [20, 0x61, 0x62, 0x63, 0x20, 156, 0x08, 0, 0x11, 0, 0]),
    (
      .zlib,
      [0x78, 0xda, 0x4b, 0x4c, 0x4a, 0x4e, 0x1c, 0xca, 0x08, 0x00, 0xb6, 0x95, 0x49, 0x81]
    ),
    (
      .zstd,
      [
        0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x55, 0x00, 0x00, 0x18, 0x61, 0x62, 0x63, 0x01, 0x00,
        0x3a, 0x29, 0x37, 0x04,
      ]
    ),
  ]
  private static let text = (0..<64).flatMap { _ in Array("abc".utf8) }

  private static func decompress(
    _ method: Compression, _ input: [UInt8], into byteCount: Int
  ) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: byteCount)
    var span = output.mutableSpan
    guard let count = method.decompress(input.span, into: &span, 0..<byteCount) else { return nil }
    return Array(output[..<count])
  }

  @Test(arguments: streams) func `a stream is decompressed`(
    method: Compression, stream: [UInt8]
  ) {
    #expect(method.isSupported)
    #expect(Self.decompress(method, stream, into: 192) == Self.text)
    #expect(Self.decompress(method, stream + [0, 0, 0], into: 4096) == Self.text)
  }

  @Test(arguments: streams) func `no stream makes it trap`(method: Compression, stream: [UInt8]) {
    for index in stream.indices {
      let cut = Self.decompress(method, Array(stream[..<index]), into: 192)
      // zlib's checksum at the end may not be reached.
      #expect(cut == nil || method == .zlib && cut == Self.text)
      for bit in 0..<8 {
        var damaged = stream
        damaged[index] ^= 1 << UInt8(bit)
        for byteCount in [0, 1, 100, 192, 70000] {
          let output = Self.decompress(method, damaged, into: byteCount)
          #expect(output?.count ?? 0 <= byteCount)
        }
      }
    }
  }
}
