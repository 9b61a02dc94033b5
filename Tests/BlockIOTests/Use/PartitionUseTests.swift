import BlockIO
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Who uses a part of a disk uses the disk, and the other way round; the same bytes under another
/// name are the same bytes.
@Suite(.enabled(if: PartitionedDisk.isAvailable, Comment(rawValue: PartitionedDisk.unavailable)))
struct PartitionUseTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func overlap(_ one: String, _ other: String) throws -> Bool {
    let identities = try [one, other].map { try FileSource(path: FilePath($0)).identity }
    let answer = DeviceUse.overlap(identities[0], identities[1])
    #expect(DeviceUse.overlap(identities[1], identities[0]) == answer)
    return answer
  }

  private func mounted(_ device: String) throws -> Mount {
    let place = directory.path("mnt")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    // Read-only, so that mounting by itself writes nothing.
    return try Mount(["-o", "ro,noload", device], at: place)
  }

  /// A disk whose first partition, or the whole, has a file system.
  private func disk(fileSystemAt byteOffset: UInt64) throws -> (file: String, PartitionedDisk) {
    let part = try directory.write(sparse: 4 << 20, [], to: "partition")
    try #require(ToolRunner(named: "mkfs.ext4")).succeed(["-q", part])
    let file = try directory.write(sparse: 16 << 20, [], to: "disk")
    try Files.overwrite(file, at: byteOffset, Files.bytes(part))
    return (file, try PartitionedDisk(on: file))
  }

  @Test func `a partition shares bytes with its disk, not with the one beside it`() throws {
    let file = try directory.write(sparse: 16 << 20, [], to: "file")
    let other = try directory.write(sparse: 16 << 20, [], to: "other")
    let disk = try PartitionedDisk(on: file)
    let (first, second) = (disk.partitions[0], disk.partitions[1])
    #expect(try overlap(first, first))
    #expect(try overlap(first, disk.disk.path) && overlap(second, disk.disk.path))
    #expect(try !overlap(first, second))
    #expect(try overlap(file, disk.disk.path) && overlap(file, first) && overlap(file, second))
    for path in [disk.disk.path, first, file] { #expect(try !overlap(other, path)) }
  }

  @Test func `loop devices over parts of one file share bytes where the parts do`() throws {
    let file = try directory.write(sparse: 16 << 20, [], to: "file")
    let disk = try PartitionedDisk(on: file)
    // Of the first partition, 1 MiB to 5 MiB, the last MiB; of the second the first.
    let part = try LoopDevice(over: file, ["--offset", "4194304", "--sizelimit", "2097152"])
    let low = try LoopDevice(over: file, ["--offset", "512", "--sizelimit", "1048064"])
    let inside = try LoopDevice(over: disk.partitions[1], ["--offset", "1048576"])
    #expect(try overlap(part.path, disk.partitions[0]) && overlap(part.path, disk.partitions[1]))
    #expect(try !overlap(low.path, disk.partitions[0]) && !overlap(low.path, part.path))
    #expect(try overlap(low.path, disk.disk.path) && overlap(low.path, file))
    #expect(try overlap(inside.path, disk.partitions[1]) && overlap(inside.path, file))
    #expect(try !overlap(inside.path, disk.partitions[0]) && !overlap(inside.path, part.path))
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a disk and its file are refused while a partition is mounted, the other is not`() throws {
    let (file, disk) = try disk(fileSystemAt: 1 << 20)
    let mount = try mounted(disk.partitions[0])
    let (path, name) = (disk.disk.path, disk.partitions[0].dropFirst("/dev/".count))
    #expect(
      try errorOfTargeting(path).description
        == "\(path): is in use: mounted at \(mount.path) (partition \(name))")
    #expect(
      try errorOfTargeting(file).description
        == "\(file): is in use: attached to \(path), mounted at \(mount.path) (partition \(name))")
    #expect(throws: Never.self) { _ = try FileTarget(path: FilePath(disk.partitions[1])) }
    withExtendedLifetime((disk, mount)) {}
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a partition is refused while its whole disk is mounted`() throws {
    let (_, disk) = try disk(fileSystemAt: 0)
    let mount = try mounted(disk.disk.path)
    for partition in disk.partitions {
      let name = disk.disk.path.dropFirst("/dev/".count)
      #expect(
        try errorOfTargeting(partition).description
          == "\(partition): is in use: mounted at \(mount.path) (loop device \(name))")
    }
    withExtendedLifetime((disk, mount)) {}
  }

  @Test(
    .enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)),
    .enabled(if: ToolRunner(named: "unshare") != nil, "unshare is needed"))
  func `what is mounted where we do not see it is told by the process that does`() throws {
    let (_, disk) = try disk(fileSystemAt: 1 << 20)
    let (place, sign) = (directory.path("mnt"), directory.path("sign"))
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let tool = try #require(ToolRunner(named: "unshare")).start([
      "--mount", "sh", "-c",
      #"mount -o ro,noload "$0" "$1" && touch "$2" && exec sleep 100"#,
      disk.partitions[0], place, sign,
    ])
    while tool.isRunning, !Files.exist(sign) { usleep(1000) }
    #expect(DeviceUse.holders(of: try FileSource(path: FilePath(disk.disk.path)).identity).isEmpty)
    for path in [disk.disk.path, disk.partitions[0]] {
      let error = try errorOfTargeting(path).description
      #expect(error.hasPrefix("\(path): is in use: mounted at \(place) in the namespace of"))
      #expect(error.contains(ProcessWords.of(tool.process)), "\(error)")
    }
    tool.signal(SIGKILL)
    _ = tool.wait()
  }

  @Test func `a device is refused while another has its bytes in a cache of its own`() throws {
    let file = try directory.write(sparse: 16 << 20, [], to: "file")
    let loops = [try LoopDevice(over: file), try LoopDevice(over: file)]
    #expect(
      try errorOfTargeting(loops[0].path).description
        == "\(loops[0].path): is in use: sharing its bytes with \(loops[1].path)")
  }
}
