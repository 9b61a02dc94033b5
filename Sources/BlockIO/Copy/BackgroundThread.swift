internal import Glibc

/// A thread of our own, which may be unavailable: because of a limit on processes, or no memory.
///
/// Dispatch would wait for one forever.
package enum BackgroundThread {
  private final class Job: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on a new thread.
  ///
  /// - Returns: Whether there is one; if not, `body` does not run.
  package static func start(
    stackByteCount: Int = 1 << 20, _ body: @escaping @Sendable () -> Void
  ) -> Bool {
    // Not initialised here: which module defines the type depends on the order of the files.
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    defer { unsafe attributes.deallocate() }
    guard unsafe pthread_attr_init(attributes) == 0 else { return false }
    defer { unsafe pthread_attr_destroy(attributes) }
    unsafe pthread_attr_setdetachstate(attributes, CInt(PTHREAD_CREATE_DETACHED))
    unsafe pthread_attr_setstacksize(attributes, stackByteCount)
    let job = unsafe Unmanaged.passRetained(Job(body))
    var thread = pthread_t()
    let result = unsafe pthread_create(
      &thread, attributes,
      { pointer in
        if let pointer = unsafe pointer {
          unsafe Unmanaged<Job>.fromOpaque(pointer).takeRetainedValue().body()
        }
        return nil
      }, job.toOpaque())
    if result != 0 { unsafe job.release() }
    return result == 0
  }
}
