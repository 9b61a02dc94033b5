import BlockIO
import FileSystems
import Foundation
import Testing

/// ext2, ext3 and ext4 as mke2fs and debugfs make them.
@Suite(.enabled(if: ExtImage.hasTools, "mke2fs and debugfs must be installed"))
struct ExtTests {
  /// Bytes that are not all the same.
  private static func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
  }

  private static let lengths = [0, 1, 59, 60, 61, 100, 150, 1023, 1024, 5000, 70_000, 300_000]

  /// Files of many lengths, one with holes, links, a directory with many names.
  private static func makeTree(_ folder: String) throws {
    let files = FileManager.default
    for length in lengths {
      try Data(pattern(length)).write(to: URL(filePath: "\(folder)/file-\(length)"))
    }
    for index in 0..<6 {
      try files.createSymbolicLink(
        atPath: "\(folder)/link-\(index)",
        withDestinationPath: String(repeating: "t", count: [1, 58, 59, 60, 61, 900][index]))
    }
    try files.linkItem(atPath: "\(folder)/file-5000", toPath: "\(folder)/again")
    try files.createDirectory(atPath: "\(folder)/many/deep", withIntermediateDirectories: true)
    for index in 0..<300 { try Data().write(to: URL(filePath: "\(folder)/many/name-\(index)")) }
    let sparse = "\(folder)/sparse"
    try Data(pattern(3000)).write(to: URL(filePath: sparse))
    let file = try FileHandle(forWritingTo: URL(filePath: sparse))
    try file.seek(toOffset: 400_000)
    try file.write(contentsOf: pattern(100))
    try file.truncate(atOffset: 500_000)
    try file.close()
  }

  private static let kinds: [[String]] = [
    ["-t", "ext2", "-b", "1024"], ["-t", "ext3", "-b", "2048"], ["-t", "ext4", "-b", "1024"],
    ["-t", "ext4", "-b", "4096", "-I", "512"], ["-t", "ext2", "-b", "65536", "-I", "128"],
    ["-t", "ext4", "-b", "4096", "-O", "^metadata_csum,uninit_bg"],
    ["-t", "ext4", "-b", "1024", "-O", "inline_data"],
    ["-t", "ext4", "-b", "1024", "-O", "bigalloc", "-C", "8192"],
    ["-t", "ext4", "-b", "1024", "-g", "1024", "-O", "meta_bg,^resize_inode"],
    ["-t", "ext4", "-b", "1024", "-g", "1024", "-O", "sparse_super2,^resize_inode"],
  ]

  @Test(arguments: kinds)
  func `a tree comes out as it went in`(options: [String]) throws {
    let image = try ExtImage(options, size: "12M", Self.makeTree)
    let system = try image.open()
    #expect(system.family == options[1])
    #expect(system.notes == [])
    for length in Self.lengths {
      #expect(try system.has("file-\(length)", Self.pattern(length)))
    }
    for (index, count) in [1, 58, 59, 60, 61, 900].enumerated() {
      let target = try system.target(ofLink: system.file("link-\(index)"))
      #expect(target == Array(repeating: 0x74, count: count))
    }
    #expect(try system.file("again").id == system.file("file-5000").id)
    #expect(try system.file("again").linkCount == 2)
    let many = try system.names("many")
    #expect(many.0.count == 301 && many.damage == [])
    // mke2fs loses what follows the hole of a file that begins in its inode.
    if !options.contains("inline_data") {
      let sparse = try system.bytes("sparse")
      #expect(sparse.count == 500_000 && Array(sparse[..<3000]) == Self.pattern(3000))
      #expect(Array(sparse[400_000..<400_100]) == Self.pattern(100))
      #expect(sparse[3000..<400_000].allSatisfy { $0 == 0 })
      let content = try system.content(of: system.file("sparse"))
      let next = try content.nextData(from: 100_000)
      #expect(next.map { $0.lowerBound > 300_000 && $0.contains(400_000) } == true)
    }
    try Self.checkBlocks(system, image, options)
  }

  /// Each block is free, or of a file, or of a structure, and of nothing else.
  private static func checkBlocks(
    _ system: ExtFileSystem, _ image: ExtImage, _ options: [String]
  ) throws {
    let (free, damage) = try system.readFreeRanges()
    #expect(damage == [])
    var used: [Range<UInt64>] = []
    let problems = try system.forEachInode(isDeletedIncluded: false) {
      inode throws(FileSystemError) in
      let map = try system.map(of: inode)
      used += map.structures
      for extent in map.extents {
        if case .data = extent.place { used += [extent.sourceRange].compactMap(\.self) }
      }
      return true
    }
    #expect(problems == [])
    let (unused, owned) = (RangeSet(free), RangeSet(used))
    #expect(unused.intersection(owned).isEmpty)
    let size = options.contains("bigalloc") ? 8192 : 1024
    for place in stride(from: UInt64(0), to: UInt64(image.bytes.count), by: size) {
      let isStructure = system.structure(at: place) != nil
      #expect(
        [unused.contains(place), owned.contains(place), isStructure].count(where: \.self) <= 1)
    }
    let all = unused.union(owned)
    let rest = stride(from: UInt64(0), to: UInt64(image.bytes.count), by: 65536)
      .filter { !all.contains($0) && system.structure(at: $0) == nil }
    // What a cluster has beyond a structure, at most.
    #expect(rest.isEmpty || options.contains("bigalloc") || options.contains("65536"))
  }

  @Test func `attributes, devices and times are as debugfs wrote them`() throws {
    var image = try ExtImage(["-t", "ext4", "-b", "1024", "-I", "256", "-O", "ea_inode"]) {
      try Data([1]).write(to: URL(filePath: $0 + "/one"))
    }
    let value = Self.pattern(1000)
    try image.change(
      [
        "ea_set one user.short abc", "ea_set -f % one user.long", "ea_set one security.other xyz",
        "mknod disk b 8 300", "mknod tty c 5 1", "mknod pipe p", "sif one mtime 7",
        "sif one mtime_extra 5", "sif one uid 65536", "sif one mode 0104711",
        "sif one crtime_lo 0x60000000",
      ], content: value)
    let system = try image.open()
    let one = try system.file("one")
    let attributes = try system.attributes(of: one).found
    #expect(
      attributes.map { String(decoding: $0.name, as: UTF8.self) } == [
        "security.other", "user.long", "user.short",
      ])
    let isSame = attributes.map(\.value) == [Array("xyz".utf8), value, Array("abc".utf8)]
    #expect(isSame)
    #expect(one.permissions == 0o4711 && one.kind == .regular)
    #expect(one.modified == Timestamp(seconds: 7 + 1 << 32, nanoseconds: 1))
    #expect(one.created?.seconds == 0x6000_0000)
    #expect(try system.file("disk").device == Inode.Device(major: 8, minor: 300))
    #expect(try system.file("tty").device == Inode.Device(major: 5, minor: 1))
    #expect(try system.file("pipe").kind == .fifo)
  }

  // MARK: - Journal

  @Test func `a journal is replayed in memory, up to the last that is whole`() throws {
    var image = try ExtImage(
      ["-t", "ext4", "-b", "1024", "-J", "size=1", "-O", "metadata_csum"]
    ) {
      try Data(Self.pattern(5000)).write(to: URL(filePath: $0 + "/a"))
    }
    let before = try image.open()
    let place = try #require(before.map(of: before.file("a")).extents.first?.sourceRange)
    // The block begins with what marks the journal's own blocks, which is not there in the journal.
    var new = Self.pattern(1024).map { ~$0 }
    new.replaceSubrange(0..<4, with: [0xc0, 0x3b, 0x39, 0x98])
    try image.change(
      ["jo -c", "jw -b \(place.lowerBound / 1024) %", "jc"], content: new)
    let old = try image.open(isJournalReplayed: false)
    #expect(old.notes == ["the journal was not replayed: recent changes may be missing"])
    var isSame = try old.bytes("a") == Self.pattern(5000)
    #expect(isSame)
    let replayed = try image.open()
    #expect(
      replayed.notes == ["the journal was replayed, in memory: transactions 1 to 1, 1 blocks"])
    isSame = try replayed.bytes("a") == new + Self.pattern(5000)[1024...]
    #expect(isSame)
    // Without the end of the transaction there is nothing to replay.
    let commit = try #require(image.find([0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 2]))
    image.bytes[commit + 60] ^= 1
    isSame = try image.open().bytes("a") == Self.pattern(5000)
    #expect(isSame)
  }

  // MARK: - Damage

  @Test func `a copy of the superblock will do`() throws {
    var image = try ExtImage(["-t", "ext4", "-b", "1024", "-g", "1024"]) { folder in
      try Data(Self.pattern(5000)).write(to: URL(filePath: folder + "/a"))
    }
    image.bytes[1024 + 0x68] ^= 1
    let system = try image.open()
    #expect(system.notes == ["the superblock is damaged: its copy in group 1 was used"])
    #expect(try system.has("a", Self.pattern(5000)))
    #expect(throws: FileSystemError.notFound("memory")) {
      try ExtFileSystem(MemorySource(Array(repeating: 0, count: 1 << 20)))
    }
  }

  @Test(arguments: [
    ["-b", "1024", "-g", "2048"], ["-b", "1024"], ["-b", "4096", "-g", "1024"],
  ])
  func `without its beginning, a file system is found by a copy of its superblock`(
    options: [String]
  ) throws {
    var image = try ExtImage(["-t", "ext4"] + options, size: "24M") { folder in
      try Data(Self.pattern(5000)).write(to: URL(filePath: folder + "/a"))
    }
    image.bytes.replaceSubrange(0..<2048, with: repeatElement(0, count: 2048))
    let system = try FileSystemOpening.open(MemorySource(image.bytes))
    #expect(system.notes == ["the superblock is damaged: its copy in group 1 was used"])
    let ext = try #require(system as? ExtFileSystem)
    #expect(try ext.has("a", Self.pattern(5000)))
  }

  @Test func `damage is said, and the rest is read`() throws {
    let image = try ExtImage(["-t", "ext4", "-b", "1024"]) { folder in
      try Data(Self.pattern(5000)).write(to: URL(filePath: folder + "/a"))
      try Data(Self.pattern(5000)).write(to: URL(filePath: folder + "/b"))
    }
    let system = try image.open()
    let (a, rootMap) = (try system.file("a"), try system.map(of: system.inode(system.root)))
    var changed = image
    let record = try #require(image.find(a.record))
    changed.bytes[record + 0x10] ^= 1
    let broken = try changed.open()
    #expect(throws: FileSystemError.self) { try broken.file("a") }
    #expect(try broken.has("b", Self.pattern(5000)))
    var count = 0
    let damage = try broken.forEachInode(isDeletedIncluded: false) { _ in
      count += 1
      return true
    }
    #expect(damage.map(\.problem) == ["inode \(a.id.number): wrong checksum"])
    #expect(damage.first?.bytes?.lowerBound == UInt64(record) && count == 3)
    // Names of a block with a wrong checksum are given.
    var renamed = image
    let block = Int(try #require(rootMap.extents.first?.sourceRange).lowerBound)
    let name = try #require(
      (block..<block + 1024).first { image.bytes[$0] == 0x61 && image.bytes[$0 - 2] == 1 })
    renamed.bytes[name] = 0x63
    let names = try renamed.open().names("/")
    #expect(names.0 == ["b", "c", "lost+found"] && names.damage.count == 1)
    #expect(try renamed.open().has("c", Self.pattern(5000)))
  }

  @Test func `changed bytes do no harm`() throws {
    let image = try ExtImage(
      ["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,inline_data", "-J", "size=1"], size: "4M",
      Self.makeSmallTree)
    let parts = stride(from: 0, to: image.bytes.count, by: 64).filter {
      image.bytes[$0..<$0 + 64].contains { $0 != 0 }
    }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<60 {
      var changed = image
      for _ in 0..<20 {
        let part = parts.randomElement(using: &random) ?? 0
        changed.bytes[part + Int.random(in: 0..<64, using: &random)] =
          [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
      }
      guard let system = try? changed.open() else { continue }
      _ = try? system.freeRanges()
      _ = try? system.forEachInode(isDeletedIncluded: true) { inode throws(FileSystemError) in
        _ = try? system.map(of: inode)
        _ = try? system.attributes(of: inode)
        if inode.kind == .directory { _ = try? system.forEachEntry(of: inode) { _ in true } }
        if let content = try? system.content(of: inode) { _ = try? content.nextData(from: 0) }
        return true
      }
    }
  }

  private static func makeSmallTree(_ folder: String) throws {
    for length in [0, 50, 100, 5000] {
      try Data(pattern(length)).write(to: URL(filePath: "\(folder)/file-\(length)"))
    }
    try FileManager.default.createDirectory(
      atPath: "\(folder)/folder", withIntermediateDirectories: true)
    try Data(pattern(3)).write(to: URL(filePath: "\(folder)/folder/file"))
  }

  /// Hostile: a directory that many share, or a map, would be read without end.
  @Test func `what many directories or files claim is read for a few of them`() throws {
    var image = try ExtImage(["-t", "ext2", "-b", "1024", "-O", "^metadata_csum"]) { folder in
      for index in 0..<20 {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/d\(index)", withIntermediateDirectories: true)
        // Twelve blocks are in the inode, and then comes a block with more.
        try Data(Self.pattern(20_000)).write(to: URL(filePath: "\(folder)/f\(index)"))
      }
    }
    let names = (0..<20).map { "d\($0)" }
    let root = try image.open().map(of: image.open().inode(image.open().root))
    let first = try #require(root.extents.first?.sourceRange).lowerBound / 1024
    let list = try #require(image.open().map(of: image.open().file("f0")).structures.first)
    try image.change(
      names.map { "sif \($0) block[0] \(first)" }
        + (0..<20).map { "sif f\($0) block[IND] \(list.lowerBound / 1024)" }, content: [])
    let system = try image.open()
    var walk = TreeWalk(system, from: try FileTree(system).find("/"))
    var paths: [String] = []
    while let entry = try walk.next() { paths.append(entry.path) }
    // The root and three others; each has the names of the root, and each of these is met once.
    #expect(paths.count < 200 && names.allSatisfy { paths.contains("/\($0)") })
    #expect(walk.damage.contains { $0.damage.problem.contains("other directories' as well") })
    let maps = try (0..<20).map { try system.map(of: system.file("f\($0)")) }
    #expect(maps.count { $0.damage.isEmpty } == 16)
    #expect(maps.count { map in map.extents.contains { $0.place == FileExtent.Place.lost } } == 4)
    // Whoever asks again gets the same.
    let again = try (0..<20).map { try system.map(of: system.file("f\($0)")) }
    #expect(again == maps)
  }

  @Test func `a directory that has a block twice has its names once`() throws {
    var image = try ExtImage(["-t", "ext2", "-b", "1024"]) { folder in
      try FileManager.default.createDirectory(
        atPath: "\(folder)/big", withIntermediateDirectories: true)
      for index in 0..<100 { try Data().write(to: URL(filePath: "\(folder)/big/name-\(index)")) }
    }
    let map = try image.open().map(of: image.open().file("big"))
    let start = try #require(map.extents.first?.sourceRange).lowerBound / 1024
    try image.change(
      (3..<12).map { "sif big block[\($0)] \(start)" } + ["sif big size 12288"], content: [])
    let (names, damage) = try image.open().names("big")
    #expect(names.count == 100)
    #expect(damage.contains { $0.problem.contains("blocks that occur twice") })
  }
}

extension ExtImage {
  /// Where bytes are that occur once at least.
  fileprivate func find(_ wanted: [UInt8]) -> Int? {
    let found = Data(bytes).firstRange(of: Data(wanted))
    return found?.lowerBound
  }
}
