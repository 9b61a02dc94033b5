import TestSupport

/// A store of copies: chunks of the origin, and contents by their numbers; 0 is zeroes.
func copiedImage(
  _ copies: [(old: Int, content: UInt64)], lost area: Int? = nil, chunkSectors: Int = 1
) -> [UInt8] {
  let model = CopyModel(chunkCount: 1, chunkSectors: chunkSectors)
  let builder = StoreBuilder(chunkSectors: chunkSectors).copying(copies.map(\.old))
  var image = builder.image()
  for (exception, copy) in zip(builder.exceptions, copies) {
    image.put(model.bytes(of: copy.content), at: Int(exception.new) * model.chunkByteCount)
  }
  if let area {
    Damage.randomChunk(builder.chunk(ofArea: area), seed: 5).apply(to: &image, of: builder)
  }
  return image
}
