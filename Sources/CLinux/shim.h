// Calls that Swift cannot make: ioctl() and fcntl() are variadic, request numbers are macros, and
// memfd_create(), renameat2() and statx() need _GNU_SOURCE. Each function returns what its system
// call returns, with errno set.
#pragma once

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

// The size of a block device, in bytes.
static inline int dmsnap_block_device_size(int fd, uint64_t *byte_count) {
  return ioctl(fd, BLKGETSIZE64, byte_count);
}

// The smallest unit that a block device reads and writes, in bytes.
static inline int dmsnap_logical_block_size(int fd, int *byte_count) {
  return ioctl(fd, BLKSSZGET, byte_count);
}

// Whether a block device is set read-only: open(O_RDWR) succeeds even then.
static inline int dmsnap_is_read_only(int fd, int *flag) {
  return ioctl(fd, BLKROGET, flag);
}

// Makes the whole of `destination` share the extents of `source` (FICLONE).
static inline int dmsnap_clone(int destination, int source) {
  return ioctl(destination, FICLONE, source);
}

// Shares one range of `source` with `destination` (FICLONERANGE).
static inline int dmsnap_clone_range(int destination, uint64_t destination_offset, int source,
                                     uint64_t source_offset, uint64_t byte_count) {
  struct file_clone_range range = {source, source_offset, byte_count, destination_offset};
  return ioctl(destination, FICLONERANGE, &range);
}

// An anonymous file in memory, closed on exec.
static inline int dmsnap_memfd(const char *name) {
  return (int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */);
}

// Renames without ever replacing an existing file: EEXIST instead. Both names are relative to the
// directory of a descriptor, or to AT_FDCWD.
static inline int dmsnap_rename_exclusively(int directory, const char *from, const char *to) {
  return (int)syscall(SYS_renameat2, directory, from, directory, to, 1u /* RENAME_NOREPLACE */);
}

// Flushes the file system of a file (syncfs, which needs _GNU_SOURCE).
static inline int dmsnap_flush_all(int fd) { return (int)syscall(SYS_syncfs, fd); }

// Takes a write lock on the whole file that belongs to the open file, not to the process
// (F_OFD_SETLK, which needs _GNU_SOURCE); EAGAIN or EACCES if someone has a lock there.
static inline int dmsnap_lock_all(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};  // length 0: without end
  return fcntl(fd, 37, &lock);
}

// Whether any process has a record lock of any byte of a file: 1, 0, or -1 if that cannot be known
// (F_OFD_GETLK). Asks for a write lock, which conflicts with any other lock.
static inline int dmsnap_is_locked(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(fd, 36, &lock) != 0 ? -1 : lock.l_type != F_UNLCK;
}

// Whether a file is on a server of SMB, by the numbers of linux/magic.h.
static inline int dmsnap_is_on_smb(int fd) {
  struct statfs status;
  return fstatfs(fd, &status) == 0 &&
         ((uint32_t)status.f_type == 0xfe534d42u || (uint32_t)status.f_type == 0xff534d42u);
}

// The device and inode of a file, or the number of a block device and 0, as far as the system
// knows them without asking a server.
static inline int dmsnap_identity_at_hand(const char *path, uint64_t *device, uint64_t *inode) {
  struct statx status;
  int result = (int)syscall(SYS_statx, AT_FDCWD, path, 0x4000 /* AT_STATX_DONT_SYNC */,
                            STATX_TYPE | STATX_INO, &status);
  if (result != 0) return result;
  int is_block_device = S_ISBLK(status.stx_mode);
  *device = is_block_device ? makedev(status.stx_rdev_major, status.stx_rdev_minor)
                            : makedev(status.stx_dev_major, status.stx_dev_minor);
  *inode = is_block_device ? 0 : status.stx_ino;
  return 0;
}

// Device numbers, as /proc and /sys write them.
static inline unsigned dmsnap_major(uint64_t device) { return major(device); }
static inline unsigned dmsnap_minor(uint64_t device) { return minor(device); }
static inline uint64_t dmsnap_device(unsigned major, unsigned minor) {
  return makedev(major, minor);
}

// More that needs _GNU_SOURCE: opening past the page cache, opening without touching the
// access time, opening no more than the path, and looking for data and holes.
static const int dmsnap_o_direct = __O_DIRECT;
static const int dmsnap_o_noatime = __O_NOATIME;
static const int dmsnap_o_tmpfile = __O_TMPFILE;
static const int dmsnap_o_path = __O_PATH;
static const int dmsnap_seek_data = 3;
static const int dmsnap_seek_hole = 4;

// Gives a range of a file back to the file system; it reads as zeroes afterwards.
static inline int dmsnap_punch_hole(int fd, uint64_t byte_offset, uint64_t byte_count) {
  return (int)syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)byte_offset, (off_t)byte_count);
}

// Reads one byte if the page cache has it (RWF_NOWAIT): 1, or -1 with EAGAIN.
static inline int dmsnap_has_cached(int fd, uint64_t byte_offset) {
  char byte;
  struct iovec place = {&byte, 1};
  return (int)preadv2(fd, &place, 1, (off_t)byte_offset, RWF_NOWAIT);
}

// Begins to write dirty pages of a range to the medium, and does not wait for it.
static inline int dmsnap_start_writing(int fd, uint64_t byte_offset, uint64_t byte_count) {
  return (int)syscall(SYS_sync_file_range, fd, (off_t)byte_offset, (off_t)byte_count,
                      2u /* SYNC_FILE_RANGE_WRITE */);
}
