import BlockIO

/// A reason why a command ends without a complete result, where only the command knows it.
struct Failure: CodedError {
  let status: ExitStatus
  let code: String
  /// One line for the user; empty if everything has been said.
  let description: String
  let place: ErrorPlace?

  init(
    _ status: ExitStatus, _ description: String = "", code: String? = nil,
    at place: ErrorPlace? = nil
  ) {
    self.status = status
    self.code = code ?? status.code
    self.description = description
    self.place = place
  }
}
