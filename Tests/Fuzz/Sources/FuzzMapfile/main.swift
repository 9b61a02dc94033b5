import BlockIO
import Fuzzing

/// Takes the bytes for a mapfile; what it says must come out of one that we write.
fuzz { bytes in
  do throws(BadSectorMapError) {
    check(try BadSectorMap(parsing: bytes))
  } catch {
    precondition(error.line >= 1 && error.column >= 1 && error.column <= bytes.count + 1)
    precondition(error.description.utf8.count < 400)
  }
}

/// Asks a map in every way, and writes it again.
func check(_ map: BadSectorMap) {
  let all: Range<UInt64> = 0 ..< .max
  let unreadable = map.unreadableRanges(in: all)
  var end: UInt64 = 0
  for range in unreadable {
    // Neighbours are one range, so that only the first begins where nothing is before it.
    precondition(!range.isEmpty && (range.lowerBound > end || range.lowerBound == 0))
    precondition(map.unreadableRanges(in: end..<range.lowerBound).isEmpty)
    precondition(map.firstUnreadableRange(in: range) == range)
    end = range.upperBound
  }

  let blocks = unreadable.map { RescueBlock($0, .badSector) }
  let text = Array(BadSectorMap.mapfile(of: blocks, byteCount: .max, comment: "").utf8)
  let again = try? BadSectorMap(parsing: text.span)
  precondition(again == map)
}
