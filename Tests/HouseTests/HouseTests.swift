import Testing

/// The house: which way its arrows point, and what its files promise. See docs/design.md.
@Suite struct HouseTests {
  private let tree: SourceTree

  init() throws { tree = try SourceTree() }

  // MARK: - Arrows

  /// The folders of SnapshotKit, the lowest first. A folder uses those of lower rows only.
  private static let snapshotKit = [
    ["Store"],
    ["Table"],
    ["Findings", "View", "Areas"],
    ["Identify"],
    ["Placement"],
    ["Salvage"],
    ["Snapshot"],
    ["Origin"],
    ["Merge", "Audit", "Carve", "Files"],
    ["Report"],
  ]

  @Test func `arrows between the folders of SnapshotKit point down`() {
    let files = tree.files.filter { $0.target == "SnapshotKit" }
    let ranks = Dictionary(
      uniqueKeysWithValues: Self.snapshotKit.enumerated().flatMap { rank, folders in
        folders.map { ($0, rank) }
      })
    #expect(Set(files.map(\.folder)) == Set(ranks.keys))
    let up = FolderUses(in: files).uses.filter {
      ranks[$0.from, default: -1] <= ranks[$0.to, default: .max]
    }
    #expect(up == [])
  }

  /// What each target imports of the others.
  private static let targets: [String: Set<String>] = [
    "SnapshotFormat": [],
    "FileSystemFormat": [],
    "Compression": ["CZlib", "CZstd"],
    "BlockIO": ["CLinux"],
    "Blkid": ["BlockIO", "CBlkid"],
    "TSK": ["BlockIO", "CTSK"],
    "FileSystems": ["BlockIO", "Compression", "FileSystemFormat", "TSK"],
    "MD": ["BlockIO", "SnapshotFormat"],
    "LVM2": ["BlockIO", "Blkid", "MD", "SnapshotFormat"],
    "SnapshotKit": [
      "BlockIO", "Blkid", "FileSystemFormat", "FileSystems", "LVM2", "MD", "SnapshotFormat",
    ],
    "Inputs": ["BlockIO", "LVM2", "MD", "SnapshotFormat", "SnapshotKit"],
    "Serving": [
      "BlockIO", "Blkid", "FileSystems", "Inputs", "LVM2", "SnapshotFormat", "SnapshotKit",
    ],
    "NbdkitPlugin": ["BlockIO", "CNbdkit", "Serving"],
    "FuseMount": ["BlockIO", "CFuse", "Serving"],
    "StampCommit": [],
    "dmsnap": [
      "BlockIO", "Blkid", "FileSystems", "Inputs", "LVM2", "MD", "Serving", "SnapshotFormat",
      "SnapshotKit",
    ],
  ]

  @Test func `a target imports what stands below it`() {
    #expect(Set(tree.files.map(\.target)) == Set(Self.targets.keys))
    let ours = Set(Self.targets.keys).union([
      "CLinux", "CBlkid", "CFuse", "CNbdkit", "CTSK", "CZlib", "CZstd",
    ])
    let up = tree.files.filter { file in
      !file.imports.intersection(ours).isSubset(of: Self.targets[file.target] ?? [])
    }
    #expect(up.map(\.path) == [])
  }

  @Test func `a drawing of arrows sees what a file names`() {
    let files = [
      SourceTree.File("Kit/Low/A.swift", "public struct Low {}\n"),
      SourceTree.File("Kit/High/B.swift", "/// High.\nenum High { case of(Low) }\n"),
      SourceTree.File(
        "Kit/Low/C.swift", "// High\nlet text = \"High\"\nextension Low { var up: High? { nil } }\n"
      ),
      SourceTree.File("Kit/Low/D.swift", #"let text = "High \(max(High.limit, 1)) High""# + "\n"),
      SourceTree.File("Kit/Low/E.swift", #"let text = "\"High\" \("High")" // High"# + "\n"),
    ]
    #expect(
      FolderUses(in: files).uses.map(\.description) == [
        "High → Low: Kit/High/B.swift names Low", "Low → High: Kit/Low/C.swift names High",
        "Low → High: Kit/Low/D.swift names High",
      ])
  }

  // MARK: - Files

  @Test func `no file has more than 400 lines`() {
    #expect(tree.files.filter { $0.lines.count > 401 }.map(\.path) == [])
  }

  @Test func `no line has more than 100 columns`() {
    let long = tree.files.flatMap { file in
      file.lines.enumerated().filter { $0.element.count > 100 }.map {
        "\(file.path):\($0.offset + 1)"
      }
    }
    #expect(long == [])
  }

  @Test func `unsafe code is in the listed files only`() {
    let listed: Set = [
      "BlockIO/ChildProcess.swift", "BlockIO/Copy/BackgroundThread.swift",
      "BlockIO/Copy/Conveyor.swift",
      "BlockIO/Copy/ExtentCloner.swift", "BlockIO/IOBuffer.swift",
      "BlockIO/Sources/FileShape.swift", "BlockIO/Sources/FileSource.swift",
      "BlockIO/Sources/MemoryFile.swift", "BlockIO/Sources/UncachedSource.swift",
      "BlockIO/Targets/DirectoryTarget.swift",
      "BlockIO/Targets/FileTarget.swift", "BlockIO/Targets/OutputFile.swift",
      "BlockIO/Targets/OutputStream.swift", "BlockIO/Targets/PrivateDirectory.swift",
      "BlockIO/Targets/SocketFile.swift", "BlockIO/Targets/UnpublishedFile.swift",
      "BlockIO/Use/KernelText.swift",
      "BlockIO/Use/ProcessUse.swift", "Blkid/LibraryProbe.swift", "Compression/Zlib.swift",
      "Compression/Zstd.swift", "FuseMount/FuseSession.swift", "NbdkitPlugin/Plugin.swift",
      "TSK/TSKGuard.swift", "TSK/TSKImage.swift", "TSK/TSKValues+Library.swift",
      "TSK/TSKVolume.swift", "TSK/TSKWorker.swift", "TSK/ThreadParking.swift",
      "dmsnap/StopRequest.swift",
    ]
    let found = tree.files.filter {
      $0.code.contains("unsafe ") || $0.code.contains("@unchecked")
    }
    #expect(Set(found.map(\.path)) == listed)
  }

  // MARK: - Comments

  @Test func `every declaration that other modules see has a comment`() {
    let bare = tree.files.flatMap { file in
      file.lines.indices.filter { Self.isBare(file, $0) }.map {
        "\(file.path):\($0 + 1): \(file.lines[$0].drop { $0 == " " })"
      }
    }
    #expect(bare == [])
  }

  @Test func `a declaration without a comment is seen`() {
    let text = """
      /// A thing.
      public struct Thing: CustomStringConvertible {
        @available(*, deprecated)
        public var bare: Int
        /// Commented.
        @inlinable
        public init() {}
        public var description: String { "" }
        public var name: String { "" }
        package var length: Int { 0 }
        var inner: Int { 0 }
      }
      """
    let plain = SourceTree.File("Kit/A.swift", text)
    let source = SourceTree.File(
      "Kit/B.swift", text.replacing("Thing: ", with: "Thing: BlockSource, "))
    #expect(plain.lines.indices.filter { Self.isBare(plain, $0) } == [3, 8, 9])
    #expect(source.lines.indices.filter { Self.isBare(source, $0) } == [3, 9])
  }

  /// Requirements of protocols of the standard library, which have their comments there.
  private static let inherited = [
    "var description: String", "static func <", "static func ==", "func hash(into",
    "func encode(to", "init(from", "var errorDescription",
  ]

  /// Whether a line is a public or package declaration that needs a comment and has none above it.
  private static func isBare(_ file: SourceTree.File, _ index: Int) -> Bool {
    let line = file.lines[index].drop { $0 == " " }
    guard line.hasPrefix("public ") || line.hasPrefix("package "), !line.contains(" import ") else {
      return false
    }
    if inherited.contains(where: { line.contains($0) }) || file.isWitness(line) { return false }
    var above = index - 1
    while above >= 0, file.lines[above].drop(while: { $0 == " " }).hasPrefix("@") { above -= 1 }
    return above < 0 || !file.lines[above].drop(while: { $0 == " " }).hasPrefix("///")
  }
}
