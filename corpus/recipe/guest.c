// The two programs that the guest needs and busybox has not, in one static binary: dm-ask is compiled by
// kernel.py and runs inside `lab`.
//
//   guest stamp DEVICE LABEL PIECE FIRST:COUNT...
//       Writes stamped sectors, PIECE of them at a time, each piece on disk before the next is written.
//
//   guest ask DISK < PLAN
//       Asks the kernel about stores that lie on one disk. A line of the plan is
//           NAME STORE-SECTOR STORE-COUNT ORIGIN-SECTOR ORIGIN-COUNT VIEW-SECTOR OPTION...
//       where the options are those of the snapshot target (P 8). The store is loaded, its view is copied to
//       VIEW-SECTOR, and then it is merged in place. The answer is lines of "key value", closed by "end".

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { sectorBytes = 512, stampBytes = 32, transferSectors = 128, mergeSecondsMax = 60 };

static void fail(const char *what) {
  fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint8_t *buffer(void) {
  static uint8_t bytes[2048 * sectorBytes] __attribute__((aligned(4096)));
  return bytes;
}

// MARK: stamp

static void stamp(uint8_t *bytes, uint64_t sector, const char *label) {
  char text[stampBytes + 1];
  snprintf(text, sizeof text, "sector %010llu %-13.13s\n", (unsigned long long)sector, label);
  for (int at = 0; at < sectorBytes; at += stampBytes) memcpy(bytes + at, text, stampBytes);
}

static int stampRanges(int count, char **arguments) {
  int device = open(arguments[0], O_WRONLY | O_DIRECT | O_SYNC);
  if (device < 0) fail(arguments[0]);
  uint64_t piece = strtoull(arguments[2], NULL, 10);
  for (int i = 3; i < count; i++) {
    uint64_t first, length;
    if (sscanf(arguments[i], "%lu:%lu", &first, &length) != 2) fail(arguments[i]);
    for (uint64_t at = first, next; at < first + length; at = next) {
      // Pieces are aligned, as chunks are, so that one piece touches one chunk.
      next = at / piece * piece + piece;
      if (next > first + length) next = first + length;
      for (uint64_t s = at; s < next; s++) stamp(buffer() + (s - at) * sectorBytes, s, arguments[1]);
      if (pwrite(device, buffer(), (next - at) * sectorBytes, at * sectorBytes) < 0) {
        // What a full store does; the rest of the writes would fare no better.
        printf("write of sector %lu: %s\n", at, strerror(errno));
        return 0;
      }
    }
  }
  return 0;
}

// MARK: device-mapper, by its ioctls: a program started for each would take a second a store

static struct dm_ioctl *request(const char *name) {
  static union { struct dm_ioctl header; char bytes[16384]; } message;
  memset(&message, 0, sizeof message);
  message.header.version[0] = DM_VERSION_MAJOR;
  message.header.data_size = sizeof message;
  message.header.data_start = sizeof(struct dm_ioctl);
  strcpy(message.header.name, name);
  return &message.header;
}

static int control(unsigned long command, struct dm_ioctl *message) {
  static int device = 0;
  if (!device && (device = open("/dev/mapper/control", O_RDWR)) < 0) fail("/dev/mapper/control");
  return ioctl(device, command, message) ? errno : 0;
}

static void must(int error, const char *what) {
  if (error) errno = error, fail(what);
}

// Makes a mapped device of one target. Its number goes to *device; the answer is 0 or an errno.
static int create(const char *name, uint64_t count, const char *target, const char *options, dev_t *device) {
  struct dm_ioctl *message = request(name);
  must(control(DM_DEV_CREATE, message), name);
  *device = message->dev;
  message = request(name);
  struct dm_target_spec *spec = (struct dm_target_spec *)((char *)message + message->data_start);
  message->target_count = 1;
  spec->length = count;
  strcpy(spec->target_type, target);
  strcpy((char *)(spec + 1), options);
  int error = control(DM_TABLE_LOAD, message);
  if (!error) error = control(DM_DEV_SUSPEND, request(name));  // without DM_SUSPEND_FLAG it resumes
  if (error) control(DM_DEV_REMOVE, request(name));
  return error;
}

static const char *status(const char *name) {
  struct dm_ioctl *message = request(name);
  must(control(DM_TABLE_STATUS, message), name);
  return (char *)message + message->data_start + sizeof(struct dm_target_spec);
}

static void removeDevice(const char *name) { must(control(DM_DEV_REMOVE, request(name)), name); }

// Prints a line that must be out before the kernel is given what it may not survive.
static void announce(const char *key, const char *value) {
  printf("%s %s\n", key, value);
  fflush(stdout);
  tcdrain(STDOUT_FILENO);
}

static int openDevice(dev_t device, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/dev/dm-%u", minor(device));
  int file = open(path, flags);
  if (file < 0) fail(path);
  return file;
}

// MARK: ask

struct question {
  char name[128], options[128];
  uint64_t storeSector, storeCount, originSector, originCount, viewSector;
};

static void printKernelLog(void) {
  static char text[1 << 20];
  int length = klogctl(4, text, sizeof text - 1);  // read and clear
  if (length < 0) fail("klogctl");
  text[length] = 0;
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    char *message = strstr(line, "] ");  // after the time
    printf("log %s\n", message ? message + 2 : line);
  }
}

// Copies the view, sector by sector where a larger read fails, and tells what could not be read.
static void copyView(dev_t view, int disk, const struct question *q) {
  int file = openDevice(view, O_RDONLY | O_DIRECT);
  uint64_t lostFirst = 0, lostCount = 0;
  for (uint64_t at = 0; at < q->originCount; at += transferSectors) {
    uint64_t count = q->originCount - at < transferSectors ? q->originCount - at : transferSectors;
    ssize_t wanted = count * sectorBytes;
    if (pread(file, buffer(), wanted, at * sectorBytes) != wanted) {
      for (uint64_t s = at; s < at + count; s++) {
        uint8_t *sector = buffer() + (s - at) * sectorBytes;
        if (pread(file, sector, sectorBytes, s * sectorBytes) == sectorBytes) continue;
        memset(sector, 0, sectorBytes);
        if (lostCount && lostFirst + lostCount == s) {
          lostCount++;
        } else {
          if (lostCount) printf("unreadable %lu %lu\n", lostFirst, lostCount);
          lostFirst = s, lostCount = 1;
        }
      }
    }
    if (pwrite(disk, buffer(), wanted, (q->viewSector + at) * sectorBytes) != wanted) fail("writing the view");
  }
  if (lostCount) printf("unreadable %lu %lu\n", lostFirst, lostCount);
  close(file);
}

// A merge is over when it has failed, or when the status is that of an empty table and the first exception on
// disk has been cleared: the status alone can look so from the start, when the exceptions are wild.
static int mergeIsOver(const char *text, int disk, const struct question *q) {
  uint64_t allocated, total, metadata;
  if (sscanf(text, "%lu/%lu %lu", &allocated, &total, &metadata) != 3) return 1;
  if (allocated != metadata) return 0;
  uint64_t area = q->storeSector + metadata / 2;
  if (pread(disk, buffer(), sectorBytes, area * sectorBytes) != sectorBytes) fail("reading area 0");
  return ((uint64_t *)buffer())[1] == 0;
}

static void merge(int disk, const struct question *q, const char *options) {
  dev_t device;
  int error = create("merge", q->originCount, "snapshot-merge", options, &device);
  if (error) {
    printf("merge-load error %s\n", strerrorname_np(error));
    return;
  }
  time_t begin = time(NULL);
  int stuck = 0;
  while (!mergeIsOver(status("merge"), disk, q) && !stuck) {
    usleep(500);
    stuck = time(NULL) - begin > mergeSecondsMax;
  }
  // Suspending waits for the merge's last step, which may yet fail; its status is final afterwards.
  struct dm_ioctl *message = request("merge");
  message->flags = DM_SUSPEND_FLAG;
  must(control(DM_DEV_SUSPEND, message), "suspend");
  printf("merge-status %s%s\n", status("merge"), stuck ? " (stuck)" : "");
  removeDevice("merge");
}

static void answer(int disk, dev_t diskNumber, const struct question *q) {
  char options[256];
  dev_t store, origin, view;
  announce("case", q->name);
  klogctl(5, NULL, 0);  // clear
  snprintf(options, sizeof options, "%u:%u %lu", major(diskNumber), minor(diskNumber), q->storeSector);
  must(create("store", q->storeCount, "linear", options, &store), "store");
  snprintf(options, sizeof options, "%u:%u %lu", major(diskNumber), minor(diskNumber), q->originSector);
  must(create("origin", q->originCount, "linear", options, &origin), "origin");

  snprintf(options, sizeof options, "%u:%u %u:%u %s", major(origin), minor(origin), major(store), minor(store),
           q->options);
  int error = create("view", q->originCount, "snapshot", options, &view);
  printKernelLog();
  if (error) {
    printf("load error %s\n", strerrorname_np(error));
  } else {
    printf("load ok\nstatus %s\n", status("view"));
    copyView(view, disk, q);
    removeDevice("view");
    announce("merging", q->name);
    klogctl(5, NULL, 0);
    merge(disk, q, options);
    printKernelLog();
  }
  removeDevice("origin");
  removeDevice("store");
  puts("end");
}

static int ask(const char *path) {
  int disk = open(path, O_RDWR | O_DIRECT | O_SYNC);
  struct stat about;
  if (disk < 0 || fstat(disk, &about)) fail(path);
  struct question q;
  while (scanf("%127s %lu %lu %lu %lu %lu %127[^\n]", q.name, &q.storeSector, &q.storeCount, &q.originSector,
               &q.originCount, &q.viewSector, q.options) == 7)
    answer(disk, about.st_rdev, &q);
  return 0;
}

int main(int count, char **arguments) {
  if (count >= 5 && !strcmp(arguments[1], "stamp")) return stampRanges(count - 2, arguments + 2);
  if (count == 3 && !strcmp(arguments[1], "ask")) return ask(arguments[2]);
  fprintf(stderr, "usage: guest stamp DEVICE LABEL PIECE FIRST:COUNT... | guest ask DISK < PLAN\n");
  return 64;
}
