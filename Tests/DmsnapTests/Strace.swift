import TestSupport
import Testing

/// The program that shows, and disturbs, what another one asks of the kernel.
enum Strace {
  /// strace, if it works here.
  static let tool: ToolRunner? = {
    guard let strace = ToolRunner(named: "strace"),
      (try? strace.run(["-qq", "-o", "/dev/null", "true"]))?.status == 0
    else { return nil }
    return strace
  }()

  /// Runs dmsnap, and disturbs it: "pwrite64:signal=SIGKILL:when=3".
  ///
  /// - Parameter paths: The files whose calls are disturbed, and counted; all if there is none.
  static func run(
    _ arguments: [String], inject: String, on paths: [String] = []
  ) throws -> ToolOutcome {
    try #require(tool).run(
      ["-f", "-qq", "-o", "/dev/null"] + only(paths) + ["-e", "inject=\(inject)"]
        + [ToolRunner.dmsnap.path] + arguments)
  }

  /// The options for the calls on those files alone.
  static func only(_ paths: [String]) -> [String] { paths.flatMap { ["-P", $0] } }
}
