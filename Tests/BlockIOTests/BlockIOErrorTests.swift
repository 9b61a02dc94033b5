import BlockIO
import SystemPackage
import Testing

/// Messages go *where: what*, and say bytes in decimal.
@Suite struct BlockIOErrorTests {
  @Test func `errors say where and what`() {
    #expect(
      BlockIOError("cow.img", .open, .system(.noSuchFileOrDirectory)).description
        == "cow.img: cannot open: No such file or directory")
    #expect(
      BlockIOError("/dev/sdb", .read, .system(.ioError), at: 1_048_576..<1_052_672).description
        == "/dev/sdb: cannot read 4096 bytes at byte 1048576: Input/output error")
    #expect(
      BlockIOError("cow.img", .read, .beyondEnd(byteCount: 100), at: 96..<112).description
        == "cow.img: cannot read 16 bytes at byte 96: it ends at byte 100")
    #expect(
      BlockIOError("copy.img", .read, .markedUnreadable(512..<600), at: 0..<4096).description
        == "copy.img: cannot read 4096 bytes at byte 0: the map says that 88 bytes at byte 512 were"
        + " not read")
    #expect(
      BlockIOError("x", .create, .refused("exists, and is not overwritten")).description
        == "x: exists, and is not overwritten")
    #expect(
      BlockIOError("d", .open, .notAFileOrBlockDevice("a directory")).description
        == "d: is a directory; a file or block device is required")
    #expect(
      BlockIOError("f", .size, .system(.ioError)).description
        == "f: cannot find the size of: Input/output error")
  }

  @Test func `only a broken pipe is a closed pipe`() {
    #expect(BlockIOError("standard output", .write, .system(.brokenPipe)).isClosedPipe)
    #expect(!BlockIOError("standard output", .write, .system(.noSpace)).isClosedPipe)
  }

  @Test func `only a failing medium is read around`() {
    #expect(BlockIOError("f", .read, .system(.ioError)).isUnreadableMedium)
    #expect(BlockIOError("f", .read, .beyondEnd(byteCount: 1)).isUnreadableMedium)
    #expect(BlockIOError("f", .read, .markedUnreadable(0..<1)).isUnreadableMedium)
    #expect(!BlockIOError("f", .read, .system(.permissionDenied)).isUnreadableMedium)
    #expect(!BlockIOError("f", .read, .changed("it now ends at byte 1")).isUnreadableMedium)
    #expect(!BlockIOError("f", .open, .refused("is in use")).isUnreadableMedium)
    #expect(!BlockIOError("f", .open, .notAFileOrBlockDevice("a pipe")).isUnreadableMedium)
  }
}
