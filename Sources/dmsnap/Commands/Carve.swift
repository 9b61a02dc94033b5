import ArgumentParser
import BlockIO
import Inputs
import SnapshotFormat
import SnapshotKit

/// `dmsnap carve`: finds stores in an image.
struct Carve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finds COW stores in the image of a disk or partition, even without headers.",
    discussion: """
      Stores are found at any multiple of 512 bytes, by the header or by the order in which Linux \
      hands out chunks. Other commands take the stores found as STORE,offset=BYTES. The confidence \
      is 1 - 1/(1 + n) for n matching facts: each exception in order is one, an intact header \
      counts 16, a damaged one 8. The status is 0 when a store was found, 1 when it may be a \
      fragmented file or the image is not raw, 2 when bytes of a store are missing or bytes of the \
      image are unreadable, and 3 when none was found.
      """)

  @Argument(help: "A file, a block device, or a part: PATH,offset=BYTES,length=BYTES.")
  var image: PathArgument

  @OptionGroup var input: InputOptions

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func run() throws {
    let source = try image.open(input)
    let line = ProgressLine("searched", messages)
    let carving = try Carver(source).carve { line.update($0, $1) }
    line.end()
    let failure =
      carving.stores.isEmpty && carving.unreadable.isEmpty
      ? Failure(
        .noStore, "\(source.name): no COW store was found", code: "store.not-recognised",
        at: ErrorPlace(source.name)) : nil
    switch format {
    case .json:
      try Console.print(
        json: CarveReport(carving, path: source.name, byteCount: source.byteCount), failure)
    case .text:
      try Console.print(lines: CarveScreen(carving, image).lines)
    }
    for store in carving.beheaded {
      let gaps = Gap(at: 0, missing: Int64(clamping: store.missingByteCount)).map { [$0] } ?? []
      Console.say(
        "dmsnap: \(source.name): byte \(store.areaByteOffset): an area of a store"
          + " (\(counted(store.exceptionCount, "exception"))) that begins \(store.missingByteCount)"
          + " bytes before the image; start the image earlier; if its start is lost,"
          + " \(image.adding(gaps)) reads it")
    }
    if let container = carving.container {
      Console.say(
        "dmsnap: \(source.name): is \(container.title): \(container.advice); it is not a raw image")
    }
    for range in carving.unreadable {
      Console.say(
        "dmsnap: \(source.name): \(range.upperBound - range.lowerBound) bytes at byte"
          + " \(range.lowerBound) are unreadable, and were not searched")
    }
    if !carving.unreadable.isEmpty { throw Failure(.damage) }
    if let failure { throw failure }
    if carving.stores.contains(where: { !$0.gaps.isEmpty || $0.isInFragments }) {
      throw Failure(.damage)
    }
    if carving.container != nil || carving.stores.contains(where: { $0.surroundings != nil }) {
      throw Failure(.warnings)
    }
  }
}

/// The text of `dmsnap carve`.
private struct CarveScreen {
  private(set) var lines: [String] = []

  init(_ carving: Carving, _ image: PathArgument) {
    for store in carving.stores {
      lines.append("store    \(image.part(of: store, in: carving))")
      add("header", "\(store.header.rawValue), chunks of \(byteSize(store.chunkSize.byteCount))")
      add("table", table(store))
      if store.staleExceptionCount > 0 {
        let stale = counted(store.staleExceptionCount, "exception")
        add("past", "\(stale) of an older table in areas past the end of this one")
      }
      for gap in store.gaps.prefix(4) { add("lost", gap.words) }
      if !store.gaps.isEmpty {
        let part = PathArgument(argument: image.part(of: store, in: carving))
        add("as", part?.adding(store.gaps) ?? "")
      }
      if let surroundings = store.surroundings {
        add(
          "within",
          "a file system (\(surroundings.type)) at byte \(surroundings.byteOffset): "
            + (store.isInFragments
              ? "its areas are in several places: it is a file in fragments"
              : "a file in fragments has other bytes after the first")
            + "; read it through the file system")
      }
      add("extent", "\(byteSize(store.chainByteCount)) (\(store.chainByteCount) bytes) or more")
      add("confidence", "\(store.confidence), from \(counted(store.factCount, "fact"))")
    }
    if let best = carving.stores.max(by: { $0.factCount < $1.factCount }) {
      lines.append("next     dmsnap inspect \(quoted(image.part(of: best, in: carving)))")
    }
  }

  private mutating func add(_ label: String, _ value: String) {
    lines.append("  \(label.padding(to: 11))\(value)")
  }

  private func table(_ store: CarvedStore) -> String {
    var words = counted(store.exceptionCount, "exception")
    if store.areaCount > 0 { words += " in \(counted(store.areaCount, "area"))" }
    if store.firstArea.index > 0 { words += ", from area \(store.firstArea.index) on" }
    if store.damagedAreaCount > 0 {
      words += ", \(counted(store.damagedAreaCount, "area")) damaged between them"
    }
    return words
  }
}

extension PathArgument {
  /// The part of an image that a store is in: up to the next one after it.
  ///
  /// The areas of that one would be taken for its own. A store within its extent may be the content
  /// of a chunk.
  fileprivate func part(of store: CarvedStore, in carving: Carving) -> String {
    let end = store.byteOffset + store.chainByteCount
    let next = carving.stores.lazy.map(\.byteOffset).filter { $0 >= end }.min()
    return part(from: store.byteOffset, byteCount: next.map { $0 - store.byteOffset })
  }
}
