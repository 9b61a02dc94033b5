import BlockIO
import Fuzzing
import SnapshotKit

/// Takes the bytes for a store, and reads it in every way there is.
fuzz { bytes in
  let copy = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  let store = Store(MemorySource(copy))
  _ = Auditor(store).audit()
  for reading in Reading.allCases {
    // It asks KernelLoad by that reading, or plans a salvage, and walks the table again.
    _ = try? LoadedTable(store, reading: reading)
  }
}
