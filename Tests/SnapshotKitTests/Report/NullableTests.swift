import SnapshotKit
import Testing

/// What is nil is there, as null.
@Suite struct NullableTests {
  private struct Pair: Encodable {
    @Nullable var first: Int?
    @Nullable var second: String?
  }

  @Test func `a value is itself, and nil is null`() throws {
    #expect(try JSON.text(Pair(first: 7, second: nil)) == #"{"first":7,"second":null}"#)
    #expect(try JSON.text(Pair(first: nil, second: "")) == #"{"first":null,"second":""}"#)
  }
}
