#if TSK
  import BlockIO
  import Glibc
  import Synchronization
  import TestSupport
  import Testing

  @testable import TSK

  /// Calls of libtsk that come to an end, and one that does not.
  @Suite struct TSKWorkerTests {
    private static func limits(_ time: Duration, byteCount: Int = 64 << 20) -> TSKLimits {
      TSKLimits(processorTime: time, byteCount: byteCount)
    }

    @Test func `a call gives its answer or its error`() throws {
      let worker = try #require(TSKWorker(limits: Self.limits(.seconds(60))))
      defer { worker.end() }
      #expect(try worker.run { () throws(TSKError) in 7 } == 7)
      #expect(throws: TSKError.library("no")) {
        try worker.run { () throws(TSKError) -> Int in throw .library("no") }
      }
      #expect(try worker.run { () throws(TSKError) in 8 } == 8)
      #expect(!worker.isStuck)
    }

    @Test func `a call without an end is left behind, and so is the worker`() throws {
      let worker = try #require(TSKWorker(limits: Self.limits(.milliseconds(50))))
      let isOver = Flag()
      let rounds = Counter()
      #expect(throws: TSKError.stuck) {
        try worker.run { () throws(TSKError) in
          while !isOver.value.load(ordering: .relaxed) {
            rounds.value.add(1, ordering: .relaxed)
          }
        }
      }
      // It is stopped where it is.
      let count = rounds.value.load(ordering: .relaxed)
      for _ in 0..<50 { usleep(10_000) }
      #expect(rounds.value.load(ordering: .relaxed) == count)
      #expect(worker.isStuck)
      #expect(throws: TSKError.stuck) { try worker.run { () throws(TSKError) in 1 } }
      isOver.value.store(true, ordering: .relaxed)
      worker.end()
    }

    @Test func `calls that take long have no end together`() throws {
      let worker = try #require(TSKWorker(limits: Self.limits(.milliseconds(50))))
      defer { worker.end() }
      func work() throws(TSKError) -> Int {
        try worker.run { () throws(TSKError) in
          (0..<200_000).reduce(0) { $0 &* 31 &+ $1 }
        }
      }
      #expect(throws: TSKError.stuck) {
        for _ in 0..<10_000 { _ = try work() }
      }
    }

    @Test func `libtsk's memory is limited, and its calls are guarded`() throws {
      let source = try TSKImages().fat(16)
      let tight = TSKLimits(processorTime: .seconds(60), byteCount: 16 << 10)
      #expect(throws: TSKError.stuck) { _ = try TSKVolume(source, limits: tight) }
      _ = try TSKVolume(source)
    }

    /// An entry of length 0 after the name: libtsk 4.11 looks at it again and again.
    @Test func `an endless loop of libtsk ends, and so does its thread`() throws {
      let images = try TSKImages()
      try images.run("xorriso", "-as", "mkisofs", "-R", "-o", "rock.img", "tree")
      let source = try images.source("rock.img")
      let buffer = IOBuffer(byteCount: Int(source.byteCount))
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
      var image = buffer.bytes(0..<buffer.byteCount)
      for place in 0..<image.count - 4
      where image[place..<place + 4].elementsEqual([0x54, 0x46, 0x1a, 1]) { image[place + 2] = 0 }
      let limits = TSKLimits(processorTime: .milliseconds(200), byteCount: 64 << 20)
      #expect(throws: TSKError.stuck) { _ = try TSKVolume(MemorySource(image), limits: limits) }
    }

    /// libtsk 4.11 asserts that a name has characters.
    @Test func `a failed assertion of libtsk ends the call, not the program`() throws {
      let source = try TSKImages().exFAT()
      let buffer = IOBuffer(byteCount: Int(source.byteCount))
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
      var image = buffer.bytes(0..<buffer.byteCount)
      // Each file's length of its name.
      for start in stride(from: 0, to: image.count - 64, by: 32)
      where image[start] == 0x85 && image[start + 32] == 0xc0 { image[start + 35] = 0 }
      let volume = try TSKVolume(MemorySource(image))
      var isStuck = false
      for address in volume.addresses.prefix(40_000) where !isStuck {
        do throws(TSKError) { _ = try volume.metadata(of: address) } catch {
          isStuck = error == .stuck
        }
      }
      #expect(isStuck)
    }
  }

  private final class Counter: Sendable {
    let value = Atomic(0)
  }

  /// Ends the call without an end, which would take a processor as long as the tests run.
  private final class Flag: Sendable {
    let value = Atomic(false)
  }
#endif
