import LVM2
import Testing

/// UUIDs of LVM2, with and without hyphens.
@Suite struct LVMIdentifierTests {
  private static let hyphenated = "2VyAz0-Ymco-rQ0x-5p2w-CH8v-Zg9e-bU3CVQ"
  private static let bare = "2VyAz0YmcorQ0x5p2wCH8vZg9ebU3CVQ"

  @Test func `it is printed as lvm2 prints it, however it was written`() {
    #expect(LVMIdentifier(Self.hyphenated)?.description == Self.hyphenated)
    #expect(LVMIdentifier(Self.bare)?.description == Self.hyphenated)
    #expect(LVMIdentifier(Array(Self.bare.utf8)) == LVMIdentifier(Self.hyphenated))
    #expect(LVMIdentifier(Self.bare.replacing("Y", with: "-!").replacing("m", with: "#")) != nil)
  }

  @Test(arguments: ["", "2VyAz0", bare + "x", bare.dropLast() + "é", bare.dropLast() + " "])
  func `anything else is none`(text: String) {
    #expect(LVMIdentifier(text) == nil)
    #expect(LVMIdentifier(Array(text.utf8)) == nil)
  }

  @Test func `bytes of a label have no hyphens`() {
    #expect(LVMIdentifier(Array(Self.hyphenated.utf8)) == nil)
  }
}
