#if TSK
  internal import BlockIO
  internal import Dispatch
  internal import Glibc
  internal import Synchronization

  /// The thread on which a file system's calls of libtsk are made, so that one without an end can
  /// be left behind.
  ///
  /// Damaged images make some of libtsk's loops endless, and trip some of its assertions. A call
  /// that has used too much of the processor, or failed an assertion, is given up: its thread keeps
  /// all that it uses, and ends with the process.
  final class TSKWorker: Sendable {
    /// The workers whose threads run, by their threads.
    private static let running = Mutex<[pthread_t: TSKWorker]>([:])

    private struct State: Sendable {
      var job: (@Sendable () -> Void)?
      var clock: clockid_t?
      var isStuck = false
    }

    private let state = Mutex(State())
    // Created with 0: a semaphore that ends with less than it began with counts as an error.
    private let jobCount = DispatchSemaphore(value: 0)
    private let doneCount = DispatchSemaphore(value: 0)
    private let limit: Duration

    /// A thread of its own.
    ///
    /// - Parameter limit: How much processor time a call may use.
    /// - Returns: Nil if there is no thread to be had.
    init?(limit: Duration) {
      self.limit = limit
      // libtsk keeps buffers on the stack, and calls itself for directories.
      guard BackgroundThread.start(stackByteCount: 8 << 20, { [self] in work() }) else {
        return nil
      }
    }

    private func work() {
      Self.running.withLock { $0[pthread_self()] = self }
      defer { Self.running.withLock { $0[pthread_self()] = nil } }
      var clock = clockid_t()
      if unsafe pthread_getcpuclockid(pthread_self(), &clock) == 0 {
        state.withLock { [clock] in $0.clock = clock }
      }
      while true {
        jobCount.wait()
        guard let job = state.withLock({ $0.job.take() }) else { return }
        job()
        doneCount.signal()
      }
    }

    /// Ends the thread; nothing runs on it after.
    func end() { jobCount.signal() }

    /// Gives up the call that is made on this thread, which comes to no end; returns if this is no
    /// worker's thread.
    fileprivate static func giveUpCall() {
      guard let worker = running.withLock({ $0[pthread_self()] }) else { return }
      worker.state.withLock { $0.isStuck = true }
      worker.doneCount.signal()
      while true { pause() }
    }

    /// Whether a call was left behind: what it uses must stay.
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
        if processorTime - start > limit {
          state.withLock { $0.isStuck = true }
          throw .stuck
        }
      }
      guard let result = result.get() else { throw .stuck }
      return try result.get()
    }

    /// How much processor time the thread has used.
    private var processorTime: Duration {
      var time = timespec()
      guard let clock = state.withLock({ $0.clock }), unsafe clock_gettime(clock, &time) == 0
      else { return .zero }
      return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
  }

  /// What an assertion of C calls when it fails: that of the C library gives way to the program's.
  ///
  /// libtsk asserts what a damaged image does not hold to. That ends the call, not the program.
  @_cdecl("__assert_fail")
  public func assertionFailed(
    _ text: UnsafePointer<CChar>, _ file: UnsafePointer<CChar>, _ line: CUnsignedInt,
    _ function: UnsafePointer<CChar>?
  ) -> Never {
    TSKWorker.giveUpCall()
    fatalError(unsafe "\(String(cString: file)):\(line): \(String(cString: text)) does not hold")
  }

  /// What a call comes to.
  private final class ResultBox<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, TSKError>?>(nil)

    func set(_ value: Result<Value, TSKError>) { result.withLock { $0 = value } }

    func get() -> Result<Value, TSKError>? { result.withLock { $0 } }
  }
#endif
