/// The rotation of parity in RAID 4, 5 and 6, and thus of everything else.
///
/// - Source: Linux `drivers/md/raid5.c`, `raid5_compute_sector`.
package struct ParityRotation: Equatable, Sendable {
  /// The disk of a row that has the (first) parity.
  package enum Parity: Sendable {
    /// The first one, or the last, in every row.
    case first, last
    /// The last in row 0, and one disk earlier in each further row.
    case left
    /// The same, but one row ahead: the last but one in row 0.
    case leftNext
    /// The first in row 0, and one disk later in each further row.
    case right
  }

  /// The disk of a row that has its first data.
  package enum Data: Sendable {
    /// The first without parity.
    case asymmetric
    /// The one after the parity.
    case symmetric
  }

  /// The number of disks of each row that have parity: 1 or 2.
  package let parityCount: Int
  /// The disk of a row that has the first parity.
  package let parity: Parity
  /// The disk of a row that has its first data.
  package let data: Data
  /// Whether the second parity is always on the last disk, and the others are as for one parity;
  /// otherwise it comes after the first.
  package let isSecondLast: Bool

  /// A rotation; `parityCount` is 1 or 2.
  package init(parityCount: Int, _ parity: Parity, _ data: Data, isSecondLast: Bool = false) {
    self.parityCount = parityCount
    self.parity = parity
    self.data = data
    self.isSecondLast = isSecondLast
  }

  /// The disk that has the data of that index in a row.
  func disk(ofData index: Int, row: UInt64, diskCount: Int) -> Int {
    let count = isSecondLast ? diskCount - 1 : diskCount
    let turn = Int(row % UInt64(count))
    let first =
      switch parity {
      case .first: 0
      case .last: count - 1
      case .left: count - 1 - turn
      case .leftNext: count - 1 - (turn + 1) % count
      case .right: turn
      }
    if data == .symmetric { return (first + 1 + index) % count }
    guard parityCount == 2, !isSecondLast else { return index + (index >= first ? 1 : 0) }
    // The second parity of the last disk is on the first one.
    return first == count - 1 ? index + 1 : index + (index >= first ? 2 : 0)
  }
}
