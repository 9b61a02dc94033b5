/// A named value that a file carries.
public struct ExtendedAttribute: Equatable, Sendable {
  /// Its full name: `user.mime_type`, `security.capability`, `system.posix_acl_access`.
  public let name: [UInt8]
  /// Its value, as `getxattr` returns it: of an ACL in the form of Linux' system call, whatever
  /// form it has on the disk.
  public let value: [UInt8]

  /// A value of that name.
  package init(name: [UInt8], value: [UInt8]) { (self.name, self.value) = (name, value) }
}

/// The readable extended attributes of a file, and damage of the others.
public struct ExtendedAttributes: Equatable, Sendable {
  /// Linux lists names of 64 KiB at most; no file has more bytes of values than that many names
  /// allow.
  package static let byteCountMax = 64 << 20
  /// The overhead of each, besides its name and value.
  private static let entryByteCount = 64

  /// The attributes, ascending by name.
  public private(set) var found: [ExtendedAttribute] = []
  /// Damage found while reading.
  public private(set) var damage: [FileSystemDamage] = []
  private let owner: String
  private var room: Int

  /// None as yet.
  ///
  /// - Parameters:
  ///   - owner: The file's name in messages.
  ///   - byteCountMax: How many bytes of names and values are taken.
  package init(of owner: String, byteCountMax: Int = ExtendedAttributes.byteCountMax) {
    (self.owner, room) = (owner, byteCountMax)
  }

  /// Whether there is room for one; if not, that is damage, and it must not be read.
  package mutating func hasRoom(forName name: [UInt8], byteCount: Int) -> Bool {
    let count = name.count + byteCount + Self.entryByteCount
    guard count <= room else {
      // No more are added then, and that is noted once.
      if room >= 0 { note("more than a file can have") }
      room = -1
      return false
    }
    room -= count
    return true
  }

  /// Adds one that there was room for.
  package mutating func add(_ name: [UInt8], _ value: [UInt8]) {
    guard !name.contains(0) else { return note("a name with NUL") }
    found.append(ExtendedAttribute(name: name, value: value))
  }

  /// Puts them in the order of their names.
  package mutating func sort() {
    found.sort { $0.name.lexicographicallyPrecedes($1.name) }
  }

  /// Adds their damage.
  package mutating func note(_ problem: String, at bytes: Range<UInt64>? = nil) {
    damage.append(FileSystemDamage("attributes of \(owner): \(problem)", at: bytes))
  }

  /// Adds another problem.
  package mutating func note(_ problems: [FileSystemDamage]) { damage += problems }
}
