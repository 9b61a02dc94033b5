#if TSK
  internal import BlockIO
  internal import Dispatch
  internal import Glibc
  internal import Synchronization

  /// The thread that makes a file system's calls of libtsk, so that an endless one can be given up.
  ///
  /// Damaged images make some of libtsk's loops endless, and trip some of its assertions. A call
  /// that has used too much of the processor or of memory, or failed an assertion, is given up: its
  /// thread keeps all that it uses, and ends with the process. It stops when it next reads or
  /// allocates; one that does neither is stopped where it is.
  final class TSKWorker: Sendable {
    /// The workers whose threads run, by their threads.
    private static let running = Mutex<[pthread_t: TSKWorker]>([:])

    private static let longCallTime = Duration.milliseconds(2)
    private static let loopTime = Duration.milliseconds(100)

    private struct State: Sendable {
      var job: (@Sendable () -> Void)?
      var clock: clockid_t?
      var thread: pthread_t?
      var isStuck = false
      /// Whether the thread waits until the process ends, by itself.
      var isAtRest = false
      /// The number of bytes that libtsk has allocated on this thread, and not released there.
      var byteCount = 0
      /// The processor time used by long calls.
      var longTime = Duration.zero
    }

    private let state = Mutex(State())
    // Created with 0: a semaphore that ends with less than it began with counts as an error.
    private let jobCount = DispatchSemaphore(value: 0)
    private let doneCount = DispatchSemaphore(value: 0)
    private let limits: TSKLimits

    /// A thread of its own.
    ///
    /// - Returns: Nil if no thread can be made.
    init?(limits: TSKLimits) {
      self.limits = limits
      // libtsk keeps buffers on the stack, and calls itself for directories.
      guard BackgroundThread.start(stackByteCount: 8 << 20, { [self] in work() }) else {
        return nil
      }
    }

    private func work() {
      Self.running.withLock { $0[pthread_self()] = self }
      defer { Self.running.withLock { $0[pthread_self()] = nil } }
      ThreadParking.allow()
      state.withLock { $0.thread = pthread_self() }
      var clock = clockid_t()
      if unsafe pthread_getcpuclockid(pthread_self(), &clock) == 0 {
        state.withLock { [clock] in $0.clock = clock }
      }
      while true {
        jobCount.wait()
        guard let job = state.withLock({ $0.job.take() }) else { return }
        job()
        state.withLock { $0.isAtRest = $0.isStuck }
        doneCount.signal()
      }
    }

    /// Ends the thread; nothing runs on it after.
    func end() { jobCount.signal() }

    /// The worker whose thread this is; nil if it is no worker's.
    static var current: TSKWorker? { running.withLock { $0[pthread_self()] } }

    /// Gives up the call that is made on this thread, which comes to no end.
    func giveUp() -> Never {
      let isNew = state.withLock {
        let wasStuck = $0.isStuck
        $0.isStuck = true
        $0.isAtRest = true
        return !wasStuck
      }
      if isNew { doneCount.signal() }
      while true { pause() }
    }

    /// Does not return if the call that is made on this thread was given up.
    func checkIsWanted() { if isStuck { giveUp() } }

    /// Counts libtsk's allocations and releases; does not return if that is too much.
    func count(allocated: Int, released: Int = 0) {
      let isTooMuch = state.withLock {
        let (sum, overflow) = $0.byteCount.addingReportingOverflow(allocated - released)
        if overflow || $0.isStuck || sum > limits.byteCount { return true }
        // Memory from another thread or from the C library may be released here.
        $0.byteCount = max(sum, 0)
        return false
      }
      if isTooMuch { giveUp() }
    }

    /// Whether a call was given up: the memory it uses must stay.
    var isStuck: Bool { state.withLock { $0.isStuck } }

    /// Runs a call on the thread; not for two threads at a time.
    func run<Value: Sendable>(
      _ body: @escaping @Sendable () throws(TSKError) -> Value
    ) throws(TSKError) -> Value {
      if isStuck { throw .stuck }
      let result = ResultBox<Value>()
      state.withLock {
        $0.job = { result.set(Result(catching: body)) }
      }
      let start = processorTime
      jobCount.signal()
      while doneCount.wait(timeout: .now() + .milliseconds(500)) == .timedOut {
        if processorTime - start > limits.processorTime {
          leaveBehind()
          throw .stuck
        }
      }
      guard let result = result.get() else { throw .stuck }
      let time = processorTime - start
      state.withLock {
        if time > Self.longCallTime { $0.longTime += time }
        // Many that each come to an end have none together.
        if $0.longTime > limits.processorTime * 4 { $0.isStuck = true }
      }
      return try result.get()
    }

    /// Gives up the call that is made on the thread, and stops the thread.
    private func leaveBehind() {
      let thread = state.withLock {
        $0.isStuck = true
        return $0.thread
      }
      // A thread that still runs for so long neither reads nor allocates, and so holds no lock. One
      // that does not run waits for a read. On a busy machine either takes time to tell.
      let start = processorTime
      var (used, restCount) = (start, 0)
      while !state.withLock({ $0.isAtRest }), restCount < 500 {
        if let thread, used - start >= Self.loopTime { return ThreadParking.park(thread) }
        usleep(10_000)
        let now = processorTime
        restCount = now == used ? restCount + 1 : 0
        used = now
      }
    }

    /// The processor time that the thread has used.
    var processorTime: Duration {
      var time = timespec()
      guard let clock = state.withLock({ $0.clock }), unsafe clock_gettime(clock, &time) == 0
      else { return .zero }
      return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
  }

  /// The result of a call.
  private final class ResultBox<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, TSKError>?>(nil)

    func set(_ value: Result<Value, TSKError>) { result.withLock { $0 = value } }

    func get() -> Result<Value, TSKError>? { result.withLock { $0 } }
  }
#endif
