internal import BlockIO
public import FileSystems
internal import SnapshotFormat

/// The exceptions of a store in the order of their first copy, and the files that they are of.
///
/// Linux allocates data chunks in order: a chunk of the origin that was written for the first time
/// since the snapshot has a higher new chunk than those before. That is an order, not a time; a
/// second write leaves no trace. In the salvage reading, placed chunks are in that order too.
public struct FileTimeline: Sendable {
  /// Consecutive first copies of bytes of one file, or of none.
  public struct Event: Sendable {
    /// The number of its first exception in the order of copies, from 0.
    public let order: UInt64
    /// The chunk of the store that its first exception names.
    public let newChunk: UInt64
    /// The chunk of the origin that that is of.
    public let oldChunk: UInt64
    /// The number of exceptions.
    public var exceptionCount: UInt64
    /// The file that owns them in the snapshot: before.
    public let before: Owner?
    /// The file that owns them in the origin: after.
    public let after: Owner?
  }

  /// A file that owns bytes, and its times.
  public struct Owner: Sendable {
    /// The file.
    public let inode: Inode
    /// Its first path; nil if no directory names it.
    public let path: String?
  }

  /// The events, in order.
  public private(set) var events: [Event] = []
  /// Damage met, and on which side: if there is any, files may be missing.
  public private(set) var damage: [(side: SnapshotFiles.Side, damage: FileSystemDamage)] = []

  /// Joins a table with the files of both sides.
  public init(_ files: SnapshotFiles) throws(FileSystemError) {
    let view = files.snapshot.view
    let table = view.table
    let ranges = files.part.inside(table.runs.compactMap { view.bytes(of: $0) })
    let before = try Owners(files.before, ranges)
    let after = try Owners(files.after, ranges)
    damage =
      before.damage.map { (.snapshot, $0) } + after.damage.map { (.origin, $0) }
    var order: UInt64 = 0
    var (last, lastIDs): (Event?, [FileID?]) = (nil, [])
    for run in table.runs.sorted(by: { $0.new < $1.new }) {
      for within in 0..<run.count {
        defer { order += 1 }
        let bytes = view.bytes(of: ExceptionRun(old: run.old + within, new: run.new, count: 1))
        guard let bytes, let inside = files.part.inside([bytes]).first else { continue }
        let ids = [before.owner(of: inside), after.owner(of: inside)]
        if ids == lastIDs, last != nil {
          last?.exceptionCount += 1
          continue
        }
        if let last { events.append(last) }
        lastIDs = ids
        last = Event(
          order: order, newChunk: run.new + within, oldChunk: run.old + within, exceptionCount: 1,
          before: before.file(ids[0]), after: after.file(ids[1]))
      }
    }
    if let last { events.append(last) }
  }

  /// The owners of the bytes that a table maps, on one side.
  private struct Owners {
    private let owned: [OwnerIndex.Owned]
    /// The furthest end of each of them and those before it.
    private let reach: [UInt64]
    private var files: [FileID: Owner] = [:]
    let damage: [FileSystemDamage]

    init(_ fileSystem: any FileSystem, _ ranges: [Range<UInt64>]) throws(FileSystemError) {
      let index = try OwnerIndex(fileSystem, within: ranges)
      owned = index.owners(of: ranges)
      var end: UInt64 = 0
      reach = owned.map {
        end = max(end, $0.bytes.upperBound)
        return end
      }
      let ids = Set(owned.map(\.id))
      let paths = try TreePaths(fileSystem, of: ids)
      damage = index.damage + paths.damage
      for id in ids {
        guard let inode = try? fileSystem.inode(id) else { continue }
        files[id] = Owner(inode: inode, path: paths.path(of: id))
      }
    }

    /// The file that owns the first owned byte of a chunk.
    func owner(of chunk: Range<UInt64>) -> FileID? {
      // Owned parts are ascending by their first byte, and those of several files may overlap: the
      // part that reaches the chunk may begin far before it.
      var index = reach.partitioningIndex { $0 > chunk.lowerBound }
      while index < owned.count, owned[index].bytes.lowerBound < chunk.upperBound {
        if owned[index].bytes.overlaps(chunk) { return owned[index].id }
        index += 1
      }
      return nil
    }

    func file(_ id: FileID?) -> Owner? { id.flatMap { files[$0] } }
  }
}
