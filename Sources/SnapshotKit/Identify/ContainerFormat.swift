internal import BlockIO

/// A format that packs the bytes of a disk or a store, or keeps them in another order: it must be
/// unpacked before anything in it can be read.
///
/// Formats are recognised by their magic alone, at the beginning or at the end.
///
/// - Source: the formats' own specifications: libewf's and QEMU's documents, VMware's "Virtual Disk
///   Format", Microsoft's "Virtual Hard Disk Image Format" and [MS-VHDX], RFC 1952 and 8878, the
///   .xz file format, Android's `libsnapshot/cow_format.h` and `libsparse`.
public struct ContainerFormat: Equatable, Sendable {
  /// Its short name, as in JSON.
  public let type: String
  /// Its name, for messages.
  public let title: String
  /// How to turn it into plain bytes, for messages.
  public let advice: String

  private let magic: [UInt8]
  private let place: Place

  private enum Place: Equatable {
    case start(UInt64)
    /// That many bytes before the end.
    case end(UInt64)
  }

  private init(
    _ type: String, _ title: String, _ magic: [UInt8], _ advice: String,
    at place: Place = .start(0)
  ) {
    (self.type, self.title, self.magic) = (type, title, magic)
    (self.place, self.advice) = (place, advice)
  }

  private static func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// All known formats.
  private static let all: [ContainerFormat] = [
    ContainerFormat(
      "ewf", "an EnCase image (E01)", [0x45, 0x56, 0x46, 0x09, 0x0d, 0x0a, 0xff, 0x00],
      "`ewfexport -t RAW FILE.E01` makes a raw image of it, `ewfmount` shows one"),
    ContainerFormat(
      "ewf2", "an EnCase image (Ex01)", [0x45, 0x56, 0x46, 0x32, 0x0d, 0x0a, 0x81, 0x00],
      "`ewfexport` of libewf 2 makes a raw image of it"),
    ContainerFormat(
      "qcow2", "a QEMU image (qcow2)", [0x51, 0x46, 0x49, 0xfb],
      "`qemu-img convert -O raw FILE RAW` makes a raw image of it"),
    ContainerFormat(
      "vmdk", "a VMware disk (VMDK)", ascii("KDMV"),
      "`qemu-img convert -O raw FILE RAW` makes a raw image of it"),
    ContainerFormat(
      "vmdk", "a VMware disk (VMDK of an ESX host)", ascii("COWD"),
      "`qemu-img convert -O raw FILE RAW` makes a raw image of it"),
    ContainerFormat(
      "vmdk-descriptor", "the description of a VMware disk (VMDK)", ascii("# Disk DescriptorFile"),
      "the disk is in the files that it names; `qemu-img convert -O raw FILE RAW` reads all of them"
    ),
    ContainerFormat(
      "vhd", "a Virtual PC disk (VHD)", ascii("conectix"),
      "`qemu-img convert -f vpc -O raw FILE RAW` makes a raw image of it"),
    ContainerFormat(
      "vhd", "a Virtual PC disk (VHD of fixed size)", ascii("conectix"),
      "it is a raw image except for the last 512 bytes: read it with ,length=", at: .end(512)),
    ContainerFormat(
      "vhdx", "a Hyper-V disk (VHDX)", ascii("vhdxfile"),
      "`qemu-img convert -O raw FILE RAW` makes a raw image of it"),
    ContainerFormat(
      "vdi", "a VirtualBox disk (VDI)", [0x7f, 0x10, 0xda, 0xbe],
      "`qemu-img convert -O raw FILE RAW` makes a raw image of it", at: .start(64)),
    ContainerFormat(
      "vma", "a Proxmox backup (VMA)", [0x56, 0x4d, 0x41, 0x00],
      "`vma extract FILE DIRECTORY` makes raw images of it"),
    ContainerFormat(
      "android-cow", "a COW of Android's snapuserd, another format",
      [0x21, 0x21, 0x57, 0x4f, 0x63, 0x77, 0x6f, 0x43],
      "Android's `inspect_cow` and `snapuserd` read it; this is no dm-snapshot store"),
    ContainerFormat(
      "android-sparse", "an Android sparse image", [0x3a, 0xff, 0x26, 0xed],
      "`simg2img FILE RAW` makes a raw image of it"),
    ContainerFormat(
      "gzip", "packed with gzip", [0x1f, 0x8b, 0x08], "`gunzip --keep FILE` unpacks it"),
    ContainerFormat(
      "xz", "packed with xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
      "`unxz --keep FILE` unpacks"
        + " it"),
    ContainerFormat(
      "zstd", "packed with zstd", [0x28, 0xb5, 0x2f, 0xfd], "`unzstd FILE` unpacks it"),
    ContainerFormat(
      "lz4", "packed with lz4", [0x04, 0x22, 0x4d, 0x18], "`unlz4 FILE` unpacks it"),
    ContainerFormat(
      "bzip2", "packed with bzip2", [0x31, 0x41, 0x59, 0x26, 0x53, 0x59],
      "`bunzip2 --keep FILE` unpacks it", at: .start(4)),
    ContainerFormat(
      "zip", "a ZIP archive", [0x50, 0x4b, 0x03, 0x04], "`unzip FILE` unpacks it"),
    ContainerFormat(
      "7z", "a 7-Zip archive", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "`7z x FILE` unpacks it"),
  ]

  /// The format of a source; nil if it has none of these, or cannot be read there.
  init?(of source: any BlockSource) {
    guard let format = Self.all.first(where: { $0.stands(in: source) }) else { return nil }
    self = format
  }

  /// Whether the bytes are nevertheless the disk's, followed by a footer.
  var isRawWithFooter: Bool {
    if case .end = place { true } else { false }
  }

  private func stands(in source: any BlockSource) -> Bool {
    let count = UInt64(magic.count)
    let start: UInt64
    switch place {
    case .start(let offset): start = offset
    case .end(let distance):
      guard source.byteCount >= distance else { return false }
      start = source.byteCount - distance
    }
    guard start <= source.byteCount, count <= source.byteCount - start else { return false }
    let buffer = IOBuffer(byteCount: magic.count)
    guard (try? source.readUncached(at: start, into: buffer, 0..<magic.count)) != nil else {
      return false
    }
    return buffer.bytes(0..<magic.count) == magic
  }
}
