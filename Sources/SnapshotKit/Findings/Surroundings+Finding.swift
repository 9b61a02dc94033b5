extension Surroundings {
  /// The finding for a store inside it.
  var finding: Finding {
    Finding(
      code: .insideFilesystem, place: Finding.Place(),
      found: "a store within the file system (\(type)) at byte \(byteOffset) of the image",
      required: "the file, read through its file system")
  }
}
