internal import Dispatch
internal import Synchronization

/// Buffers that circulate between a thread that fills them and the caller's, which empties them:
/// reading goes on while earlier data is written, checked or compared.
///
/// Loads arrive in the order in which they were sent, so the result does not depend on the threads.
package final class Conveyor<Cargo: Sendable>: Sendable {
  private struct State: Sendable {
    var empties: [IOBuffer]
    var loads: [(buffer: IOBuffer, cargo: Cargo)] = []
    var isAbandoned = false
  }

  private let state: Mutex<State>
  // Created with 0: a semaphore that ends with less than it began with counts as an error.
  private let emptyCount = DispatchSemaphore(value: 0)
  private let loadCount = DispatchSemaphore(value: 0)
  private let end = DispatchSemaphore(value: 0)
  /// The closure that unloads if one thread does it all; no other thread sees it.
  private nonisolated(unsafe) var unloadHere: ((IOBuffer, Cargo) -> Void)?

  private init(bufferCount: Int, bufferByteCount: Int) {
    state = Mutex(
      State(empties: (0..<bufferCount).map { _ in IOBuffer(byteCount: bufferByteCount) }))
    for _ in 0..<bufferCount { emptyCount.signal() }
  }

  /// Runs `load` on another thread, and `unload` on this one for each buffer that it sends.
  ///
  /// - Parameters:
  ///   - load: Takes buffers with ``nextBuffer()`` and sends them with ``send(_:_:)``.
  ///   - unload: Called in the order of sending. Buffers sent before `load` failed are unloaded
  ///     before its error is thrown.
  package static func run<Failure: Error>(
    bufferCount: Int = 3, bufferByteCount: Int,
    load: @escaping @Sendable (Conveyor<Cargo>) throws(Failure) -> Void,
    unload: (IOBuffer, Cargo) throws(Failure) -> Void
  ) throws(Failure) {
    let conveyor = Conveyor(bufferCount: bufferCount, bufferByteCount: bufferByteCount)
    let loadFailure = Box<Failure>()
    let isStarted = BackgroundThread.start {
      do throws(Failure) { try load(conveyor) } catch { loadFailure.set(error) }
      conveyor.loadCount.signal()
      conveyor.end.signal()
    }
    guard isStarted else { return try conveyor.runAlone(load, unload) }
    do throws(Failure) {
      while let (buffer, cargo) = conveyor.takeLoad() {
        try unload(buffer, cargo)
        conveyor.giveBack(buffer)
      }
    } catch {
      conveyor.abandon()
      conveyor.end.wait()
      throw error
    }
    conveyor.end.wait()
    if let failure = loadFailure.get() { throw failure }
  }

  /// Does the work of both on the caller's thread, if there is no other: each buffer sent is
  /// unloaded at once.
  private func runAlone<Failure: Error>(
    _ load: (Conveyor<Cargo>) throws(Failure) -> Void,
    _ unload: (IOBuffer, Cargo) throws(Failure) -> Void
  ) throws(Failure) {
    var (loadFailure, unloadFailure): (Failure?, Failure?) = (nil, nil)
    withoutActuallyEscaping(unload) { unload in
      unsafe unloadHere = { buffer, cargo in
        guard unloadFailure == nil else { return }
        do throws(Failure) { try unload(buffer, cargo) } catch {
          unloadFailure = error
          self.abandon()
        }
      }
      defer { unsafe unloadHere = nil }
      do throws(Failure) { try load(self) } catch { loadFailure = error }
    }
    if let failure = unloadFailure ?? loadFailure { throw failure }
  }

  /// Waits for a buffer to fill, with any content; nil when no more are wanted.
  package func nextBuffer() -> IOBuffer? {
    emptyCount.wait()
    let buffer = state.withLock { $0.isAbandoned ? nil : $0.empties.removeLast() }
    if buffer == nil { emptyCount.signal() }  // for later calls
    return buffer
  }

  /// Sends a buffer, and the facts about its content.
  package func send(_ buffer: IOBuffer, _ cargo: Cargo) {
    if let unloadHere = unsafe unloadHere {
      unloadHere(buffer, cargo)
      return giveBack(buffer)
    }
    state.withLock { $0.loads.append((buffer, cargo)) }
    loadCount.signal()
  }

  /// Waits for the next load; nil after the last.
  private func takeLoad() -> (buffer: IOBuffer, cargo: Cargo)? {
    loadCount.wait()
    return state.withLock { $0.loads.isEmpty ? nil : $0.loads.removeFirst() }
  }

  private func giveBack(_ buffer: IOBuffer) {
    state.withLock { $0.empties.append(buffer) }
    emptyCount.signal()
  }

  private func abandon() {
    state.withLock { $0.isAbandoned = true }
    emptyCount.signal()
  }
}

/// A box in which one thread leaves an error for another.
private final class Box<Failure: Error>: Sendable {
  private let failure = Mutex<Failure?>(nil)

  func set(_ failure: Failure) { self.failure.withLock { $0 = failure } }

  func get() -> Failure? { failure.withLock { $0 } }
}
