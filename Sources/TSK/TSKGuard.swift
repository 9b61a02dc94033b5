#if TSK
  internal import CTSK
  internal import Glibc

  /// Replacements for C functions that libtsk calls: a call that goes wrong on a damaged image ends
  /// alone, without the program.
  @safe
  enum TSKGuard {
    /// Whether libtsk is there; its calls are guarded then.
    static let isLoaded: Bool = {
      guard let library = unsafe loaded_tsk_once() else { return false }
      var guarded = unsafe dmsnap_tsk_guard(
        allocate: { count in
          TSKGuard.count(count)
          return unsafe malloc(count)
        },
        allocate_zeroed: { count, byteCount in
          TSKGuard.count(count.multipliedReportingOverflow(by: byteCount).partialValue)
          return unsafe calloc(count, byteCount)
        },
        reallocate: { memory, count in
          TSKGuard.count(count, insteadOf: unsafe malloc_usable_size(memory))
          return unsafe realloc(memory, count)
        },
        release: { memory in
          TSKGuard.count(0, insteadOf: unsafe malloc_usable_size(memory))
          unsafe free(memory)
        },
        end: {
          TSKWorker.current?.giveUp()
          abort()
        },
        fail: { text, file, line, _ in
          TSKWorker.current?.giveUp()
          guard let text = unsafe text, let file = unsafe file else { abort() }
          fatalError(
            unsafe "\(String(cString: file)):\(line): \(String(cString: text)) does not hold")
        })
      unsafe dmsnap_tsk_guard_calls(library, &guarded)
      return true
    }()

    /// Counts what the thread's worker has; more than it may have at all is no number of it.
    private static func count(_ allocated: Int, insteadOf released: Int = 0) {
      guard allocated >= 0 else { return }
      TSKWorker.current?.count(allocated: allocated, released: released)
    }
  }
#endif
