import Testing

@testable import BlockIO

/// Where data lies beside parity, held against tables that were worked out by hand.
///
/// Each row of a table is one of the array: the number of the data on each disk, P, and Q.
@Suite struct ParityRotationTests {
  private static let tables: [(ParityRotation, String)] = [
    (ParityRotation(parityCount: 1, .first, .asymmetric), "P012 P012 P012 P012 P012"),
    (ParityRotation(parityCount: 1, .last, .asymmetric), "012P 012P 012P 012P 012P"),
    (ParityRotation(parityCount: 1, .left, .asymmetric), "012P 01P2 0P12 P012 012P"),
    (ParityRotation(parityCount: 1, .left, .symmetric), "012P 12P0 2P01 P012 012P"),
    (ParityRotation(parityCount: 1, .right, .asymmetric), "P012 0P12 01P2 012P P012"),
    (ParityRotation(parityCount: 1, .right, .symmetric), "P012 2P01 12P0 012P P012"),
    (ParityRotation(parityCount: 2, .right, .asymmetric), "PQ012 0PQ12 01PQ2 012PQ Q012P PQ012"),
    (
      ParityRotation(parityCount: 2, .leftNext, .asymmetric), "012PQ 01PQ2 0PQ12 PQ012 Q012P 012PQ"
    ),
    (ParityRotation(parityCount: 2, .left, .symmetric), "012QP 12QP0 2QP01 QP012 P012Q 012QP"),
    (
      ParityRotation(parityCount: 2, .left, .asymmetric, isSecondLast: true),
      "012PQ 01P2Q 0P12Q P012Q 012PQ"
    ),
    (
      ParityRotation(parityCount: 2, .left, .symmetric, isSecondLast: true),
      "012PQ 12P0Q 2P01Q P012Q 012PQ"
    ),
    (
      ParityRotation(parityCount: 2, .right, .asymmetric, isSecondLast: true),
      "P012Q 0P12Q 01P2Q 012PQ P012Q"
    ),
    (
      ParityRotation(parityCount: 2, .right, .symmetric, isSecondLast: true),
      "P012Q 2P01Q 12P0Q 012PQ P012Q"
    ),
    (
      ParityRotation(parityCount: 2, .last, .asymmetric, isSecondLast: true),
      "012PQ 012PQ 012PQ 012PQ"
    ),
  ]

  @Test(arguments: tables)
  func `data lies where md puts it`(rotation: ParityRotation, table: String) {
    for (row, disks) in table.split(separator: " ").enumerated() {
      for (disk, character) in disks.enumerated() {
        guard let data = character.wholeNumberValue else { continue }
        #expect(
          rotation.disk(ofData: data, row: UInt64(row), diskCount: disks.count) == disk,
          "data \(data) of row \(row)")
      }
    }
  }

  @Test(arguments: RandomExtents.rotations.indices, 2...9)
  func `arrays of any width, by the words of Linux`(index: Int, dataAndParity: Int) {
    let (algorithm, parityCount, rotation) = RandomExtents.rotations[index]
    let disks = max(dataAndParity, parityCount + 1)
    for row in 0..<3 * disks {
      for data in 0..<disks - parityCount {
        #expect(
          rotation.disk(ofData: data, row: UInt64(row), diskCount: disks)
            == RandomExtents.disk(algorithm, ofData: data, row: row, disks: disks),
          "\(algorithm): data \(data) of row \(row) on \(disks) disks")
      }
    }
  }

  @Test func `the last row that can be counted`() {
    let rotation = ParityRotation(parityCount: 1, .left, .symmetric)
    // 2^64 - 1 is a multiple of 5, and of 3.
    #expect(rotation.disk(ofData: 0, row: .max, diskCount: 5) == 0)
    #expect(rotation.disk(ofData: 1, row: .max, diskCount: 3) == 1)
  }
}
