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
