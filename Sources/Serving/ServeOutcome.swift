package import BlockIO
internal import FoundationEssentials
internal import SystemPackage

/// The serving process's report to the process that started it, as JSON: the served snapshot, or
/// the failure.
package enum ServeOutcome: Codable, Sendable {
  /// It serves this snapshot.
  case served(ServeReport)
  /// It failed to serve.
  case failed(ServeFailure)

  /// Reads a process's report; nil if it wrote none.
  package init?(json: [UInt8]) {
    guard let outcome = try? JSONDecoder().decode(Self.self, from: Data(json)) else { return nil }
    self = outcome
  }

  /// Writes it to a descriptor and closes that, so that the reader sees the end.
  package func write(to descriptor: Int32) throws {
    let file = FileDescriptor(rawValue: descriptor)
    let text = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
    try OutputStream(file, name: "the report").write(text)
    try file.close()
  }
}

/// How serving ended: the exit status of the serving process.
package enum ServeEnd: Int32 {
  /// Nothing went wrong.
  case allWell = 0
  /// Clients read bytes newly found to be lost, or made writes that the layer refused.
  case incomplete = 2
  /// An input was written while it was served.
  case inputChanged = 3
  /// Not all that was written to the layer is on the medium.
  case unflushed = 4
}

/// A failure to serve, as the serving process reported it.
package struct ServeFailure: CodedError, Codable {
  /// The resulting exit status of the command.
  package var status: ExitStatus { ExitStatus(rawValue: number) ?? .couldNotFinish }
  /// Its kind.
  package let code: String
  /// What, where and why.
  package let description: String
  /// Its place, if known.
  package var place: ErrorPlace? {
    path.map { ErrorPlace($0, byteOffset: byteOffset, byteCount: byteCount) }
  }
  private let number: Int32
  private let path: String?
  private let byteOffset: UInt64?
  private let byteCount: UInt64?

  /// An error, for the report.
  package init(_ error: any Error) {
    let coded = error as? any CodedError
    number = (coded?.status ?? .couldNotFinish).rawValue
    code = coded?.code ?? ExitStatus.couldNotFinish.code
    description = coded?.description ?? "\(error)"
    path = coded?.place?.path
    (byteOffset, byteCount) = (coded?.place?.byteOffset, coded?.place?.byteCount)
  }
}
