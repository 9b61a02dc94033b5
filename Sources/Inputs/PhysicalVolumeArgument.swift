/// A path to search for a physical volume: `PATH[,offset=BYTES][,length=BYTES][,map=MAPFILE]`.
package struct PhysicalVolumeArgument: Sendable {
  /// As the user gave it.
  package let text: String
  /// The path by itself.
  package let path: PathArgument
  /// The mapfile of ddrescue for it.
  package let map: PathArgument?

  /// The same, with absolute paths.
  package var absolute: String { path.absolute + (map.map { ",map=\($0.absolute)" } ?? "") }

  /// Parses it; nil if a path has wrong numbers.
  package init?(argument: String) {
    text = argument
    guard let place = argument.range(ofLast: ",map=") else {
      guard let path = PathArgument(argument: argument) else { return nil }
      (self.path, map) = (path, nil)
      return
    }
    guard let path = PathArgument(argument: String(argument[..<place.lowerBound])),
      let map = PathArgument(argument: String(argument[place.upperBound...]))
    else { return nil }
    (self.path, self.map) = (path, map)
  }
}

extension String {
  fileprivate func range(ofLast part: String) -> Range<Index>? {
    var start = endIndex
    while start > startIndex {
      formIndex(before: &start)
      if self[start...].hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
    }
    return nil
  }
}
