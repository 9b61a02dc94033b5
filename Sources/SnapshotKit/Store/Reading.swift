/// How a table is interpreted.
public enum Reading: String, CaseIterable, Sendable {
  /// What Linux 5.2 to 6.11 maps, as measured on 6.1: nothing is validated, and of exceptions for
  /// one chunk the one wins that its hash table finds first.
  case kernel
  /// What Linux 6.12 maps: it differs in the order of its buckets, which decides among duplicates.
  case kernel612 = "kernel-6.12"
  /// What the evidence supports: the flag and the header survived, damaged areas passed over,
  /// impossible exceptions dropped, each such decision a finding.
  case salvage

  /// The readings that are some kernel's.
  public static let kernels: [Reading] = [.kernel, .kernel612]
}
