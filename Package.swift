// swift-tools-version: 6.2

import PackageDescription

/// The settings of every target.
///
/// `make test` sets DMSNAP_WARNINGS_ARE_ERRORS; a user's build does not, so that a newer compiler's
/// new warning cannot break it.
let strict: [SwiftSetting] =
  [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
  + (Context.environment["DMSNAP_WARNINGS_ARE_ERRORS"] == nil
    ? [] : [.treatAllWarnings(as: .error)])

/// The settings of the tests, which need no optimisation themselves: it would double the time that
/// they take to build, to save seconds.
let test = strict + [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

// Without the trait nothing of libtsk is built or needed; with it, it is loaded when it is needed.
let tsk = TargetDependencyCondition.when(traits: ["TSK"])
// What a failed assertion of libtsk calls is the program's own function (TSKWorker).
let asserting = [
  LinkerSetting.unsafeFlags(["-Xlinker", "--export-dynamic-symbol=__assert_fail"])
]

// Each of these two is a product by itself: dmsnap needs no library for serving.
let nbdkit = TargetDependencyCondition.when(traits: ["Nbdkit"])
let fuse = TargetDependencyCondition.when(traits: ["Fuse"])

let package = Package(
  name: "dmsnap",
  products: [
    .executable(name: "dmsnap", targets: ["dmsnap"]),
    .library(name: "SnapshotKit", targets: ["SnapshotKit"]),
    .library(name: "BlockIO", targets: ["BlockIO"]),
    .library(name: "LVM2", targets: ["LVM2"]),
    .library(name: "SnapshotFormat", targets: ["SnapshotFormat"]),
    .library(name: "nbdkit-dmsnap-plugin", type: .dynamic, targets: ["NbdkitPlugin"]),
    .executable(name: "dmsnap-fuse", targets: ["FuseMount"]),
  ],
  traits: [
    .default(enabledTraits: ["Fuse", "Nbdkit", "TSK", "Zlib", "Zstd"]),
    .trait(name: "Fuse", description: "dmsnap-fuse, which `dmsnap mount` needs; needs libfuse3."),
    .trait(
      name: "Nbdkit",
      description: "nbdkit's plugin, which `dmsnap serve` needs; needs nbdkit-plugin-dev."),
    .trait(
      name: "TSK",
      description: "Files of FAT, exFAT, NTFS, ISO 9660 and HFS+, by libtsk."),
    .trait(name: "Zlib", description: "Files that btrfs compressed by zlib; needs zlib."),
    .trait(name: "Zstd", description: "Files that btrfs compressed by zstd; needs libzstd."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .systemLibrary(name: "CBlkid", pkgConfig: "blkid", providers: [.apt(["libblkid-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CTSK", providers: [.apt(["libtsk-dev"])]),
    .systemLibrary(
      name: "CNbdkit", pkgConfig: "nbdkit", providers: [.apt(["nbdkit-plugin-dev"])]),
    .systemLibrary(name: "CFuse", pkgConfig: "fuse3", providers: [.apt(["libfuse3-dev"])]),
    .target(name: "SnapshotFormat", swiftSettings: strict),
    .target(name: "FileSystemFormat", swiftSettings: strict),
    .target(name: "BlockIO", dependencies: ["CLinux", systemPackage], swiftSettings: strict),
    .target(name: "Blkid", dependencies: ["BlockIO", "CBlkid"], swiftSettings: strict),
    .target(name: "MD", dependencies: ["BlockIO", "SnapshotFormat"], swiftSettings: strict),
    .target(
      name: "LVM2", dependencies: ["BlockIO", "Blkid", "MD", "SnapshotFormat"],
      swiftSettings: strict),
    .target(
      name: "Compression",
      dependencies: [
        .target(name: "CZlib", condition: .when(traits: ["Zlib"])),
        .target(name: "CZstd", condition: .when(traits: ["Zstd"])),
      ],
      swiftSettings: strict),
    .target(
      name: "TSK", dependencies: ["BlockIO", .target(name: "CTSK", condition: tsk)],
      swiftSettings: strict),
    .target(
      name: "FileSystems",
      dependencies: [
        "BlockIO", "Compression", "FileSystemFormat", .target(name: "TSK", condition: tsk),
        systemPackage,
      ],
      swiftSettings: strict),
    .target(
      name: "SnapshotKit",
      dependencies: [
        "BlockIO", "Blkid", "FileSystemFormat", "FileSystems", "LVM2", "MD", "SnapshotFormat",
        crypto, systemPackage,
      ],
      swiftSettings: strict),
    .target(
      name: "Inputs",
      dependencies: [
        "BlockIO", "LVM2", "MD", "SnapshotFormat", "SnapshotKit", systemPackage,
      ],
      swiftSettings: strict),
    .target(
      name: "Serving",
      dependencies: [
        "BlockIO", "Blkid", "FileSystems", "Inputs", "LVM2", "SnapshotFormat", "SnapshotKit",
        systemPackage,
      ],
      swiftSettings: strict),
    .target(
      name: "NbdkitPlugin",
      dependencies: [
        "BlockIO", "Serving", .target(name: "CNbdkit", condition: nbdkit), systemPackage,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "FuseMount",
      dependencies: ["BlockIO", "Serving", .target(name: "CFuse", condition: fuse)],
      swiftSettings: strict),
    .executableTarget(
      name: "dmsnap",
      dependencies: [
        "BlockIO", "Blkid", "FileSystems", "Inputs", "LVM2", "MD", "Serving", "SnapshotFormat",
        "SnapshotKit", argumentParser, systemPackage,
      ],
      swiftSettings: strict, linkerSettings: asserting, plugins: ["StampCommit"]),
    .plugin(
      name: "StampCommit", capability: .buildTool(), path: "Sources/StampCommit",
      exclude: ["stamp-commit"]),
    .target(
      name: "TestSupport",
      dependencies: ["BlockIO", "FileSystems", crypto],
      path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(
      name: "SnapshotFormatTests", dependencies: ["SnapshotFormat", "TestSupport"],
      swiftSettings: test),
    .testTarget(
      name: "FileSystemFormatTests", dependencies: ["FileSystemFormat", "TestSupport"],
      swiftSettings: test),
    .testTarget(name: "CompressionTests", dependencies: ["Compression"], swiftSettings: test),
    .testTarget(
      name: "FileSystemsTests",
      dependencies: [
        "BlockIO", "FileSystemFormat", "FileSystems", "TestSupport", systemPackage,
        .target(name: "TSK", condition: tsk),
      ],
      exclude: ["Btrfs/Images", "TSK/Images", "XFS/Images"], swiftSettings: test,
      linkerSettings: asserting),
    .testTarget(
      name: "BlockIOTests", dependencies: ["BlockIO", "TestSupport", systemPackage],
      swiftSettings: test),
    .testTarget(
      name: "BlkidTests", dependencies: ["Blkid", "BlockIO", "TestSupport", systemPackage],
      swiftSettings: test),
    .testTarget(
      name: "LVM2Tests", dependencies: ["BlockIO", "LVM2", "MD", "TestSupport", systemPackage],
      swiftSettings: test),
    .testTarget(
      name: "SnapshotKitTests",
      dependencies: [
        "BlockIO", "FileSystemFormat", "FileSystems", "LVM2", "SnapshotFormat", "SnapshotKit",
        "TestSupport",
      ],
      swiftSettings: test),
    .testTarget(
      name: "ServingTests",
      dependencies: [
        "BlockIO", "Serving", "SnapshotFormat", "SnapshotKit", "TestSupport", systemPackage,
      ],
      swiftSettings: test),
    .testTarget(name: "HouseTests", swiftSettings: test),
    .testTarget(
      name: "DmsnapTests",
      dependencies: ["dmsnap", "SnapshotFormat", "SnapshotKit", "TestSupport"],
      swiftSettings: test),
  ],
  swiftLanguageModes: [.v6]
)
