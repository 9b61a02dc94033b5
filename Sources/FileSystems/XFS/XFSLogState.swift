import BlockIO
import FileSystemFormat

/// Whether Linux would replay the log of a file system before it shows it.
///
/// - Source: Linux `fs/xfs/xfs_log_recover.c`, `xlog_find_head`, `xlog_find_tail`;
///   `libxfs/xfs_log_format.h`, `struct xlog_op_header`, `XLOG_UNMOUNT_TRANS`.
struct XFSLogState {
  /// What to say of it; nil if it is clean.
  let note: String?

  init(_ reader: XFSReader) throws(FileSystemError) {
    note = nil
  }
}
