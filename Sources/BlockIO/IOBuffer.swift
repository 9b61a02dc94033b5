internal import Glibc

/// A page-aligned piece of memory that is read into, and written from, again and again.
///
/// One of the few places with `unsafe` code: it lends its bytes as bounds-checked spans, and its
/// address only to the system calls of this module. Threads pass it to each other, and never use it
/// at the same time (`Conveyor`).
@safe
public final class IOBuffer: @unchecked Sendable {
  /// Page size; O_DIRECT requires such an address.
  static let alignment = 4096

  /// From this size on, the system provides zeroed pages as they are touched.
  private static let mappedByteCountMin = 1 << 17

  /// The number of bytes it holds.
  public let byteCount: Int
  let base: UnsafeMutableRawPointer
  private let isBorrowed: Bool

  /// Memory of `byteCount` bytes, at least one, all zero.
  public init(byteCount: Int) {
    self.byteCount = byteCount
    isBorrowed = false
    guard byteCount >= Self.mappedByteCountMin else {
      unsafe base = .allocate(byteCount: max(byteCount, 1), alignment: Self.alignment)
      unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
      return
    }
    let pages = unsafe mmap(
      nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages = unsafe pages, unsafe pages != MAP_FAILED else {
      fatalError("no memory for a buffer of \(byteCount) bytes")
    }
    unsafe base = pages
  }

  /// Memory of someone else, who keeps it as long as the buffer is used.
  package init(borrowing memory: UnsafeMutableRawPointer, byteCount: Int) {
    unsafe base = memory
    (self.byteCount, isBorrowed) = (byteCount, true)
  }

  deinit {
    if isBorrowed { return }
    if byteCount >= Self.mappedByteCountMin {
      unsafe munmap(base, byteCount)
    } else {
      unsafe base.deallocate()
    }
  }

  /// The memory at `range`, for a system call.
  func memory(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "outside the buffer")
    return unsafe UnsafeMutableRawBufferPointer(
      start: base + range.lowerBound, count: range.count)
  }

  /// Lends the bytes of `range`.
  public func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = unsafe UnsafeRawBufferPointer(memory(range)).bindMemory(to: UInt8.self)
    return try body(unsafe bytes.span)
  }

  /// Lends the bytes of `range` for changes.
  public func withMutableBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (inout MutableSpan<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = unsafe memory(range).bindMemory(to: UInt8.self)
    var span = unsafe bytes.mutableSpan
    return try body(&span)
  }

  /// Lends the beginning of the buffer as `count` records that have the disk's layout.
  package func withRecords<Record: BitwiseCopyable, Result, Failure: Error>(
    of type: Record.Type, count: Int, _ body: (Span<Record>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withRecords(of: type, in: 0..<count * MemoryLayout<Record>.stride, body)
  }

  /// Lends the bytes of `range`, which is aligned for such records, as records.
  package func withRecords<Record: BitwiseCopyable, Result, Failure: Error>(
    of type: Record.Type, in range: Range<Int>, _ body: (Span<Record>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(range.lowerBound % MemoryLayout<Record>.alignment == 0, "records begin elsewhere")
    let bytes = unsafe UnsafeRawBufferPointer(memory(range))
    return try body(unsafe bytes.bindMemory(to: Record.self).span)
  }

  /// Lends the beginning of the buffer as `count` records for changes.
  package func withMutableRecords<Record: BitwiseCopyable, Result, Failure: Error>(
    of type: Record.Type, count: Int, _ body: (inout MutableSpan<Record>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = unsafe memory(0..<count * MemoryLayout<Record>.stride)
    var span = unsafe bytes.bindMemory(to: Record.self).mutableSpan
    return try body(&span)
  }

  /// Sets all bytes of `range` to zero.
  package func zero(_ range: Range<Int>) {
    guard let start = unsafe memory(range).baseAddress else { return }
    unsafe memset(start, 0, range.count)
  }

  /// Whether all bytes of `range` are zero.
  package func isZero(_ range: Range<Int>) -> Bool {
    let bytes = unsafe memory(range)
    return unsafe bytes.first ?? 0 == 0 && isUniform(range)
  }

  /// Whether all bytes of `range` are the same.
  package func isUniform(_ range: Range<Int>) -> Bool {
    let bytes = unsafe memory(range)
    guard let start = bytes.baseAddress, bytes.count > 1 else { return true }
    return unsafe memcmp(start, start + 1, bytes.count - 1) == 0
  }

  /// Calls `body` with the pieces of `range` between its blocks of zeroes.
  ///
  /// - Parameter holeByteCount: The size of a block, counted from the beginning of `range`.
  package func forEachNonZeroPiece<Failure: Error>(
    of range: Range<Int>, holeByteCount: Int, _ body: (Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    var (start, position) = (range.lowerBound, range.lowerBound)
    while position < range.upperBound {
      let end = min(position + holeByteCount, range.upperBound)
      if isZero(position..<end) {
        if start < position { try body(start..<position) }
        start = end
      }
      position = end
    }
    if start < range.upperBound { try body(start..<range.upperBound) }
  }

  /// The range from the first byte that is not zero to the last in `range`, or nil if all are zero.
  package func nonZeroBytes(_ range: Range<Int>) -> Range<Int>? {
    if isZero(range) { return nil }
    return withBytes(range) { bytes in
      var (first, last) = (0, bytes.count - 1)
      while first < last, bytes[first] == 0 { first += 1 }
      while last > first, bytes[last] == 0 { last -= 1 }
      return range.lowerBound + first..<range.lowerBound + last + 1
    }
  }

  /// Whether `range` of this buffer equals as many bytes of `other` at `otherOffset`.
  package func equals(_ range: Range<Int>, in other: IOBuffer, at otherOffset: Int) -> Bool {
    let mine = unsafe memory(range)
    let others = unsafe other.memory(otherOffset..<otherOffset + range.count)
    guard let left = mine.baseAddress, let right = others.baseAddress else {
      return true
    }
    return unsafe memcmp(left, right, range.count) == 0
  }

  /// A copy of the bytes of `range`, for APIs that only take arrays.
  public func bytes(_ range: Range<Int>) -> [UInt8] { unsafe Array(memory(range)) }

  /// Copies bytes of another buffer into this one.
  package func copy(from other: IOBuffer, _ range: Range<Int>, to byteOffset: Int) {
    unsafe memory(byteOffset..<byteOffset + range.count).copyMemory(
      from: UnsafeRawBufferPointer(other.memory(range)))
  }
}
