import TestSupport
import Testing

/// Whatever is done to a store, every command ends with a status of the contract, and says why.
@Suite struct DamagedStoreTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// Runs a command on a damaged store and checks what holds for all of them.
  private func run(
    _ command: Subcommand, _ store: String, _ origin: String, _ what: String
  ) throws -> Int32? {
    let arguments = command.arguments(
      store: store, origin: origin, output: directory.path("output"))
    let outcome = try dmsnap.run(arguments, timeout: .seconds(30))
    let status = outcome.status
    #expect(status.map { (0...5).contains($0) } == true, "\(what): \(outcome)")
    let answers = command == .inspect || command == .audit
    if status == 3 || status == 4 || status == 5 {
      #expect(outcome.complaint() == nil, "\(what)")
      #expect(answers || outcome.output.isEmpty, "\(what): \(outcome)")
      #expect(!Files.exist(directory.path("output")), "\(what): \(outcome)")
    } else if answers {
      #expect(!outcome.output.isEmpty)
    }
    _ = try? ToolRunner(named: "rm")?.run(["-f", directory.path("output")])
    return status
  }

  @Test(arguments: Subcommand.ofStores)
  func `a store cut after every sector`(command: Subcommand) throws {
    let pair = try Pair("chunk-1", in: directory)
    let sectorCount = pair.facts.store.byteCount / 512
    var statuses: [Int32: Int] = [:]
    // The audit sees every cut; the others take turns, and all see those around the areas.
    let turn = (Subcommand.ofStores.firstIndex(of: command) ?? 0) % 4
    for sector in (0..<sectorCount).reversed() {
      try Files.truncate(pair.store, to: UInt64(sector) * 512)
      guard command == .audit || sector % 4 == turn || sector < 4 || (32...37).contains(sector)
      else { continue }
      let status = try run(command, pair.store, pair.origin, "cut after \(sector) sectors")
      statuses[status ?? -1, default: 0] += 1
    }
    // Without a byte there is no store; with the second area cut off, Linux refuses.
    #expect(statuses[3] ?? 0 >= 1)
    let expected: Int32 = [.inspect, .audit, .salvage].contains(command) ? 2 : 4
    #expect(command == .carve || statuses[expected] ?? 0 > 0, "\(statuses)")
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test func `a store cut within a sector`() throws {
    let pair = try Pair("chunk-1", in: directory)
    for byteCount in [UInt64(20_001), 17_000, 1025, 1023, 513, 511, 17, 16, 15, 4, 3, 1] {
      try Files.truncate(pair.store, to: byteCount)
      for command in [Subcommand.audit, .table, .export] {
        _ = try run(command, pair.store, pair.origin, "cut after \(byteCount) bytes")
      }
    }
  }

  @Test(arguments: [UInt64(1), 2, 3, 4])
  func `a store with bytes changed at random`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let pair = try Pair(
      ["written", "many-small-areas", "chunk-1", "reused"][Int(seed) - 1], in: directory)
    let whole = try Files.bytes(pair.store)
    for round in 0..<8 {
      var bytes = whole
      for _ in 0..<(1 + random.below(40)) {
        // Mostly where the metadata are.
        let place = random.oneIn(3) ? random.below(whole.count) : random.below(8192)
        bytes.put(random.oneIn(2) ? random.bytes(1) : random.bytes(8), at: place)
      }
      let store = try directory.write(bytes, to: "store")
      for (index, command) in Subcommand.ofStores.enumerated() where index % 2 == round % 2 {
        _ = try run(command, store, pair.origin, "seed \(seed), round \(round)")
      }
    }
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test(arguments: [UInt32(0), 3, 7, 1 << 21, 1 << 22, 1 << 31, .max])
  func `a header with an odd chunk size`(sectors: UInt32) throws {
    var builder = StoreBuilder().copying([1, 2, 3])
    builder.header.chunkSectors = sectors
    let store = try directory.write(builder.image(), to: "store")
    let origin = try directory.write(Stamp.origin(byteCount: 65_536), to: "origin")
    for command in Subcommand.ofStores {
      let status = try run(command, store, origin, "\(sectors) sectors")
      let expected: Int32 =
        switch command {
        case .inspect, .audit: 2
        case .carve, .salvage: 0  // the areas tell the true size
        default: 4
        }
      #expect(status == expected, "\(command)")
    }
  }

  @Test func `exceptions with the wildest numbers`() throws {
    let wild: [UInt64] = [.max, .max - 1, 1 << 63, 1 << 56, (1 << 56) - 1, 1 << 55, 1 << 40, 1]
    let origin = try directory.write(Stamp.origin(byteCount: 65_536), to: "origin")
    let commands = [Subcommand.audit, .export, .diff, .merge, .table]  // 5: prime to 8
    var turn = 0
    for old in wild {
      for new in wild {
        let builder = StoreBuilder(chunkSectors: 1).adding((old, new), (3, 4)).sized(64)
        let store = try directory.write(builder.image(), to: "store")
        let what = "\(old) → \(new)"
        _ = try run(commands[turn % commands.count], store, origin, what)
        turn += 1
      }
    }
  }
}
