private import CFuzzer
private import Glibc

/// What is done with each input.
///
/// It is set once, before libFuzzer starts, and called by libFuzzer's only thread.
nonisolated(unsafe) private var examine: @Sendable (Span<UInt8>) -> Void = { _ in }

/// Has libFuzzer make up inputs, as the command line says, and examine each.
///
/// libFuzzer's own main cannot be used: SwiftPM defines one for every executable.
public func fuzz(_ body: @escaping @Sendable (Span<UInt8>) -> Void) -> Never {
  unsafe examine = body
  var count = CommandLine.argc
  var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
  exit(
    unsafe LLVMFuzzerRunDriver(&count, &arguments) { start, count in
      unsafe examine(UnsafeBufferPointer(start: start, count: count).span)
      return 0
    })
}

/// Changes bytes as libFuzzer does where nobody knows better.
public func mutate(_ bytes: inout [UInt8], byteCountMax: Int) {
  let count = bytes.count
  guard count <= byteCountMax else { return }
  bytes.append(contentsOf: repeatElement(0, count: byteCountMax - count))
  let changed = unsafe bytes.withUnsafeMutableBufferPointer {
    unsafe LLVMFuzzerMutate($0.baseAddress, count, byteCountMax)
  }
  bytes.removeLast(byteCountMax - changed)
}

/// Does what libFuzzer asks of a mutator of our own with a copy of the input.
public func mutate(
  _ start: UnsafeMutablePointer<UInt8>, _ count: Int, byteCountMax: Int,
  _ body: (inout [UInt8]) -> Void
) -> Int {
  var bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  body(&bytes)
  if bytes.count > byteCountMax { bytes.removeLast(bytes.count - byteCountMax) }
  for (index, byte) in bytes.enumerated() { unsafe start[index] = byte }
  return bytes.count
}
