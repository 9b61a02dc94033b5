/// A volume group as one version of its metadata describes it.
///
/// Numbers are as they stand in the text, but for sizes, which are bytes. Nothing was checked
/// against a device.
///
/// - Source: lvm2 `lib/format_text/import_vsn1.c`.
public struct VolumeGroup: Equatable, Sendable {
  public var name: String
  public var uuid: LVMIdentifier
  /// The number of this version: each change counts one up.
  public var seqno: UInt64
  /// The status flags, such as "RESIZEABLE" and "EXPORTED".
  public var status: [String]
  /// The size of an extent, the unit in which space is given out.
  public var extentByteCount: UInt64
  public var physicalVolumes: [PhysicalVolume]
  /// All of them, the hidden parts of others included; not the pseudo volumes that tie a snapshot
  /// to its origin, which are ``snapshots``.
  public var logicalVolumes: [LogicalVolume]
  public var snapshots: [Snapshot]
  /// What was done, in the words of lvm2: the command line, or "Created *before* executing ...".
  public var description: String
  /// When the text was written, in seconds since 1970; nil where it does not say.
  public var creationTime: Int64?
  /// The version of lvm2 that wrote the text, "2.03.16(2) (2022-05-18)"; nil where it does not say.
  public var writer: String?

  /// A disk, or a part of one, that gives a volume group its space.
  public struct PhysicalVolume: Equatable, Sendable {
    /// Its name in the text: "pv0".
    public var name: String
    public var uuid: LVMIdentifier
    /// Where it was when the text was written, "/dev/sda2"; no more than a hint.
    public var device: String
    /// The status flags; "ALLOCATABLE" says nothing to a reader.
    public var status: [String]
    /// Other flags, of which lvm2 knows "MISSING": it was not there when the text was written.
    public var flags: [String]
    /// The size of the device; nil where the text does not say.
    public var byteCount: UInt64?
    /// Where its first extent begins.
    public var startByteOffset: UInt64
    public var extentCount: UInt64
  }

  /// A volume that is made of extents.
  public struct LogicalVolume: Equatable, Sendable {
    public var name: String
    public var uuid: LVMIdentifier
    /// The status flags: "READ", "WRITE", "VISIBLE", "PVMOVE" ...
    public var status: [String]
    /// When it was made, in seconds since 1970; nil where the text does not say.
    public var creationTime: Int64?
    /// In the order of the volume, from extent 0 on, without gaps.
    public var segments: [Segment]

    public var extentCount: UInt64 { segments.last?.extents.upperBound ?? 0 }
    /// lvm2's name for the way in which its first segment is mapped.
    public var type: String { segments.first?.mapping.type ?? "empty" }
    /// Whether it is a user's, and not a part of another.
    public var isVisible: Bool { status.contains("VISIBLE") }
    /// Whether it may be written: a leg that was split off a mirror, its changes being tracked, may
    /// not.
    public var isWritable: Bool { status.contains("WRITE") }
  }

  /// The volume of that name.
  public func volume(named name: String) -> LogicalVolume? {
    logicalVolumes.first { $0.name == name }
  }

  /// A part of a logical volume that is mapped in one way.
  public struct Segment: Equatable, Sendable {
    /// Which extents of the volume it is.
    public var extents: Range<UInt64>
    public var mapping: Mapping
  }

  /// How a segment's extents are mapped.
  public enum Mapping: Equatable, Sendable {
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
    /// In a way that is not read here, under lvm2's name for it: "thin", "cache", "vdo".
    case unsupported(type: String)

    /// The size of a stripe; 0 where there are none.
    var stripeByteCount: UInt64 {
      switch self {
      case .striped(_, let byteCount): byteCount
      case .raid(let raid): raid.stripeByteCount
      default: 0
      }
    }

    /// lvm2's name for it.
    public var type: String {
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

  /// Where a segment, or one of its stripes, begins.
  public enum Place: Equatable, Sendable {
    /// At an extent of the physical volume of that name.
    case physical(String, extent: UInt64)
    /// At an extent of another logical volume.
    case logical(String, extent: UInt64)
  }

  /// What is particular to dm-mirror.
  public struct Mirror: Equatable, Sendable {
    /// The volume that tells which regions are in sync; nil where memory has it.
    public var log: String?
    /// Of a pvmove, how many extents were moved: these are in the second place by now, the others
    /// in the first.
    public var extentsMoved: UInt64?
  }

  /// What is particular to dm-raid.
  public struct Raid: Equatable, Sendable {
    /// lvm2's name: "raid0", "raid0_meta", "raid1", "raid4", "raid5_ls", "raid6_zr", "raid10" ...
    public var type: String
    public var legs: [Leg]
    /// 0 for raid1.
    public var stripeByteCount: UInt64
    /// How many copies of the data there are of raid10; 2 where the text does not say.
    public var dataCopies: UInt64

    /// One of the volumes that data is spread over.
    public struct Leg: Equatable, Sendable {
      /// The volume with md's superblock; nil where there is none.
      public var metadata: String?
      public var data: String
    }
  }

  /// A snapshot: a store, and what it was taken of.
  public struct Snapshot: Equatable, Sendable {
    /// The volume that is the COW store, which bears the name by which users know the snapshot.
    public var store: String
    public var origin: String
    /// By the text; the store's header has the last word.
    public var chunkSectors: UInt64
    /// Whether it is to be merged into its origin, from the next activation on.
    public var isMerging: Bool
    /// The length of the snapshot, in extents: that of the origin when it was last resized.
    public var extentCount: UInt64
  }
}
