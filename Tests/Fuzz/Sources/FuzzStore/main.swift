import BlockIO
import Fuzzing
import SnapshotFormat
import SnapshotKit

/// Takes the bytes for the areas of a store, and reads it in every way there is.
fuzz { bytes in
  let input = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  guard input.count >= CompactStore.Recipe.byteCount else { return }
  StoreExamination(input).run()
}

/// What libFuzzer calls in place of its own mutations.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutateStore(
  _ start: UnsafeMutablePointer<UInt8>, _ count: Int, _ byteCountMax: Int, _ seed: UInt32
) -> Int {
  unsafe mutate(start, count, byteCountMax: byteCountMax) { input in
    var mutator = AreaMutator(seed: seed, byteCountMax: byteCountMax)
    mutator.mutate(&input)
  }
}
