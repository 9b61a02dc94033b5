internal import Glibc
internal import SystemPackage

/// Repeats a system call until all bytes are moved, or it moves none, as at the end of a file.
///
/// A call that a signal interrupted is repeated.
///
/// - Parameter move: Moves bytes, given how many were moved already; returns -1 with `errno` set.
/// - Returns: How many bytes were moved.
func movingAll(_ byteCount: Int, _ move: (_ done: Int) -> Int) throws(Errno) -> Int {
  var done = 0
  while done < byteCount {
    let count = move(done)
    if count > 0 {
      done += count
      continue
    }
    if count == 0 { break }
    let errno = Errno(rawValue: Glibc.errno)
    if errno != .interrupted { throw errno }
  }
  return done
}
