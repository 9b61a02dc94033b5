/// By which rules a table is read.
public enum Reading: String, CaseIterable, Sendable {
  /// The mapping of Linux 5.2 to 6.11, as measured on 6.1: nothing is validated; of several
  /// exceptions for one chunk, the first in its hash table wins.
  case kernel
  /// The mapping of Linux 6.12: the order of its buckets differs, which decides among duplicates.
  case kernel612 = "kernel-6.12"
  /// The mapping that the evidence supports: regardless of the flag and the header, without damaged
  /// areas and impossible exceptions; each such decision is a finding.
  case salvage

  /// The readings that are a kernel's.
  package static let kernels: [Reading] = [.kernel, .kernel612]
}
