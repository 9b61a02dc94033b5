// swift-tools-version: 6.2

import PackageDescription

// What another program sees of the libraries: nothing but what is public.
let dependencies: [Target.Dependency] = ["SnapshotKit", "BlockIO", "LVM2", "SnapshotFormat"].map {
  .product(name: $0, package: "dmsnap")
}

let package = Package(
  name: "consumer",
  dependencies: [
    .package(name: "dmsnap", path: "../.."),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: ["table", "export", "salvage", "merge", "volume"].map {
    .executableTarget(
      name: $0,
      dependencies: dependencies + [.product(name: "SystemPackage", package: "swift-system")])
  })
