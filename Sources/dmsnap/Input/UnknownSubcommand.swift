import ArgumentParser

/// A word that stands where a subcommand belongs, and names none.
///
/// To ArgumentParser it is an argument too many, and after `help` nothing at all.
struct UnknownSubcommand {
  /// The words up to it, such as `lvm lst`.
  let path: String
  /// The subcommand that may be meant.
  let suggestion: String?

  /// The first such word of a command line; nil if there is none.
  init?(in arguments: some Sequence<String>, of root: any ParsableCommand.Type) {
    var words = Array(arguments)[...]
    // `help` is a subcommand as well, of the parser's.
    if words.first == "help" { words.removeFirst() }
    if words.first == "help" { return nil }
    var command = root
    var path: [String] = []
    while let word = words.popFirst(), !command.configuration.subcommands.isEmpty {
      if word.isEmpty || word.hasPrefix("-") { return nil }
      path.append(word)
      if let next = command.configuration.subcommands.first(where: { $0._commandName == word }) {
        command = next
        continue
      }
      self.path = path.joined(separator: " ")
      suggestion = Self.names(below: command).min { $0.distance(to: word) < $1.distance(to: word) }
        .flatMap { $0.isNear(word) ? (path.dropLast() + $0.path).joined(separator: " ") : nil }
      return
    }
    return nil
  }

  /// The error, in ArgumentParser's words for options.
  var message: String {
    "Unknown subcommand '\(path)'" + (suggestion.map { ". Did you mean '\($0)'?" } ?? "")
  }

  /// A subcommand's words; people leave out all but the last.
  private struct Name {
    let path: [String]

    func distance(to word: String) -> Int {
      editDistance(Array(path.last ?? ""), Array(word))
    }

    /// Whether so few letters are wrong that this is likely to be meant.
    func isNear(_ word: String) -> Bool { distance(to: word) <= ((path.last?.count ?? 0) + 1) / 3 }
  }

  private static func names(below command: any ParsableCommand.Type) -> [Name] {
    command.configuration.subcommands.flatMap { child in
      let own = Name(path: [child._commandName])
      return [own] + names(below: child).map { Name(path: own.path + $0.path) }
    }
  }
}

/// The number of letters to insert, remove, change, or swap with the next.
private func editDistance(_ from: [Character], _ to: [Character]) -> Int {
  var rows = [Array(0...to.count)]
  for row in from.indices {
    var distances = [row + 1]
    for column in to.indices {
      let changed = rows[row][column] + (from[row] == to[column] ? 0 : 1)
      var least = min(changed, rows[row][column + 1] + 1, distances[column] + 1)
      if row > 0, column > 0, from[row] == to[column - 1], from[row - 1] == to[column] {
        least = min(least, rows[row - 1][column - 1] + 1)
      }
      distances.append(least)
    }
    rows.append(distances)
  }
  return rows[from.count][to.count]
}
