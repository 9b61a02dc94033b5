@testable import SnapshotKit
import Testing

/// Lost ranges that touch are one, if they are lost for the same reason.
@Suite struct LostRangeTests {
  @Test func `touching ranges are one`() {
    var lost: [LostRange] = []
    lost.append(merging: LostRange(0..<512, .storeUnreadable))
    lost.append(merging: LostRange(512..<1024, .storeUnreadable))
    lost.append(merging: LostRange(1024..<1536, .beyondStore))
    lost.append(merging: LostRange(2048..<2560, .beyondStore))
    #expect(
      lost == [
        LostRange(0..<1024, .storeUnreadable), LostRange(1024..<1536, .beyondStore),
        LostRange(2048..<2560, .beyondStore),
      ])
  }

  @Test(
    arguments: [
      (.originUnreadable, "the origin cannot be read there (zeroes in an image)"),
      (.storeUnreadable, "the store cannot be read where it has them (zeroes in an image)"),
      (.beyondStore, "their exception points past the end of the store"),
    ] as [(LostRange.Reason, String)])
  func `it says where and why`(reason: LostRange.Reason, words: String) {
    #expect(
      "\(LostRange(1024..<1536, reason))"
        == "512 bytes at byte 1024 are lost: \(words)")
  }
}
