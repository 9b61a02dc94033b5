public import BlockIO

/// Takes files out of a file system, with all that belongs to them, into a sink.
///
/// A file with unreadable content is written as far as possible, and its losses are listed. Only
/// errors that make it useless to continue are thrown: a full target, a changed input.
public struct Extraction {
  /// The number of losses listed; of more, only the number is known.
  private static let listedCountMax = 100_000

  private let fileSystem: any FileSystem
  private let sink: any ExtractionSink
  private let lost: [Range<UInt64>]
  private let progress: ProgressHandler
  /// The first path of each file that has several names.
  private var firstPaths: [FileID: [[UInt8]]] = [:]
  private var parents: Set<[[UInt8]]> = []

  /// The number of files extracted, directories included.
  public private(set) var fileCount: UInt64 = 0
  /// The number of bytes of their content.
  public private(set) var byteCount: UInt64 = 0
  /// The number of them that existed already, and were not written again.
  public private(set) var presentCount: UInt64 = 0
  /// The losses, at most 100,000 of them.
  public private(set) var losses: [ExtractionLoss] = []
  /// The number of losses.
  public private(set) var lossCount: UInt64 = 0
  /// The number of attributes and special files left out because they take rights that the user
  /// lacks.
  public private(set) var forbiddenCount: UInt64 = 0
  /// The first of them: its path, and its kind.
  public private(set) var firstForbidden: (path: String, what: String)?

  /// An extraction from a file system.
  ///
  /// - Parameters:
  ///   - lost: Bytes of the source, ascending, that are known to be wrong: they
  ///     are written, and listed as losses of the files that have them.
  ///   - progress: Called with the bytes written, and the total: 0 if unknown.
  package init(
    _ fileSystem: any FileSystem, to sink: any ExtractionSink, lost: [Range<UInt64>] = [],
    progress: @escaping ProgressHandler = { _, _ in }
  ) {
    (self.fileSystem, self.sink, self.progress) = (fileSystem, sink, progress)
    self.lost = lost
  }

  /// Whether everything that was asked for was there, and was read.
  public var isWhole: Bool { lossCount == 0 }

  /// Writes a file, or a directory and everything in it, under its path from the root.
  public mutating func extract(_ place: FileTree.Place) throws(ExtractionError) {
    var path = place.path.split(separator: "/").map { EscapedName.safe(EscapedName.name($0)) }
    try makeParents(of: place)
    let baseCount = max(path.count, 1) - 1
    var walk = TreeWalk(fileSystem, from: place)
    var last: (depth: Int, name: [UInt8])?
    var seenDamage = 0
    while let entry = try wrapping(ExtractionError.source, try walk.next()) {
      for damage in walk.damage[seenDamage...] { note(damage.path, "\(damage.damage.problem)") }
      seenDamage = walk.damage.count
      if entry.depth > 0 {
        path.removeLast(path.count - (baseCount + entry.depth - (place.path == "/" ? 1 : 0)))
        path.append(EscapedName.safe(entry.name))
        if let last, last == (entry.depth, entry.name) {
          note(entry.path, "its directory has this name twice")
          walk.skipDirectory()
          continue
        }
      }
      last = (entry.depth, entry.name)
      guard let inode = entry.inode else { continue }  // said among the walk's damage
      do throws(ExtractionError) { try write(inode, at: path, named: entry.path) } catch {
        try noteFailure(entry.path, error)
        walk.skipDirectory()
      }
    }
    for damage in walk.damage[seenDamage...] { note(damage.path, "\(damage.damage.problem)") }
  }

  /// Notes that a file that was asked for cannot be found.
  public mutating func miss(_ path: String, _ error: FileSystemError) {
    if case .noFile = error { note(path, "no such file") } else { note(path, error.damage.problem) }
  }

  /// Makes the directories on the way to a file, as they are.
  private mutating func makeParents(of place: FileTree.Place) throws(ExtractionError) {
    let names = place.path.split(separator: "/")
    for count in 1..<max(names.count, 1) {
      let path = names.prefix(count).map { EscapedName.safe(EscapedName.name($0)) }
      guard parents.insert(path).inserted else { continue }
      let text = "/" + names.prefix(count).joined(separator: "/")
      do throws(ExtractionError) {
        let parent = try wrapping(
          ExtractionError.source, try FileTree(fileSystem).find(text).inode)
        try write(parent, at: path, named: text)
      } catch {
        try noteFailure(text, error)
      }
    }
  }

  /// Finishes it: the steps that need all files to exist.
  public mutating func finish() throws(ExtractionError) {
    for (path, error) in try sink.finish() { try noteFailure(path, error) }
    presentCount = sink.presentCount
    if let first = sink.forbidden.first {
      firstForbidden = firstForbidden ?? first
      forbiddenCount += UInt64(sink.forbidden.count)
    }
  }

  private mutating func write(
    _ inode: Inode, at path: [[UInt8]], named name: String
  ) throws(ExtractionError) {
    if inode.linkCount > 1, inode.kind != .directory {
      if let first = firstPaths[inode.id] {
        try sink.hardLink(path, to: first, inode)
        fileCount += 1
        return
      }
    }
    var attributes: [ExtendedAttribute] = []
    do throws(FileSystemError) {
      let read = try fileSystem.attributes(of: inode)
      attributes = read.found
      for damage in read.damage { note(name, damage.problem) }
    } catch {
      if error.isFatal { throw .source(error) }
      note(name, "extended attributes: \(error.damage.problem)")
    }
    switch inode.kind {
    case .directory:
      try sink.directory(path, inode, attributes)
      try noteLosses(of: inode, named: name)
    case .regular:
      let content = try wrapping(ExtractionError.source, try fileSystem.content(of: inode))
      let (done, total) = (byteCount, UInt64(0))
      let unread = try sink.file(path, inode, attributes, content) { [progress] in
        progress(done &+ $0, total)
      }
      byteCount &+= content.byteCount
      try noteLosses(of: inode, named: name, unread: unread)
    case .link:
      let target = try wrapping(ExtractionError.source, try fileSystem.target(ofLink: inode))
      guard !target.isEmpty, !target.contains(0) else {
        note(name, "a symbolic link without a target")
        return
      }
      try sink.link(path, to: target, inode, attributes)
      try noteLosses(of: inode, named: name)
    case .characterDevice, .blockDevice, .fifo, .socket:
      try sink.special(path, inode, attributes)
    case .unknown:
      note(name, "of unknown type")
      return
    }
    fileCount += 1
    if inode.linkCount > 1, inode.kind != .directory { firstPaths[inode.id] = path }
  }

  /// Notes the losses of a file: its content, its map, its names or attributes.
  private mutating func noteLosses(
    of inode: Inode, named name: String, unread: [Range<UInt64>] = []
  ) throws(ExtractionError) {
    var (lost, isMapLost) = (unread, false)
    if !self.lost.isEmpty {
      let map = try wrapping(ExtractionError.source, try fileSystem.map(of: inode))
      lost = (lost + map.lost(self.lost)).union
      isMapLost = map.structures.contains { self.lost.touches($0) }
    }
    if inode.kind == .regular { lost = lost.parts(in: 0..<inode.byteCount) }
    if !lost.isEmpty, inode.kind == .regular {
      let count = lost.totalCount
      note(name, "\(count) of its bytes \(count == 1 ? "is" : "are") lost", lost)
    } else if !lost.isEmpty {
      note(name, inode.kind == .directory ? "some of its names are lost" : "its target is lost")
    } else if isMapLost {
      note(name, "its map or its attributes are lost in part")
    }
  }

  /// Notes a problem that concerns one file only.
  private mutating func noteFailure(
    _ path: String, _ error: ExtractionError
  ) throws(ExtractionError) {
    switch error {
    case .source(let error) where !error.isFatal: note(path, error.damage.problem)
    case .forbidden(let what):
      forbiddenCount += 1
      firstForbidden = firstForbidden ?? (path, what)
    case .cannotMake(let why): note(path, why)
    default: throw error
    }
  }

  private mutating func note(_ path: String, _ reason: String, _ lost: [Range<UInt64>] = []) {
    lossCount += 1
    if losses.count < Self.listedCountMax {
      losses.append(ExtractionLoss(path: path, reason: reason, ranges: lost))
    }
  }
}

/// A file that was not taken out whole, and why.
public struct ExtractionLoss: Equatable, Sendable {
  /// Its path.
  public let path: String
  /// The reason, in a few words.
  public let reason: String
  /// The bytes of the file that are lost, if it is there but for them.
  public let ranges: [Range<UInt64>]

  /// A file that is not whole.
  package init(path: String, reason: String, ranges: [Range<UInt64>] = []) {
    (self.path, self.reason, self.ranges) = (path, reason, ranges)
  }
}

/// A reason why an extraction cannot go on, or a file cannot be made.
public enum ExtractionError: CodedError {
  /// The file system could not be read.
  case source(FileSystemError)
  /// The target could not be written.
  case target(BlockIOError)
  /// One file cannot be made there: why.
  case cannotMake(String)
  /// One file, of that kind, needs rights that the user does not have.
  case forbidden(String)

  /// The status of the underlying failure; damage, if it is one file's.
  public var status: ExitStatus {
    switch self {
    case .source(let error): error.status
    case .target(let error): error.status
    case .cannotMake, .forbidden: .damage
    }
  }

  /// The code of the underlying failure.
  public var code: String {
    switch self {
    case .source(let error): error.code
    case .target(let error): error.code
    case .cannotMake, .forbidden: status.code
    }
  }

  /// The place of the failure.
  public var place: ErrorPlace? {
    switch self {
    case .source(let error): error.place
    case .target(let error): error.place
    case .cannotMake, .forbidden: nil
    }
  }

  public var description: String {
    switch self {
    case .source(let error): error.description
    case .target(let error): error.description
    case .cannotMake(let why): why
    case .forbidden(let what): "\(what): only root may make it"
    }
  }
}

/// The destination of extracted files.
///
/// Paths are names that are safe to make; the root's has none.
package protocol ExtractionSink: AnyObject {
  /// Makes a directory.
  func directory(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError)

  /// Makes a regular file.
  ///
  /// - Returns: The bytes of it that could not be read, ascending.
  func file(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute],
    _ content: any BlockSource, progress: (UInt64) -> Void
  ) throws(ExtractionError) -> [Range<UInt64>]

  /// Makes a symbolic link.
  func link(
    _ path: [[UInt8]], to target: [UInt8], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError)

  /// Makes another name of a file that was made.
  func hardLink(
    _ path: [[UInt8]], to first: [[UInt8]], _ inode: Inode
  ) throws(ExtractionError)

  /// Makes a pipe, a socket or a device.
  func special(
    _ path: [[UInt8]], _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) throws(ExtractionError)

  /// Ends it.
  ///
  /// - Returns: The paths of files that could not be finished, and why.
  func finish() throws(ExtractionError) -> [(path: String, error: ExtractionError)]

  /// The number of files that existed already, with the same content.
  var presentCount: UInt64 { get }

  /// The attributes that were left out because they take rights that the user does not have.
  var forbidden: [(path: String, what: String)] { get }
}

extension ExtractionSink {
  /// A path as text.
  func text(_ path: [[UInt8]]) -> String {
    "/" + path.map { EscapedName.text($0) }.joined(separator: "/")
  }
}
