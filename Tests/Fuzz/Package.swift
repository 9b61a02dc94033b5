// swift-tools-version: 6.2

import PackageDescription

/// The fuzzers, apart from the package that they test: nobody but `make fuzz` builds them.
let package = Package(
  name: "dmsnap-fuzz",
  dependencies: [
    .package(name: "dmsnap", path: "../.."),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .systemLibrary(name: "CFuzzer"),
    // The codecs of file systems are of no library's interface: their sources are built here again.
    .target(name: "FuzzedFormats", path: "Sources/FileSystemFormat"),
    .executableTarget(name: "FuzzFileSystem", dependencies: ["FuzzedFormats", "Fuzzing"]),
    .target(name: "Fuzzing", dependencies: ["CFuzzer"], swiftSettings: [.strictMemorySafety()]),
  ]
    + ["FuzzHeader", "FuzzStore", "FuzzMapfile", "FuzzMetadata", "FuzzPhysicalVolume"].map { name in
      .executableTarget(
        name: name,
        dependencies: [
          "Fuzzing", .product(name: "SnapshotKit", package: "dmsnap"),
          .product(name: "SystemPackage", package: "swift-system"),
        ],
        swiftSettings: [.strictMemorySafety()])
    },
  swiftLanguageModes: [.v6]
)
