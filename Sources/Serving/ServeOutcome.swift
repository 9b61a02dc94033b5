package import BlockIO
internal import FoundationEssentials
internal import SystemPackage

/// What the process that serves tells the one that started it, as JSON: what it serves, or why it
/// does not.
package enum ServeOutcome: Codable, Sendable {
  /// It serves that.
  case served(ServeReport)
  /// It does not.
  case failed(ServeFailure)

  /// Reads what a process wrote; nil if that is nothing.
  package init?(json: [UInt8]) {
    guard let outcome = try? JSONDecoder().decode(Self.self, from: Data(json)) else { return nil }
    self = outcome
  }

  /// Writes it to a descriptor, and closes that: whoever reads it then has all of it.
  package func write(to descriptor: Int32) throws {
    let file = FileDescriptor(rawValue: descriptor)
    let text = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
    try OutputStream(file, name: "the report").write(text)
    try file.close()
  }
}

/// How serving ended, which the process that served tells by its exit status.
package enum ServeEnd: Int32 {
  /// Nothing went wrong.
  case allWell = 0
  /// Clients read what is lost, and was not known to be, or wrote what the layer did not take.
  case incomplete = 2
  /// An input was written while it was served.
  case inputChanged = 3
  /// Not all that was written to the layer is on the medium.
  case unflushed = 4
}

/// Why something is not served, as its process told it.
package struct ServeFailure: CodedError, Codable {
  /// What a command ends with because of it.
  package var status: ExitStatus { ExitStatus(rawValue: number) ?? .couldNotFinish }
  /// Its kind.
  package let code: String
  /// What, where and why.
  package let description: String
  /// What it is about, if that is known.
  package var place: ErrorPlace? {
    path.map { ErrorPlace($0, byteOffset: byteOffset, byteCount: byteCount) }
  }
  private let number: Int32
  private let path: String?
  private let byteOffset: UInt64?
  private let byteCount: UInt64?

  /// An error, to be told.
  package init(_ error: any Error) {
    let coded = error as? any CodedError
    number = (coded?.status ?? .couldNotFinish).rawValue
    code = coded?.code ?? ExitStatus.couldNotFinish.code
    description = coded?.description ?? "\(error)"
    path = coded?.place?.path
    (byteOffset, byteCount) = (coded?.place?.byteOffset, coded?.place?.byteCount)
  }
}
