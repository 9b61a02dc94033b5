internal import Blkid
internal import BlockIO
internal import SnapshotFormat

/// The comparison of a snapshot and its origin by content: whether the origin is the store's, and
/// whether it has been written since.
///
/// The only code that decides this; every command that takes an origin reports the result.
public struct OriginCheck: Sendable {
  /// The content of the snapshot and of the origin.
  public let content: ContentComparison
  /// The contradiction to the origin; nil if there is none.
  public let contradiction: OriginContradiction?
  /// Whether the origin of an invalid snapshot was written; nil for a valid snapshot.
  public let writes: OriginWrites?
  /// The length of the origin.
  package let originByteCount: UInt64
  /// The length of the snapshot's file system by its superblock; nil if unknown.
  package let fileSystemByteCount: UInt64?

  /// Examines the content of `view`.
  ///
  /// - Parameter hasInFlightChunks: Whether the store has copies that were under way when the
  ///   snapshot became invalid.
  package init(_ view: SnapshotView, hasInFlightChunks: Bool) throws(StoreError) {
    let shown = try wrapping(StoreError.probe, try Probe.identify(view))
    let own = try wrapping(StoreError.probe, try Probe.identify(view.origin))
    content = ContentComparison(
      snapshot: ContentIdentity(shown), origin: ContentIdentity(own))
    originByteCount = view.origin.byteCount
    do throws(BlockIOError) {
      // An undo store knows its origin.
      let isUndo = try UndoManifest.undoes(view)
      contradiction = isUndo ? nil : try OriginContradiction(view, shown: shown, own: own)
      let store = Store(view.store)
      let isInvalid = store.header?.hasMagic == true && store.header?.valid == 0
      writes =
        isInvalid
        ? try OriginWrites(view, own: own, hasInFlightChunks: hasInFlightChunks) : nil
      let (ext, xfs) = (try ExtSuperblock(view), try XFSSuperblock(view))
      fileSystemByteCount = ext?.byteCount ?? xfs?.byteCount
    } catch {
      throw .io(error)
    }
  }

  /// Whether a result that takes chunks of the origin may be wrong.
  public var isInDoubt: Bool {
    if contradiction != nil { return true }
    return switch writes {
    case nil, .impossible: false
    case .proved, .unknown: true
    }
  }

  /// The findings of an audit.
  public var findings: [Finding] {
    var findings: [Finding] = []
    if let contradiction { findings.append(contradiction.finding) }
    if let writes { findings.append(writes.finding) }
    if let uuid = content.sharedUUID {
      findings.append(
        Finding(
          code: .sameUUID, place: Finding.Place(), found: "UUID \(uuid) in both",
          required: "one of them mounted at a time"))
    }
    return findings
  }
}

extension [Finding] {
  /// Whether a store has copies that were under way when its snapshot became invalid.
  var hasInFlightChunks: Bool { contains { $0.code == .inFlight } }
}
