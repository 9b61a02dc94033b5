import BlockIO
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Who uses a file or device, in the words that a refusal and a finding quote.
@Suite struct DeviceUseTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func holders(_ path: String) throws -> [String] {
    DeviceUse.holders(of: try FileSource(path: FilePath(path)).identity)
  }

  @Test func `a file by itself is used by nobody`() throws {
    #expect(try holders(directory.write(pattern(512), to: "file")).isEmpty)
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `loop devices over a file are told, also under another name of it`() throws {
    let path = try directory.write(pattern(65_536), to: "file")
    try FileManager.default.linkItem(atPath: path, toPath: directory.path("hard"))
    let loops = [try LoopDevice(over: path), try LoopDevice(over: path)]
    let expected = loops.map { "attached to \($0.path)" }.sorted()
    #expect(try holders(path).sorted() == expected)
    #expect(try holders(directory.path("hard")).sorted() == expected)
    #expect(try holders(loops[0].path) == ["sharing its bytes with \(loops[1].path)"])
  }

  @Test(
    .enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)),
    .enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a file system is told by the place where it is mounted, spaces and all`() throws {
    let path = try directory.write(sparse: 8 << 20, [], to: "disk")
    try #require(ToolRunner(named: "mkfs.ext4")).succeed(["-q", path])
    let loop = try LoopDevice(over: path)
    let place = directory.path("a place")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let mount = try Mount(["-o", "ro,noload", loop.path], at: place)
    #expect(try holders(loop.path) == ["mounted at \(place)"])
    withExtendedLifetime((loop, mount)) {}
  }
}
