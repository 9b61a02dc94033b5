import BlockIO
import Synchronization
import TestSupport
import Testing

/// What is sent arrives, in order, once; whoever fails, nobody waits for ever.
@Suite struct ConveyorTests {
  private enum Stop: Error, Equatable { case loader, unloader }

  /// Sends the numbers up to `count`, each in eight bytes of a buffer as well.
  private func send(_ count: Int, on conveyor: Conveyor<Int>) {
    for number in 0..<count {
      guard let buffer = conveyor.nextBuffer() else { return }
      buffer.withMutableRecords(of: Int.self, count: 1) { $0[0] = number }
      conveyor.send(buffer, number)
    }
  }

  private func content(of buffer: IOBuffer) -> Int {
    buffer.withRecords(of: Int.self, count: 1) { $0[0] }
  }

  @Test(arguments: [0, 1, 2, 3, 4, 1000], [1, 2, 3, 7])
  func `everything arrives in the order of sending`(count: Int, bufferCount: Int) {
    var arrived: [Int] = []
    Conveyor<Int>.run(bufferCount: bufferCount, bufferByteCount: 8) { conveyor in
      send(count, on: conveyor)
    } unload: { buffer, number in
      #expect(content(of: buffer) == number)
      arrived.append(number)
    }
    #expect(arrived == Array(0..<count))
  }

  @Test func `no more buffers go round than were asked for`() {
    var seen: Set<ObjectIdentifier> = []
    Conveyor<Int>.run(bufferCount: 2, bufferByteCount: 16) { conveyor in
      send(100, on: conveyor)
    } unload: { buffer, _ in
      #expect(buffer.byteCount == 16)
      seen.insert(ObjectIdentifier(buffer))
    }
    #expect(seen.count <= 2)
  }

  @Test(arguments: [0, 1, 2, 3, 50])
  func `what was sent before the loader failed is unloaded before the error comes`(count: Int) {
    var arrived: [Int] = []
    #expect(throws: Stop.loader) {
      try Conveyor<Int>.run(bufferByteCount: 8) { (conveyor) throws(Stop) in
        send(count, on: conveyor)
        throw .loader
      } unload: { (_, number) throws(Stop) in
        arrived.append(number)
      }
    }
    #expect(arrived == Array(0..<count))
  }

  @Test(arguments: [0, 1, 2, 3, 50])
  func `when the unloader fails the loader gets no more buffers`(failing: Int) {
    let wasRefused = Mutex(false)
    var arrived: [Int] = []
    #expect(throws: Stop.unloader) {
      try Conveyor<Int>.run(bufferByteCount: 8) { conveyor throws(Stop) in
        while let buffer = conveyor.nextBuffer() { conveyor.send(buffer, 0) }
        // Nor later.
        let isRefusedAgain = conveyor.nextBuffer() == nil && conveyor.nextBuffer() == nil
        wasRefused.withLock { $0 = isRefusedAgain }
      } unload: { (_, number) throws(Stop) in
        if arrived.count == failing { throw .unloader }
        arrived.append(number)
      }
    }
    #expect(arrived.count == failing)
    // It has ended by now: nothing that it uses is used behind the caller's back.
    #expect(wasRefused.withLock { $0 })
  }

  @Test func `when both fail it is the unloader's error, as it comes first`() {
    #expect(throws: Stop.unloader) {
      try Conveyor<Int>.run(bufferByteCount: 8) { (conveyor) throws(Stop) in
        while let buffer = conveyor.nextBuffer() { conveyor.send(buffer, 0) }
        throw .loader
      } unload: { (_, _) throws(Stop) in
        throw .unloader
      }
    }
  }

  @Test func `a loader may keep a buffer, and end`() {
    var arrived: [Int] = []
    Conveyor<Int>.run(bufferByteCount: 8) { conveyor in
      send(5, on: conveyor)
      _ = conveyor.nextBuffer()
    } unload: { _, number in
      arrived.append(number)
    }
    #expect(arrived == Array(0..<5))
  }

  @Test func `one conveyor may feed another`() {
    var arrived: [Int] = []
    Conveyor<Int>.run(bufferByteCount: 8) { conveyor in
      send(20, on: conveyor)
    } unload: { _, outer in
      Conveyor<Int>.run(bufferByteCount: 8) { conveyor in
        send(outer, on: conveyor)
      } unload: { _, inner in
        arrived.append(inner)
      }
    }
    #expect(arrived == (0..<20).flatMap { Array(0..<$0) })
  }

  /// The end of one run is a race between its threads, which thousands of runs do not lose.
  @Test func `short runs end well, however often`() {
    for round in 0..<5000 {
      var arrived = 0
      Conveyor<Int>.run(bufferByteCount: 8) { conveyor in
        send(round % 5, on: conveyor)
      } unload: { _, _ in
        arrived += 1
      }
      if arrived != round % 5 { Issue.record("\(arrived) of \(round % 5) arrived") }
    }
  }
}
