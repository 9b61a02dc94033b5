#if TSK
  internal import Glibc
  internal import Synchronization

  /// Stops threads for good that run in a loop without an end.
  ///
  /// A thread cannot be ended from outside: whatever it holds would stay as it is. It can be made
  /// to wait in the handler of a signal, which costs no processor time.
  enum ThreadParking {
    /// The thread that is to stop; 0 once it has.
    private static let wanted = Atomic<UInt>(0)
    /// Held while a thread is stopped; the value is whether there is a handler.
    private static let lock = Mutex<Bool?>(nil)

    /// Lets this thread be stopped; threads of Dispatch, and those that they start, block signals.
    static func allow() {
      var set = sigset_t()
      unsafe sigemptyset(&set)
      unsafe sigaddset(&set, SIGURG)
      unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Makes a thread wait until the process ends.
    ///
    /// The thread must have allowed it, and hold no lock that anyone else needs.
    static func park(_ thread: pthread_t) {
      lock.withLock { hasHandler in
        let isReady = hasHandler ?? installHandler()
        hasHandler = isReady
        guard isReady else { return }
        wanted.store(UInt(thread), ordering: .sequentiallyConsistent)
        guard pthread_kill(thread, SIGURG) == 0 else { return }
        // On a busy machine it may be long before the thread runs again.
        for _ in 0..<10_000 {
          if wanted.load(ordering: .sequentiallyConsistent) == 0 { return }
          usleep(1000)
        }
        wanted.store(0, ordering: .sequentiallyConsistent)
      }
    }

    /// SIGURG is ignored by default, so that one of somebody else's changes nothing.
    ///
    /// - Returns: False if the program handles it already.
    private static func installHandler() -> Bool {
      var action = sigaction()
      guard unsafe sigaction(SIGURG, nil, &action) == 0,
        unsafe action.__sigaction_handler.sa_handler == nil  // SIG_DFL
      else { return false }
      signal(SIGURG) { _ in
        guard ThreadParking.wanted.load(ordering: .sequentiallyConsistent) == UInt(pthread_self())
        else { return }
        ThreadParking.wanted.store(0, ordering: .sequentiallyConsistent)
        while true { pause() }
      }
      return true
    }
  }
#endif
