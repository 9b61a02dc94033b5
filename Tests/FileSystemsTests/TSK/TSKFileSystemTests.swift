#if TSK
  import BlockIO
  import FileSystems
  import SystemPackage
  import Testing

  /// File systems that mkfs.vfat, mkntfs and xorriso make, read by libtsk.
  @Suite struct TSKFileSystemTests {
    private let images: TSKImages

    init() throws { images = try TSKImages() }

    private func entries(
      _ fileSystem: any FileSystem, _ directory: FileSystems.Inode
    ) throws -> [DirectoryEntry] {
      var found: [DirectoryEntry] = []
      let damage = try fileSystem.forEachEntry(of: directory) {
        found.append($0)
        return true
      }
      #expect(damage == [])
      return found
    }

    /// The file of a path.
    private func inode(_ fileSystem: any FileSystem, _ path: String) throws -> FileSystems.Inode {
      try path.split(separator: "/").reduce(try fileSystem.inode(fileSystem.root)) { folder, name in
        let entry = try entries(fileSystem, folder).first {
          $0.name == Array(name.utf8) && !$0.isDeleted
        }
        return try fileSystem.inode(#require(entry, "\(name)").id)
      }
    }

    private func names(_ fileSystem: any FileSystem, _ path: String) throws -> [String] {
      try entries(fileSystem, try inode(fileSystem, path)).filter { !$0.isDeleted }.map {
        String(decoding: $0.name, as: UTF8.self)
      }.sorted()
    }

    private func bytes(_ fileSystem: any FileSystem, _ path: String) throws -> [UInt8] {
      let content = try fileSystem.content(of: try inode(fileSystem, path))
      let buffer = IOBuffer(byteCount: Int(content.byteCount))
      try content.read(at: 0, into: buffer, 0..<buffer.byteCount)
      return buffer.bytes(0..<buffer.byteCount)
    }

    @Test(arguments: [12, 16, 32]) func `FAT: names, content, a deleted name`(bits: Int) throws {
      let fileSystem = try TSKOpening.open(try images.fat(bits))
      #expect(fileSystem.family == "vfat")
      #expect(try names(fileSystem, "/") == ["dir", "empty", "empty.txt", "hello.txt"])
      #expect(try names(fileSystem, "/dir") == ["sub", "ünïcode ☃ name.txt"])
      #expect(try names(fileSystem, "/empty") == [])
      #expect(try bytes(fileSystem, "/hello.txt") == Array("hello\n".utf8))
      #expect(try bytes(fileSystem, "/dir/sub/big.bin") == images.big)
      #expect(try bytes(fileSystem, "/empty.txt") == [])
      let deleted = try entries(fileSystem, try inode(fileSystem, "/dir")).filter(\.isDeleted)
      #expect(deleted.contains { String(decoding: $0.name, as: UTF8.self).hasSuffix("eleted.txt") })
      let file = try inode(fileSystem, "/hello.txt")
      #expect(file.permissions == 0o755 && file.owner == 0 && file.byteCount == 6)
      let map = try fileSystem.map(of: try inode(fileSystem, "/dir/sub/big.bin"))
      #expect(map.damage == [] && map.extents.last?.file.upperBound == 300_000)
      var count = 0
      let damage = try fileSystem.forEachInode(isDeletedIncluded: false) { _ in
        count += 1
        return true
      }
      #expect(damage == [] && count == 8)
    }

    @Test func `FAT: a deleted file that no directory names has a number, and no made-up folder`()
      throws
    {
      let source = try images.fat(16)
      try images.run("mdeltree", "-i", "fat.img", "::/dir")
      let fileSystem = try TSKOpening.open(source)
      let names = try entries(fileSystem, try fileSystem.inode(fileSystem.root)).map {
        String(decoding: $0.name, as: UTF8.self)
      }
      #expect(!names.contains { $0.hasPrefix("$") })
      var orphans: [FileSystems.Inode] = []
      let damage = try fileSystem.forEachInode(isDeletedIncluded: true) {
        if !$0.isAllocated { orphans.append($0) }
        return true
      }
      #expect(damage == [])
      // `dir` is still named, as deleted; what was in it is found where it was.
      #expect(orphans.contains { $0.byteCount == 300_000 && $0.kind == .regular })
      #expect(orphans.allSatisfy { $0.changed == $0.modified })
    }

    @Test(arguments: [12, 16, 32]) func `FAT: a chain in pieces, and one without an end`(
      bits: Int
    ) throws {
      // Every other cluster, backwards.
      let source = try images.fat(bits)
      let buffer = IOBuffer(byteCount: Int(source.byteCount))
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
      var image = buffer.bytes(0..<buffer.byteCount)
      let before = try TSKOpening.open(MemorySource(image))
      let file = try inode(before, "/dir/sub/big.bin")
      let start = try #require(try before.map(of: file).extents.first?.sourceRange?.lowerBound)
      let number = { (place: Int, count: Int) in
        image[place..<place + count].reversed().reduce(0) { $0 << 8 | Int($1) }
      }
      let short = number(22, 2)
      let tableCount = short > 0 ? short : number(36, 4)
      let root = number(17, 2) * 32
      let data = (number(14, 2) + 2 * tableCount) * 512 + root
      let first = (Int(start) - data) / 512 + 2
      func set(_ cluster: Int, _ value: Int) {
        for table in 0..<2 {
          let bit = cluster * bits
          let place = (number(14, 2) + table * tableCount) * 512 + bit / 8
          let mask = ((1 << bits) - 1) << (bit % 8)
          var word = number(place, 4) & ~mask | (value << (bit % 8)) & mask
          for index in 0..<4 {
            image[place + index] = UInt8(word & 0xff)
            word >>= 8
          }
        }
      }
      func map() throws -> FileMap {
        let fileSystem = try TSKOpening.open(MemorySource(image))
        return try fileSystem.map(of: try inode(fileSystem, "/dir/sub/big.bin"))
      }
      let chain = [first] + (1..<586).map { first + 586 - $0 }
      for (cluster, next) in zip(chain, chain.dropFirst()) { set(cluster, next) }
      set(first + 1, (1 << min(bits, 28)) - 1)
      let pieces = try map()
      #expect(pieces.damage == [] && pieces.extents.count == 586)
      #expect(
        pieces.extents.map(\.sourceRange?.lowerBound)
          == chain.map { UInt64(data + ($0 - 2) * 512) })
      set(chain[10], chain[5])
      let endless = try map()
      #expect(endless.damage.count == 1 && endless.extents.last?.place == .lost)
    }

    @Test func `numbers that a hostile disk claims are not counted up to`() throws {
      let source = try images.ntfs()
      let buffer = IOBuffer(byteCount: Int(source.byteCount))
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
      var image = buffer.bytes(0..<buffer.byteCount)
      // 2^62 sectors.
      image.replaceSubrange(40..<48, with: [0, 0, 0, 0, 0, 0, 0, 0x40])
      let fileSystem = try TSKOpening.open(MemorySource(image))
      let free = try? fileSystem.freeRanges()
      #expect(free?.last?.upperBound ?? 0 <= source.byteCount)
      var count = 0
      _ = try fileSystem.forEachInode(isDeletedIncluded: true) { _ in
        count += 1
        return true
      }
      #expect(count >= 20)
    }

    @Test func `FAT: free space is what no file has`() throws {
      let source = try images.fat(16)
      let fileSystem = try TSKOpening.open(source)
      let free = try fileSystem.freeRanges()
      let big = try fileSystem.map(of: try inode(fileSystem, "/dir/sub/big.bin")).extents
      for extent in big {
        let bytes = try #require(extent.sourceRange)
        #expect(!free.contains { $0.overlaps(bytes) })
      }
      #expect(free.reduce(0) { $0 + $1.count } > 14 << 20)
    }

    @Test func `exFAT: names, content in pieces, a deleted name`() throws {
      let fileSystem = try TSKOpening.open(try images.exFAT())
      #expect(fileSystem.family == "exfat")
      #expect(
        try names(fileSystem, "/").filter { !$0.hasPrefix("$") } == [
          "dir", "empty.txt", "hello.txt", "many", "others", "pieces",
        ])
      #expect(try names(fileSystem, "/dir") == ["sub", "ünïcode ☃ name.txt"])
      #expect(try names(fileSystem, "/many").count == 100)
      let big = (0..<300_000).map { (index: Int) in
        UInt8(truncatingIfNeeded: ((index * 7) >> 3) + (index >> 9))
      }
      #expect(try bytes(fileSystem, "/dir/sub/big.bin") == big)
      #expect(
        try bytes(fileSystem, "/many/the long name of a file that takes several entries 42")
          == Array("42".utf8))
      let pieces = (0..<40).flatMap { [UInt8](repeating: UInt8($0), count: 5000) }
      #expect(try bytes(fileSystem, "/pieces") == pieces)
      let map = try fileSystem.map(of: try inode(fileSystem, "/pieces"))
      #expect(map.damage == [] && map.extents.count > 10)
      let free = try fileSystem.freeRanges()
      #expect(!map.extents.compactMap(\.sourceRange).contains { free.touches($0) })
      let deleted = try entries(fileSystem, try inode(fileSystem, "/dir")).filter(\.isDeleted)
      #expect(deleted.map { String(decoding: $0.name, as: UTF8.self) } == ["deleted.txt"])
    }

    @Test func `NTFS: resident and other content, and a stream`() throws {
      let fileSystem = try TSKOpening.open(try images.ntfs())
      #expect(fileSystem.family == "ntfs")
      #expect(try names(fileSystem, "/") == ["big.bin", "hello.txt"])
      #expect(try bytes(fileSystem, "/hello.txt") == Array("hello\n".utf8))
      #expect(try bytes(fileSystem, "/big.bin") == images.big)
      let attributes = try fileSystem.attributes(of: try inode(fileSystem, "/hello.txt")).found
      #expect(attributes.map { String(decoding: $0.name, as: UTF8.self) } == ["user.note"])
      #expect(attributes.first?.value == Array("gone".utf8))
    }

    @Test func `ISO 9660: Joliet's names and content`() throws {
      let fileSystem = try TSKOpening.open(try images.iso())
      #expect(fileSystem.family == "iso9660")
      #expect(
        try names(fileSystem, "/").filter { $0 != "link" } == [
          "dir", "empty", "empty.txt", "hello.txt",
        ])
      #expect(try bytes(fileSystem, "/dir/sub/big.bin") == images.big)
      #expect(try bytes(fileSystem, "/hello.txt") == Array("hello\n".utf8))
    }

    @Test func `HFS+: names, a link and content`() throws {
      let image = try images.iso()
      let fileSystem = try TSKOpening.open(try hfsPlus(in: image))
      #expect(fileSystem.family == "hfsplus")
      #expect(
        try names(fileSystem, "/").filter { !$0.hasPrefix("\u{0}") } == [
          "dir", "empty", "empty.txt", "hello.txt", "link",
        ])
      #expect(try bytes(fileSystem, "/dir/sub/big.bin") == images.big)
      let link = try inode(fileSystem, "/link")
      #expect(link.kind == .link)
      #expect(try fileSystem.target(ofLink: link) == Array("dir/sub".utf8))
    }

    /// An image whose `hello.txt` says something that libtsk does not take.
    private func nonsense(in family: String) throws -> MemorySource {
      let source =
        switch family {
        case "vfat": try images.fat(16)
        case "exfat": try images.exFAT()
        default: try images.iso()
        }
      let buffer = IOBuffer(byteCount: Int(source.byteCount))
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
      var image = buffer.bytes(0..<buffer.byteCount)
      func places(_ name: [UInt8], _ step: Int) -> [Int] {
        stride(from: 0, to: image.count - name.count, by: step).filter {
          image[$0] == name[0] && image[$0..<$0 + name.count].elementsEqual(name)
        }
      }
      let wide = "hello.txt".utf16.map { UInt8($0) }
      switch family {
      case "vfat":  // 4 GiB long
        for place in places(Array("HELLO   TXT".utf8), 32) {
          image.replaceSubrange(place + 28..<place + 32, with: repeatElement(0xff, count: 4))
        }
      case "exfat":  // 2^60 bytes long; the name follows the stream
        for place in places([0xc1, 0] + wide.flatMap { [$0, 0] }, 32) {
          (image[place - 32 + 15], image[place - 32 + 31]) = (0x10, 0x10)
        }
      default:  // far beyond the end, in the records of both trees
        for place in places(wide.flatMap { [0, $0] }, 1) + places(Array("HELLO.TXT".utf8), 1) {
          image.replaceSubrange(place - 31..<place - 23, with: repeatElement(0xee, count: 8))
        }
      }
      return MemorySource(image)
    }

    @Test(arguments: ["vfat", "exfat", "iso9660"])
    func `an entry that libtsk leaves out is damage of the directory`(family: String) throws {
      let fileSystem = try TSKOpening.open(try nonsense(in: family))
      #expect(fileSystem.family == family)
      var names: [String] = []
      let root = try fileSystem.inode(fileSystem.root)
      let damage = try fileSystem.forEachEntry(of: root) {
        names.append(String(decoding: $0.name, as: UTF8.self))
        return true
      }
      #expect(!names.contains("hello.txt") && names.contains("dir"))
      let expected = "directory \(fileSystem.root.number): 1 of its entries make no sense"
      #expect(damage.map(\.problem) == [expected])
      let inodes = try fileSystem.forEachInode(isDeletedIncluded: false) { _ in true }
      #expect(inodes.map(\.problem) == [expected])
    }

    @Test func `the files that NTFS keeps for itself are structures`() throws {
      let fileSystem = try TSKOpening.open(try images.ntfs())
      let table = try fileSystem.map(of: fileSystem.inode(FileID(0)))
      let start = try #require(table.extents.first?.sourceRange?.lowerBound)
      #expect(fileSystem.structure(at: start) == "$MFT")
      let big = try fileSystem.map(of: try inode(fileSystem, "/big.bin"))
      let content = try #require(big.extents.first?.sourceRange?.lowerBound)
      #expect(fileSystem.structure(at: content) == nil)
    }

    /// The partition of HFS+ in an image of xorriso's, by its Apple partition map.
    private func hfsPlus(in image: FileSource) throws -> SliceSource {
      let buffer = IOBuffer(byteCount: 8192)
      try image.read(at: 0, into: buffer, 0..<8192)
      let bytes = buffer.bytes(0..<8192)
      func number(_ place: Int) -> UInt64 {
        bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt64($1) }
      }
      let entry = try #require(
        stride(from: 512, to: 8192, by: 512).first {
          bytes[$0..<$0 + 2].elementsEqual("PM".utf8)
            && bytes[$0 + 48..<$0 + 57].elementsEqual("Apple_HFS".utf8)
        })
      let start = number(entry + 8) * 512
      return try SliceSource(image, start..<start + number(entry + 12) * 512)
    }

    @Test func `bytes that are no file system are none`() {
      let source = MemorySource([UInt8](repeating: 0, count: 65536))
      #expect(throws: FileSystemError.notFound("memory")) { try TSKOpening.open(source) }
    }

    @Test func `a source that fails gives its own error`() throws {
      let source = FailingSource(try images.fat(16))
      let fileSystem = try TSKOpening.open(source)
      source.isFailing = true
      let error = try #require(throws: FileSystemError.self) {
        // Orphans are looked for everywhere, not only in what libtsk has cached.
        _ = try fileSystem.forEachInode(isDeletedIncluded: true) { _ in true }
      }
      guard case .io(let cause) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(cause.reason == .system(.permissionDenied))
    }
  }

  /// A source that begins to fail when it is told so.
  private final class FailingSource: BlockSource, @unchecked Sendable {
    let base: FileSource
    var isFailing = false

    init(_ base: FileSource) { self.base = base }

    var name: String { base.name }
    var byteCount: UInt64 { base.byteCount }

    func read(
      at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
    ) throws(BlockIOError) {
      if isFailing { throw BlockIOError(name, .read, .system(.permissionDenied)) }
      try base.read(at: byteOffset, into: buffer, range)
    }
  }
#endif
