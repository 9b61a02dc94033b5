// swift-tools-version: 6.2

import PackageDescription

/// The name by which SwiftPM knows the package that is tested, which is its folder's.
///
/// The fuzzers pass for a part of it, because most of what they test is seen only within it.
let tested = Context.packageDirectory.split(separator: "/").dropLast(2).last.map { folder in
  String(folder.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
}

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
    + ["FuzzHeader", "FuzzStore", "FuzzMapfile", "FuzzMetadata", "FuzzPhysicalVolume", "FuzzTree"]
    .map { name in
      .executableTarget(
        name: name,
        dependencies: [
          "Fuzzing", .product(name: "SnapshotKit", package: "dmsnap"),
          .product(name: "SystemPackage", package: "swift-system"),
        ],
        packageAccess: false,
        swiftSettings: [
          .strictMemorySafety(), .unsafeFlags(["-package-name", tested ?? ""]),
        ])
    },
  swiftLanguageModes: [.v6]
)
