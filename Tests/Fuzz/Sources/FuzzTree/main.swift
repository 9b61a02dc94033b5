import BlockIO
import Fuzzing
import Glibc

/// The image that every input is a patch of.
///
/// Global so that libFuzzer's callback, which captures nothing, reaches it.
let base = BaseImage.named

/// Takes the bytes for patches of an image, makes its checksums right, and reads its files in every
/// way.
fuzz { bytes in
  var patches = PatchReader(unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) })
  var image = Patches(base)
  while let patch = patches.next() { image.apply(patch) }
  image.repairChecksums()
  examine(PatchedSource(image))
}
