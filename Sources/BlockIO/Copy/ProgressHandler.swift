/// Called with the progress of a long job: bytes done, and bytes in all.
public typealias ProgressHandler = (_ doneByteCount: UInt64, _ byteCount: UInt64) -> Void
