package import BlockIO
package import SystemPackage

/// An extraction into a directory.
///
/// Nothing is replaced, and nothing outside the directory is reached: everything is made relative
/// to descriptors of directories, without following symbolic links, and those are made last. Then
/// directories get their attributes, for making files in them would change their times.
///
/// A file gets its name only once it is complete. A resumed extraction takes files with the same
/// content for its own earlier work, and sets their attributes.
package final class DirectorySink: ExtractionSink {
  private static let smallByteCountMax: UInt64 = 1 << 20
  /// More directories are not kept open, whatever the depth.
  private static let openCountMax = 64

  private let root: DirectoryTarget
  private let resumes: Bool
  private let buffer = IOBuffer(byteCount: Int(smallByteCountMax))
  /// The content of a file that exists already, to compare with `buffer`.
  private lazy var present = IOBuffer(byteCount: Int(DirectorySink.smallByteCountMax))
  /// The directory that was used last, and those above it that are still open, the innermost last.
  private var trail: (path: [[UInt8]], targets: [DirectoryTarget]) = ([], [])
  private var links: [Link] = []
  /// The index in ``links`` of a path.
  private var linkIndices: [[[UInt8]]: Int] = [:]
  private var directories: [(path: [[UInt8]], attributes: DirectoryTarget.Attributes)] = []
  /// The directories that were made: another name that leads to one of them is the same name to
  /// that file system.
  private var made: [FileIdentity: [[UInt8]]] = [:]
  package private(set) var forbidden: [(path: String, what: String)] = []
  package private(set) var presentCount: UInt64 = 0

  /// A symbolic link, or another name of one, to be made.
  private struct Link {
    let path: [[UInt8]]
    let target: [UInt8]
    let attributes: DirectoryTarget.Attributes
    /// The other names.
    var names: [[[UInt8]]] = []
  }

  /// An extraction into the directory at a path, which is made if nothing is there.
  ///
  /// - Parameter resumes: Whether it goes on with one that was stopped.
  package init(path: FilePath, resumes: Bool = false) throws(BlockIOError) {
    self.resumes = resumes
    root = try DirectoryTarget(path: path)
  }

  // MARK: - Directories

  package func directory(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError) {
    guard let name = path.last else {  // the directory that the user gave
      if resumes { presentCount += 1 }
      return
    }
    let (isOurs, identity): (Bool, FileIdentity) = try make { () throws(BlockIOError) in
      let parent = try directory(at: path.dropLast())
      if resumes, try parent.kind(of: name) == .directory {
        try parent.reclaim(name)
        presentCount += 1
        return (true, try directory(at: path[...]).identity())
      }
      let isNew = try parent.makeDirectory(name)
      return (isNew, try directory(at: path[...]).identity())
    }
    if let other = made[identity], other != path {
      throw .cannotMake("the same name as \(text(other)) to the target's file system")
    }
    // Otherwise one that was there already is not ours to change.
    guard isOurs else { return }
    made[identity] = path
    directories.append((path, Self.attributes(inode, attributes)))
  }

  /// Opens a directory that was made, by its path.
  private func directory(at path: ArraySlice<[UInt8]>) throws(BlockIOError) -> DirectoryTarget {
    let common = zip(trail.path, path).prefix { $0 == $1 }.count
    let excess = trail.path.count - common
    if excess < trail.targets.count {
      trail.path.removeLast(excess)
      trail.targets.removeLast(excess)
    } else {
      trail = ([], [])
    }
    var target = trail.targets.last ?? root
    for name in path.dropFirst(trail.path.count) {
      target = try target.directory(name)
      trail.path.append(name)
      trail.targets.append(target)
      if trail.targets.count > Self.openCountMax { trail.targets.removeFirst() }
    }
    return target
  }

  // MARK: - Files

  package func file(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute],
    _ content: any BlockSource, progress: (UInt64) -> Void
  ) throws(ExtractionError) -> [Range<UInt64>] {
    guard let name = path.last else { return [] }
    let parent = try make { () throws(BlockIOError) in try directory(at: path.dropLast()) }
    let attributes = Self.attributes(inode, attributes)
    if try isPresent(name, .regular, in: parent) {
      let file = try make { () throws(BlockIOError) in try parent.file(name) }
      guard let lost = try trying({ () throws(BlockIOError) in try compare(content, file) }) else {
        throw .cannotMake("exists with other content, and was not overwritten")
      }
      try make { () throws(BlockIOError) in note(path, try parent.set(attributes, of: file)) }
      presentCount += 1
      progress(content.byteCount)
      return lost
    }
    let file = try make { () throws(BlockIOError) in
      try parent.makeFile(name, byteCount: content.byteCount)
    }
    let lost = try trying { () throws(BlockIOError) in
      let lost = try copy(content, to: file, progress)
      note(path, try file.set(attributes))
      return lost
    }
    try make { () throws(BlockIOError) in try file.publish() }
    return lost
  }

  /// Whether something of that kind was there before, and may be a file that an earlier extraction
  /// made.
  private func isPresent(
    _ name: [UInt8], _ kind: DirectoryTarget.Kind, in parent: DirectoryTarget
  ) throws(ExtractionError) -> Bool {
    guard resumes else { return false }
    return try make { () throws(BlockIOError) in try parent.kind(of: name) == kind }
  }

  /// Compares content with that of a file that is there already.
  ///
  /// - Returns: The unreadable ranges of the content; nil if the rest differs.
  private func compare(
    _ content: any BlockSource, _ file: FileSource
  ) throws(BlockIOError) -> [Range<UInt64>]? {
    guard content.byteCount == file.byteCount else { return nil }
    let known = content.knownUnreadable(in: 0..<content.byteCount)
    var (lost, data, isSame) = (known, [Range<UInt64>](), true)
    for source in [content, file] as [any BlockSource] {
      try source.forEachData(except: known) { data.append($0) }
    }
    for range in data.union where isSame {
      var position = range.lowerBound
      while position < range.upperBound, isSame {
        let count = min(range.upperBound - position, Self.smallByteCountMax)
        let place = 0..<Int(count)
        lost += try content.readAround(at: position, into: buffer, place)
        try file.read(at: position, into: present, place)
        isSame = buffer.equals(place, in: present, at: 0)
        position += count
      }
    }
    return isSame ? lost.union : nil
  }

  private func copy(
    _ content: any BlockSource, to file: NewFile, _ progress: (UInt64) -> Void
  ) throws(BlockIOError) -> [Range<UInt64>] {
    let known = content.knownUnreadable(in: 0..<content.byteCount)
    if content.byteCount > Self.smallByteCountMax {
      let lost = try ExtentCopier(from: content, to: file, readsAround: true).copy(
        { (copy) throws(BlockIOError) in
          try content.forEachData(except: known) { (data) throws(BlockIOError) in
            try copy(
              CopyExtent(
                sourceOffset: data.lowerBound, targetOffset: data.lowerBound,
                byteCount: data.upperBound - data.lowerBound))
          }
        },
        progress: {
          progress($0)
          return true
        }
      ).unreadable
      return (lost + known).union
    }
    var lost = known
    try content.forEachData(except: known) { (data) throws(BlockIOError) in
      let place = 0..<data.count
      let unreadable = try content.readAround(at: data.lowerBound, into: buffer, place)
      for piece in [data].without(unreadable) {
        let start = Int(piece.lowerBound - data.lowerBound)
        try file.write(at: piece.lowerBound, from: buffer, start..<start + piece.count)
      }
      lost += unreadable
    }
    progress(content.byteCount)
    return lost.union
  }

  package func link(
    _ path: [[UInt8]], to target: [UInt8], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) {
    linkIndices[path] = links.count
    links.append(
      Link(path: path, target: target, attributes: Self.attributes(inode, attributes)))
  }

  package func hardLink(
    _ path: [[UInt8]], to first: [[UInt8]], _ inode: Inode
  ) throws(ExtractionError) {
    if inode.kind == .link, let index = linkIndices[first] {
      links[index].names.append(path)
      return
    }
    try makeHardLink(path, to: first)
  }

  private func makeHardLink(
    _ path: [[UInt8]], to first: [[UInt8]]
  ) throws(ExtractionError) {
    guard let name = path.last, let firstName = first.last else { return }
    try make { () throws(BlockIOError) in
      // The directory opened last stays open.
      let other = try directory(at: first.dropLast())
      let parent = try directory(at: path.dropLast())
      if resumes, try parent.kind(of: name) != nil,
        try parent.identity(of: name) == other.identity(of: firstName)
      {
        presentCount += 1
        return
      }
      try parent.makeHardLink(name, to: firstName, in: other)
    }
  }

  package func special(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError) {
    guard let name = path.last else { return }
    let special: DirectoryTarget.Special
    switch (inode.kind, inode.device) {
    case (.fifo, _): special = .fifo
    case (.socket, _): special = .socket
    case (let kind, let device?):
      guard DirectoryTarget.canGiveAway else { throw .forbidden("a device") }
      special =
        kind == .blockDevice
        ? .blockDevice(major: device.major, minor: device.minor)
        : .characterDevice(major: device.major, minor: device.minor)
    default: throw .cannotMake("a device without a number")
    }
    try make { () throws(BlockIOError) in
      let target = try directory(at: path.dropLast())
      if resumes, try target.kind(of: name) == .special(special) {
        presentCount += 1
      } else {
        try target.makeSpecial(name, special)
      }
      note(path, try target.set(Self.attributes(inode, attributes), of: name, isLink: false))
    }
  }

  // MARK: - The end

  package func finish() throws(ExtractionError) -> [(path: String, error: ExtractionError)] {
    var failures: [(path: String, error: ExtractionError)] = []
    func trying(
      _ path: [[UInt8]], _ body: () throws(ExtractionError) -> Void
    ) {
      do throws(ExtractionError) { try body() } catch { failures.append((text(path), error)) }
    }
    for link in links {
      trying(link.path) { () throws(ExtractionError) in
        guard let name = link.path.last else { return }
        try make { () throws(BlockIOError) in
          let target = try directory(at: link.path.dropLast())
          if resumes, try target.kind(of: name) == .link,
            try target.target(ofLink: name) == link.target
          {
            presentCount += 1
          } else {
            try target.makeLink(name, to: link.target)
          }
          note(link.path, try target.set(link.attributes, of: name, isLink: true))
        }
      }
      for name in link.names {
        trying(name) { () throws(ExtractionError) in try makeHardLink(name, to: link.path) }
      }
    }
    // The innermost first: one that may not be entered any more has nothing left to be done in it.
    for (path, attributes) in directories.reversed() {
      trying(path) { () throws(ExtractionError) in
        try make { () throws(BlockIOError) in
          note(path, try directory(at: path[...]).set(attributes))
        }
      }
    }
    do throws(BlockIOError) { try root.flush() } catch { throw .target(error) }
    return failures
  }

  // MARK: - Attributes and errors

  private static func attributes(
    _ inode: Inode, _ extended: [ExtendedAttribute]
  ) -> DirectoryTarget.Attributes {
    DirectoryTarget.Attributes(
      owner: DirectoryTarget.canGiveAway ? (inode.owner, inode.group) : nil,
      permissions: inode.permissions,
      accessed: (inode.accessed.seconds, inode.accessed.nanoseconds),
      modified: (inode.modified.seconds, inode.modified.nanoseconds),
      extended: extended.map { ($0.name, $0.value) })
  }

  private func note(_ path: [[UInt8]], _ refused: [[UInt8]]) {
    for name in refused { forbidden.append((text(path), EscapedName.text(name))) }
  }

  /// Reads and writes content; that the file is too large for the target is that file's loss.
  private func trying<Value>(
    _ body: () throws(BlockIOError) -> Value
  ) throws(ExtractionError) -> Value {
    do throws(BlockIOError) { return try body() } catch {
      if error.operation == .write, error.reason == .system(.fileTooLarge) {
        throw .cannotMake("cannot be made there: \(Errno.fileTooLarge)")
      }
      throw .target(error)
    }
  }

  /// Makes something.
  ///
  /// If one file cannot be made, only that file is lost; a full target is the end.
  private func make<Value>(
    _ body: () throws(BlockIOError) -> Value
  ) throws(ExtractionError) -> Value {
    do throws(BlockIOError) { return try body() } catch {
      switch error.reason {
      case .refused(let why): throw .cannotMake(why)
      case .system(let errno):
        let isOneFiles: [Errno] = [
          .fileNameTooLong, .notDirectory, .noSuchFileOrDirectory, .tooManySymbolicLinkLevels,
          .invalidArgument, .illegalByteSequence, .tooManyLinks, .fileTooLarge, .notPermitted,
          .notSupported,
        ]
        if isOneFiles.contains(errno) { throw .cannotMake("cannot be made there: \(errno)") }
        throw .target(error)
      default: throw .target(error)
      }
    }
  }
}

extension BlockSource {
  /// Calls `body` with each range that may hold anything but zeroes, ascending.
  ///
  /// - Parameter known: Ranges known to be unreadable, ascending, which are left out. A damaged map
  ///   may say that of 2^60 bytes, which are not to be tried one after another.
  func forEachData(
    except known: [Range<UInt64>], _ body: (Range<UInt64>) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    var position: UInt64 = 0
    while let data = try nextData(from: position), data.upperBound > position {
      let rest = max(data.lowerBound, position)..<data.upperBound
      for piece in [rest].without(known) { try body(piece) }
      position = data.upperBound
    }
  }
}
