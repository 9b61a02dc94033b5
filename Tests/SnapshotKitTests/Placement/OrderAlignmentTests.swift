@testable import SnapshotKit
import Testing

/// How two rows of chunks lie beside each other.
@Suite struct OrderAlignmentTests {
  /// The pairs of two rows of letters; a question mark may be anything.
  private func pairs(_ own: String, _ other: String) -> [String] {
    let (own, other) = (Array(own), Array(other))
    let alignment = OrderAlignment(own.count, other.count) {
      own[$0] == "?" ? 1 : own[$0] == other[$1] ? 100 : 0
    }
    return alignment.pairs.map { "\($0.own)\($0.other)" }
  }

  @Test func `what is the same lies beside itself, in order`() {
    #expect(pairs("abc", "abc") == ["00", "11", "22"])
    #expect(pairs("xaxbxc", "abc") == ["10", "31", "52"])
    #expect(pairs("ba", "ab").isEmpty)
    #expect(pairs("", "ab").isEmpty && pairs("ab", "").isEmpty)
  }

  @Test func `what may be anything fills what is left, if that is as much`() {
    #expect(pairs("a?c", "abc") == ["00", "11", "22"])
    #expect(pairs("z?z", "zzz") == ["00", "11", "22"])
    #expect(pairs("?zz", "zz") == ["10", "21"])
    #expect(pairs("a?c", "abbc") == ["00", "23"])
  }

  @Test func `of the same twice, which is which is not said where one is missing`() {
    #expect(pairs("z", "zz").isEmpty)
    #expect(pairs("azb", "azzb") == ["00", "23"])
    #expect(pairs("zz", "z") == ["10"])
  }
}
