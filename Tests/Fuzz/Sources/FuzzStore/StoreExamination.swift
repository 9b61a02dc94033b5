import BlockIO
import FoundationEssentials
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// Everything that commands do with a store, but for the system calls.
struct StoreExamination {
  private let recipe: CompactStore.Recipe
  private let input: [UInt8]
  private let source: CompactStore
  private let store: Store
  private let origin: PlainOrigin
  /// What the reader is told.
  private let chunkSize: ChunkSize?
  private let originByteCount: UInt64?

  init(_ input: [UInt8]) {
    self.input = input
    recipe = CompactStore.Recipe(input)
    source = CompactStore(input, recipe)
    store = Store(source)
    originByteCount = recipe.originByteCount
    origin = PlainOrigin(byteCount: recipe.originByteCount ?? 1 << 20)
    chunkSize = recipe.saysChunkSize ? recipe.chunkSize : nil
  }

  func run() {
    let audit = Auditor(
      store, origin: originByteCount == nil ? nil : origin,
      reading: recipe.isSalvage ? .salvage : recipe.kernel, chunkSize: chunkSize
    ).audit()
    precondition((Diagnosis(audit)?.cause.utf8.count ?? 0) < 1000)
    if audit.load.verdict == .loads || recipe.isThorough {
      for reading in Reading.kernels where reading == recipe.kernel || recipe.isThorough {
        guard let loaded = try? LoadedTable(store, reading: reading) else { continue }
        _ = try? loaded.mergeObstacle(originByteCount: origin.byteCount)
        view(loaded)
      }
    }
    if let plan = audit.plan { salvage(plan) }
    if recipe.isThorough {
      examineThoroughly(
        audit,
        try? SalvagePlan(store, chunkSize: chunkSize, originByteCount: originByteCount))
    }
  }

  /// Looks at each generation as a command would.
  private func salvage(_ plan: SalvagePlan) {
    for generation in plan.generations {
      guard let loaded = try? LoadedTable(plan, generation: generation.index) else {
        preconditionFailure("a generation that is there is not")
      }
      precondition(generation.runs.reduce(0) { $0 + $1.count } == generation.exceptionCount)
      precondition(generation.doubtfulCount <= generation.exceptionCount)
      for (run, next) in zip(loaded.table.runs, loaded.table.runs.dropFirst()) {
        precondition(run.lastOld < next.old)
      }
      _ = loaded.lostRanges(originByteCount: origin.byteCount)
      let wanted = WantedSectors(plan, generation, lost: [])
      _ = (wanted.metadataByteCount, wanted.dataByteCount)
      view(loaded)
    }
  }

  /// Reads some of what a snapshot shows.
  private func view(_ loaded: LoadedTable) {
    let view = SnapshotView(of: origin, through: loaded.table, of: source)
    precondition(view.mappedByteCount <= view.byteCount)
    _ = view.knownLosses
    let buffer = IOBuffer(byteCount: 4096)
    var (position, lost) = (UInt64(0), [LostRange]())
    for _ in 0..<16 {
      guard let data = try? view.nextData(from: position) else { break }
      precondition(!data.isEmpty && data.lowerBound >= position)
      precondition(data.upperBound <= view.byteCount)
      let end = min(data.upperBound, data.lowerBound + 4096)
      do throws(BlockIOError) {
        try view.read(data.lowerBound..<end, into: buffer, lost: &lost)
      } catch {
        preconditionFailure("reading around what cannot be read fails")
      }
      position = data.upperBound
    }
  }

  // MARK: - What takes its time

  private func examineThoroughly(_ audit: Audit, _ plan: SalvagePlan?) {
    encode(AuditReport(audit))
    encode(InspectReport(audit, content: nil))
    guard let carving = try? Carver(source).carve(progress: { _, _ in }) else {
      preconditionFailure("carving stops")
    }
    encode(CarveReport(carving, path: source.name, byteCount: source.byteCount))
    guard let plan else { return }
    let exceptions = exceptions
    for generation in plan.generations {
      for run in generation.runs where !recipe.isRaw && recipe.gapSectorCount == 0 {
        for within in 0..<run.count {
          precondition(exceptions.contains(Pair(old: run.old + within, new: run.new + within)))
        }
      }
      write(plan, generation)
    }
  }

  private func encode(_ report: some Encodable) {
    guard (try? JSONEncoder().encode(report)) != nil else {
      preconditionFailure("a report cannot be written")
    }
  }

  /// Writes the new store, and reads in it what was kept.
  private func write(_ plan: SalvagePlan, _ generation: Generation) {
    guard
      let loaded = try? LoadedTable(
        plan, generation: generation.index, of: originByteCount == nil ? nil : origin,
        placing: Placing(.likely))
    else { return }
    let writer = StoreWriter(loaded)
    guard writer.byteCount < 1 << 26 else { return }
    do {
      let output = try OutputFile(path: "/dev/shm/fuzzed-store", byteCount: writer.byteCount)
      let lost = try writer.write(to: output) { _, _ in }
      encode(
        SalvageReport(
          plan, loaded.generation ?? generation, loaded.placement, .likely,
          byteCount: writer.byteCount, lost: lost, isComplete: lost.isEmpty))
      let written = try LoadedTable(Store(output), reading: .kernel)
      precondition(written.exceptionCount == loaded.exceptionCount)
      precondition(loaded.exceptionCount >= generation.exceptionCount)
    } catch {
      preconditionFailure("a salvaged store cannot be written, or is none: \(error)")
    }
  }

  private struct Pair: Hashable {
    let old: UInt64
    let new: UInt64
  }

  /// All exceptions in the input, wherever they stand: none can come of anything else.
  private var exceptions: Set<Pair> {
    var found: Set<Pair> = []
    func number(at byteOffset: Int) -> UInt64 {
      input[byteOffset..<byteOffset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    for start in stride(from: CompactStore.Recipe.byteCount, through: input.count - 16, by: 16) {
      found.insert(Pair(old: number(at: start), new: number(at: start + 8)))
    }
    return found
  }
}
