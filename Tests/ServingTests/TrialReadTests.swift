import BlockIO
import Foundation
@testable import Serving
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// What a trial layer shows to those who read while others write.
@Suite struct TrialReadTests {
  /// A base of zeroes; something happens while it is read for the first time.
  private final class WatchedSource: ForwardingSource, Sendable {
    let base: any BlockSource
    let firstRead: Mutex<(@Sendable () -> Void)?>

    init(byteCount: Int, _ firstRead: (@Sendable () -> Void)? = nil) {
      base = MemorySource([UInt8](repeating: 0, count: byteCount))
      self.firstRead = Mutex(firstRead)
    }

    func read(
      at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
    ) throws(BlockIOError) {
      let action = firstRead.withLock { action in
        defer { action = nil }
        return action
      }
      action?()
      try base.read(at: byteOffset, into: buffer, range)
    }
  }

  private static let chunk = 4096

  private static func write(_ value: UInt8, to chunk: Int, of layer: TrialLayer) throws {
    let buffer = IOBuffer([UInt8](repeating: value, count: Self.chunk))
    try layer.write(at: UInt64(chunk * Self.chunk), from: buffer, 0..<Self.chunk)
  }

  /// What is in some chunks; each is of one write.
  private static func read(_ chunks: Range<Int>, of layer: TrialLayer) throws -> [UInt8] {
    let buffer = IOBuffer(byteCount: chunks.count * chunk)
    try layer.read(at: UInt64(chunks.lowerBound * chunk), into: buffer, 0..<buffer.byteCount)
    return try (0..<chunks.count).map { index in
      let values = Set(buffer.bytes(index * chunk..<(index + 1) * chunk))
      try #require(values.count == 1, "torn: \(values)")
      return values.first ?? 0
    }
  }

  @Test func `what is written while the base is read is seen, all of it`() async throws {
    let source = WatchedSource(byteCount: 8 * Self.chunk)
    let layer = try TrialLayer(
      over: source, in: VolatileTarget([UInt8](repeating: 0, count: 1 << 20)))
    try Self.write(1, to: 1, of: layer)
    // The base's chunk 0 is read first, and the layer's chunk 1 afterwards: of the second write,
    // and not of the first, which came before it.
    source.firstRead.withLock { action in
      action = {
        do {
          try Self.write(2, to: 0, of: layer)
          try Self.write(2, to: 1, of: layer)
        } catch { Issue.record(error) }
      }
    }
    #expect(try Self.read(0..<3, of: layer) == [2, 2, 0])
    // While the second client reads the base, a third is served.
    try Self.write(3, to: 2, of: layer)
    source.firstRead.withLock { action in
      action = { #expect((try? Self.read(0..<3, of: layer)) == [2, 2, 3]) }
    }
    #expect(try Self.read(2..<5, of: layer) == [3, 0, 0])
  }

  /// A store of which something happens while it is flushed.
  private final class WatchedTarget: BlockTarget, ForwardingSource, Sendable {
    let target = VolatileTarget([UInt8](repeating: 0, count: 1 << 20))
    let flushing = Mutex<(@Sendable () -> Void)?>(nil)
    var base: any BlockSource { target }

    func write(
      at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
    ) throws(BlockIOError) {
      try target.write(at: byteOffset, from: buffer, range)
    }

    func flush() throws(BlockIOError) {
      flushing.withLock { $0 }?()
      try target.flush()
    }
  }

  @Test func `clients read while another flushes`() throws {
    let target = WatchedTarget()
    let layer = try TrialLayer(over: WatchedSource(byteCount: 8 * Self.chunk), in: target)
    try Self.write(1, to: 1, of: layer)
    let readCount = Atomic<Int>(0)
    target.flushing.withLock { action in
      action = {
        #expect((try? Self.read(0..<3, of: layer)) == [0, 1, 0])
        #expect(layer.written(in: 0..<UInt64(8 * Self.chunk)).count == 1)
        readCount.add(1, ordering: .relaxed)
      }
    }
    try layer.flush()
    // Of the data, and of the area that names it.
    #expect(readCount.load(ordering: .relaxed) == 2)
  }

  @Test func `clients that read while another writes see its writes in their order`() throws {
    let directory = try TemporaryDirectory()
    let pairCount = 300
    let layer = try TrialLayer(
      over: WatchedSource(byteCount: 2 * pairCount * Self.chunk),
      in: FileTarget(creating: FilePath(directory.path("layer")), byteCount: 8 << 20))
    // The writer goes through pairs of chunks, some steps ahead of the readers at first.
    let step = Atomic<Int>(0)
    let lastStep = 3 * pairCount
    let problems = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { client in
      do {
        if client == 0 {
          for number in 0..<lastStep {
            let (pair, value) = (number % pairCount, UInt8(1 + number / pairCount))
            try Self.write(value, to: 2 * pair, of: layer)
            try Self.write(value, to: 2 * pair + 1, of: layer)
            step.store(number + 1, ordering: .releasing)
            if number % 50 == 0 { try layer.flush() }
          }
        }
        while client > 0 {
          let number = step.load(ordering: .acquiring)
          if number == lastStep { return }
          let pair = (number + client - 1) % pairCount
          let before = UInt8((number + pairCount - 1 - pair) / pairCount)
          let values = try Self.read(2 * pair..<2 * pair + 2, of: layer)
          // The first of a pair is written first; neither is older than what was written before.
          if values[0] < values[1] || values[0] > values[1] + 1 || values[1] < before {
            problems.withLock { $0.append("pair \(pair): \(values), \(before) at step \(number)") }
          }
        }
      } catch {
        step.store(lastStep, ordering: .releasing)
        problems.withLock { $0.append("\(error)") }
      }
    }
    #expect(problems.withLock { $0 } == [])
  }
}
