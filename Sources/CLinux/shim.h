// What Swift cannot call by itself: ioctl() is variadic, its request numbers are macros, and
// memfd_create() and renameat2() hide behind _GNU_SOURCE. Each function returns what the system
// call returns; errno is set by it.
#pragma once

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// The size of a block device, in bytes.
static inline int dmsnap_block_device_size(int fd, uint64_t *byte_count) {
  return ioctl(fd, BLKGETSIZE64, byte_count);
}

// The smallest unit that a block device reads and writes, in bytes.
static inline int dmsnap_logical_block_size(int fd, int *byte_count) {
  return ioctl(fd, BLKSSZGET, byte_count);
}

// Whether a block device is set read-only: open(O_RDWR) succeeds on one nevertheless.
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

// Renames without ever replacing what is there: EEXIST instead.
static inline int dmsnap_rename_exclusively(const char *from, const char *to) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */);
}

// Device numbers, as /proc and /sys write them.
static inline unsigned dmsnap_major(uint64_t device) { return major(device); }
static inline unsigned dmsnap_minor(uint64_t device) { return minor(device); }

// More that hides behind _GNU_SOURCE: opening past the page cache, opening without touching the
// access time, and looking for data and holes.
static const int dmsnap_o_direct = __O_DIRECT;
static const int dmsnap_o_noatime = __O_NOATIME;
static const int dmsnap_o_tmpfile = __O_TMPFILE;
static const int dmsnap_seek_data = 3;
static const int dmsnap_seek_hole = 4;

// Gives a range of a file back to the file system; it reads as zeroes afterwards.
static inline int dmsnap_punch_hole(int fd, uint64_t byte_offset, uint64_t byte_count) {
  return (int)syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)byte_offset, (off_t)byte_count);
}
