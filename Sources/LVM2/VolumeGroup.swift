/// A volume group as one version of its metadata describes it.
///
/// Numbers are as in the text, except for sizes, which are bytes. Nothing was checked against a
/// device.
///
/// - Source: lvm2 `lib/format_text/import_vsn1.c`.
public struct VolumeGroup: Equatable, Sendable {
  /// Its name.
  public var name: String
  /// Its UUID.
  public var uuid: LVMIdentifier
  /// The number of this version; each change increments it.
  public var seqno: UInt64
  /// The status flags, such as "RESIZEABLE" and "EXPORTED".
  package var status: [String]
  /// The size of an extent, the unit of allocation.
  public var extentByteCount: UInt64
  /// The physical volumes, missing ones included.
  public var physicalVolumes: [PhysicalVolume]
  /// All of them, including the hidden parts of others, but not the pseudo volumes that tie a
  /// snapshot to its origin; those are ``snapshots``.
  public var logicalVolumes: [LogicalVolume]
  /// The snapshots, by the pseudo volumes.
  public var snapshots: [Snapshot]
  /// The change, in lvm2's words: the command line, or "Created *before* executing ...".
  public var description: String
  /// When the text was written, in seconds since 1970; nil if the text does not say.
  public var creationTime: Int64?
  /// The version of lvm2 that wrote the text, "2.03.16(2) (2022-05-18)"; nil if the text does not
  /// say.
  public var writer: String?

  /// A disk, or a part of one, that gives a volume group its space.
  public struct PhysicalVolume: Equatable, Sendable {
    /// Its name in the text: "pv0".
    public var name: String
    /// Its UUID.
    public var uuid: LVMIdentifier
    /// Its device when the text was written, "/dev/sda2"; only a hint.
    public var device: String
    /// The status flags; "ALLOCATABLE" does not matter to readers.
    package var status: [String]
    /// Other flags, of which lvm2 knows "MISSING": it was not there when the text was written.
    package var flags: [String]
    /// The size of the device; nil if the text does not say.
    public var byteCount: UInt64?
    /// Where its first extent begins, in bytes.
    package var startByteOffset: UInt64
    /// The number of extents.
    public var extentCount: UInt64
  }

  /// A volume made of extents.
  public struct LogicalVolume: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// Its UUID.
    public var uuid: LVMIdentifier
    /// The status flags: "READ", "WRITE", "VISIBLE", "PVMOVE" ...
    package var status: [String]
    /// When it was made, in seconds since 1970; nil if the text does not say.
    public var creationTime: Int64?
    /// In the order of the volume, from extent 0 on, without gaps.
    package var segments: [Segment]

    /// The number of extents.
    public var extentCount: UInt64 { segments.last?.extents.upperBound ?? 0 }
    /// lvm2's name for the mapping of its first segment.
    public var type: String { segments.first?.mapping.type ?? "empty" }
    /// Whether users see it, rather than only other volumes.
    public var isVisible: Bool { status.contains("VISIBLE") }
    /// Whether it may be written: a leg that was split off a mirror with its changes tracked may
    /// not.
    public var isWritable: Bool { status.contains("WRITE") }
  }

  /// The volume of that name.
  public func volume(named name: String) -> LogicalVolume? {
    logicalVolumes.first { $0.name == name }
  }

  /// A part of a logical volume that is mapped in one way.
  package struct Segment: Equatable, Sendable {
    /// Its extents in the volume.
    package var extents: Range<UInt64>
    /// Their mapping.
    package var mapping: Mapping
  }

  /// The mapping of a segment's extents.
  package enum Mapping: Equatable, Sendable {
    /// In turn to each of several places; "linear" is one place.
    case striped([Place], stripeByteCount: UInt64)
    /// To all of several places alike, by dm-mirror; a pvmove in progress as well.
    case mirror([Place], Mirror)
    /// By md, through dm-raid.
    case raid(Raid)
    /// To zeroes: the origin of a snapshot that was made with `--virtualsize`.
    case zero
    /// To errors.
    case error
    /// In a way that is not supported, under lvm2's name for it: "thin", "cache", "vdo".
    case unsupported(type: String)

    /// The size of a stripe; 0 if there are none.
    var stripeByteCount: UInt64 {
      switch self {
      case .striped(_, let byteCount): byteCount
      case .raid(let raid): raid.stripeByteCount
      default: 0
      }
    }

    /// lvm2's name for it.
    package var type: String {
      switch self {
      case .striped(let places, _): places.count > 1 ? "striped" : "linear"
      case .mirror: "mirror"
      case .raid(let raid): raid.type
      case .zero: "zero"
      case .error: "error"
      case .unsupported(let type): type
      }
    }
  }

  /// The start of a segment, or of one of its stripes.
  package enum Place: Equatable, Sendable {
    /// At an extent of the physical volume of that name.
    case physical(String, extent: UInt64)
    /// At an extent of another logical volume.
    case logical(String, extent: UInt64)
  }

  /// The properties of a dm-mirror segment.
  package struct Mirror: Equatable, Sendable {
    /// The volume that records which regions are in sync; nil if memory does.
    package var log: String?
    /// For a pvmove, how many extents were moved: these are now in the second place, the others in
    /// the first.
    package var extentsMoved: UInt64?
  }

  /// The properties of a dm-raid segment.
  package struct Raid: Equatable, Sendable {
    /// lvm2's name: "raid0", "raid0_meta", "raid1", "raid4", "raid5_ls", "raid6_zr", "raid10" ...
    package var type: String
    /// The legs, in md's order.
    package var legs: [Leg]
    /// In bytes; 0 for raid1.
    package var stripeByteCount: UInt64
    /// The number of copies of the data, for raid10; 2 if the text does not say.
    package var dataCopies: UInt64

    /// One of the volumes that data is spread over.
    package struct Leg: Equatable, Sendable {
      /// The volume with md's superblock; nil if there is none.
      package var metadata: String?
      /// The volume with the data.
      package var data: String
    }
  }

  /// A snapshot: a store and its origin.
  public struct Snapshot: Equatable, Sendable {
    /// The volume that is the COW store; users know the snapshot by its name.
    public var store: String
    /// The volume that it was taken of.
    public var origin: String
    /// By the text; the store's header decides.
    public var chunkSectors: UInt64
    /// Whether it will be merged into its origin from the next activation on.
    public var isMerging: Bool
    /// The length of the snapshot, in extents: the origin's when it was last resized.
    public var extentCount: UInt64
  }
}
