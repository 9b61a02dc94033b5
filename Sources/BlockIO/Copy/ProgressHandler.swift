/// Told how far a long job is: bytes done, of bytes in all.
public typealias ProgressHandler = (_ doneByteCount: UInt64, _ byteCount: UInt64) -> Void
