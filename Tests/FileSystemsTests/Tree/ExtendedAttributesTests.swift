import FileSystems
import Testing

/// How many attributes a file may have, and what is no attribute.
@Suite struct ExtendedAttributesTests {
  private func name(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func `they are in the order of their names`() {
    var attributes = ExtendedAttributes(of: "inode 12")
    for text in ["user.b", "user.a", "security.c"] { attributes.add(name(text), [1]) }
    attributes.sort()
    #expect(attributes.found.map(\.name) == ["security.c", "user.a", "user.b"].map(name))
    #expect(attributes.damage.isEmpty)
  }

  @Test func `more bytes than any file has are not read, and that is said once`() {
    var attributes = ExtendedAttributes(of: "inode 12", byteCountMax: 1000)
    let fits = [("user.a", 800), ("user.b", 800), ("user.c", 1)].map { text, byteCount in
      attributes.hasRoom(forName: name(text), byteCount: byteCount)
    }
    #expect(fits == [true, false, false])
    #expect(
      attributes.damage.map(\.problem) == ["attributes of inode 12: more than a file can have"])
  }

  @Test func `empty attributes take room as well`() {
    var attributes = ExtendedAttributes(of: "inode 12", byteCountMax: 1000)
    var count = 0
    while attributes.hasRoom(forName: [0x61], byteCount: 0) { count += 1 }
    #expect(count < 20)
  }

  @Test func `a name that no call can take is damage`() {
    var attributes = ExtendedAttributes(of: "inode 12")
    attributes.add([0x61, 0, 0x62], [1])
    #expect(attributes.found.isEmpty)
    #expect(attributes.damage.map(\.problem) == ["attributes of inode 12: a name with NUL"])
  }
}
