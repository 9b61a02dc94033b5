// What dmsnap's speed is measured against: the same work as a competent C programmer would write
// it, plainly, without threads, and without dmsnap's answers to damaged input. It also makes the
// stores that both are measured on.
//
//   yardstick generate-scattered STORE ORIGIN COUNT CHUNKSECTORS [RUN]
//   yardstick generate-runs STORE ORIGIN BYTES [CHUNKSECTORS SHORTEST LONGEST STEP]
//   yardstick generate-thin XML COUNT  for thin_restore: as many mappings, scattered too
//   yardstick scan STORE            count exceptions and runs, find the next free chunk
//   yardstick audit STORE [ORIGIN]  check every exception against all others
//   yardstick table STORE           print the runs as CSV
//   yardstick merge STORE ORIGIN    copy the exceptions' chunks into the origin
//   yardstick carve IMAGE           count sectors that begin like a header or an area
//   yardstick generate-noise IMAGE BYTES
//
// Results are lines of "name number" on standard output. For little-endian machines: a store is
// little-endian, and so is every machine that this is worth running on.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512, COPY_BYTES = 1 << 20 };
static const uint32_t MAGIC = 0x70416e53;  // "SnAp"

struct header {
  uint32_t magic, valid, version, chunk_sectors;
};

struct exception {
  uint64_t old, new;
};

struct run {
  uint64_t old, new, count;
};

struct store {
  int fd;
  uint64_t chunk_bytes;
  uint64_t chunk_count;  // whole chunks
  uint64_t per_area;     // exceptions in an area
  uint64_t stride;       // chunks from one area to the next
};

_Noreturn static void die(const char *what) {
  fprintf(stderr, "yardstick: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = calloc(1, bytes);
  if (!memory) die("memory");
  return memory;
}

static void read_fully(int fd, void *buffer, size_t bytes, uint64_t offset) {
  for (size_t done = 0; done < bytes;) {
    ssize_t count = pread(fd, (char *)buffer + done, bytes - done, offset + done);
    if (count == 0) errno = 0;
    if (count <= 0) die("read");
    done += count;
  }
}

static void write_fully(int fd, const void *buffer, size_t bytes, uint64_t offset) {
  for (size_t done = 0; done < bytes;) {
    ssize_t count = pwrite(fd, (const char *)buffer + done, bytes - done, offset + done);
    if (count <= 0) die("write");
    done += count;
  }
}

static uint64_t byte_count(int fd) {  // of a file or a block device
  off_t end = lseek(fd, 0, SEEK_END);
  if (end < 0) die("lseek");
  return end;
}

// MARK: - Reading a store

static struct store store_of(int fd, uint64_t chunk_bytes) {
  uint64_t per_area = chunk_bytes / sizeof(struct exception);
  return (struct store){fd, chunk_bytes, byte_count(fd) / chunk_bytes, per_area, per_area + 1};
}

static struct store open_store(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(path);
  struct header header;
  read_fully(fd, &header, sizeof header, 0);
  errno = 0;
  if (header.magic != MAGIC || !header.valid || header.version != 1 || !header.chunk_sectors)
    die("not a store that Linux loads");
  return store_of(fd, (uint64_t)header.chunk_sectors * SECTOR_BYTES);
}

static uint64_t area_offset(const struct store *store, uint64_t area) {
  return (1 + area * store->stride) * store->chunk_bytes;
}

// Calls `visit` with the exceptions of each area, up to the first whose new chunk is 0.
static void walk(const struct store *store, void visit(const struct exception *, size_t, void *),
                 void *context) {
  struct exception *area = allocate(store->chunk_bytes);
  for (uint64_t index = 0;; index++) {
    read_fully(store->fd, area, store->chunk_bytes, area_offset(store, index));
    size_t count = 0;
    while (count < store->per_area && area[count].new) count++;
    visit(area, count, context);
    if (count < store->per_area) break;
  }
  free(area);
}

// MARK: - scan

struct scan {
  uint64_t exceptions, runs, next_free;
  struct exception last;
};

static void scan_area(const struct exception *area, size_t count, void *context) {
  struct scan *scan = context;
  struct exception last = scan->last;
  uint64_t runs = 0, next_free = scan->next_free;
  for (size_t slot = 0; slot < count; slot++) {
    if (area[slot].old != last.old + 1 || area[slot].new != last.new + 1) runs++;
    if (area[slot].new >= next_free) next_free = area[slot].new + 1;
    last = area[slot];
  }
  scan->exceptions += count;
  scan->runs += runs;
  scan->next_free = next_free;
  scan->last = last;
}

static struct scan scan_store(const struct store *store) {
  struct scan scan = {.next_free = 2, .last = {UINT64_MAX - 1, UINT64_MAX - 1}};
  walk(store, scan_area, &scan);
  if (scan.next_free % store->stride == 1) scan.next_free++;  // Linux skips metadata
  return scan;
}

static void scan_command(const char *path) {
  struct store store = open_store(path);
  struct scan scan = scan_store(&store);
  printf("exceptions %" PRIu64 "\nruns %" PRIu64 "\nnext-free %" PRIu64 "\n", scan.exceptions,
         scan.runs, scan.next_free);
}

// MARK: - audit

// A set of chunks. Without an origin nothing says how far old chunks may go, so it grows.
struct bitmap {
  uint64_t *words;
  uint64_t chunk_count, chunk_count_max;
};

enum { WORD_BITS = 64 };
static const uint64_t OLD_CHUNK_COUNT_MAX = UINT64_C(1) << 33;  // 1 GiB of bits

static void grow(struct bitmap *bitmap, uint64_t chunk) {
  uint64_t wanted = bitmap->chunk_count ? bitmap->chunk_count : 1 << 20;
  while (wanted <= chunk) wanted *= 2;
  uint64_t *words = realloc(bitmap->words, wanted / 8);
  if (!words) die("memory");
  memset((char *)words + bitmap->chunk_count / 8, 0, (wanted - bitmap->chunk_count) / 8);
  bitmap->words = words;
  bitmap->chunk_count = wanted;
}

// Whether the chunk was in the set before.
static bool insert(struct bitmap *bitmap, uint64_t chunk) {
  if (chunk >= bitmap->chunk_count) grow(bitmap, chunk);
  uint64_t bit = UINT64_C(1) << chunk % WORD_BITS;
  uint64_t *word = &bitmap->words[chunk / WORD_BITS];
  bool was_in = *word & bit;
  *word |= bit;
  return was_in;
}

struct audit {
  const struct store *store;
  struct bitmap old, new;
  uint64_t last_new, next_free, used;
  uint64_t exceptions, top_byte, in_header, in_metadata, beyond_end, beyond_origin;
  uint64_t old_duplicate, new_duplicate, out_of_order;
};

static void audit_area(const struct exception *area, size_t count, void *context) {
  struct audit *audit = context;
  audit->exceptions += count;
  for (size_t slot = 0; slot < count; slot++) {
    uint64_t old = area[slot].old, new = area[slot].new;
    if (new >> 56) {
      audit->top_byte++;
      new &= (UINT64_C(1) << 56) - 1;
    }
    if (old >= audit->old.chunk_count_max)
      audit->beyond_origin++;
    else if (insert(&audit->old, old))
      audit->old_duplicate++;
    if (new == 0)
      audit->in_header++;
    else if (new >= audit->store->chunk_count)
      audit->beyond_end++;
    else if (new % audit->store->stride == 1)
      audit->in_metadata++;
    else if (insert(&audit->new, new))
      audit->new_duplicate++;
    else
      audit->used++;
    if (new <= audit->last_new) audit->out_of_order++;
    if (new >= audit->next_free && new < audit->store->chunk_count) audit->next_free = new + 1;
    audit->last_new = new;
  }
}

// Data chunks below the highest in use that no exception leads to.
static uint64_t leaked(const struct audit *audit) {
  uint64_t below = audit->next_free - 1;  // less the header
  uint64_t areas = (audit->next_free - 1 + audit->store->stride - 1) / audit->store->stride;
  return below - areas - audit->used;
}

static void audit_command(const char *path, const char *origin_path) {
  struct store store = open_store(path);
  struct audit audit = {.store = &store, .next_free = 2};
  audit.new.chunk_count_max = store.chunk_count;
  audit.old.chunk_count_max = OLD_CHUNK_COUNT_MAX;
  if (origin_path) {
    int origin = open(origin_path, O_RDONLY | O_CLOEXEC);
    if (origin < 0) die(origin_path);
    audit.old.chunk_count_max = (byte_count(origin) + store.chunk_bytes - 1) / store.chunk_bytes;
  }
  walk(&store, audit_area, &audit);
  printf("exceptions %" PRIu64 "\ntop-byte %" PRIu64 "\nin-header %" PRIu64 "\nin-metadata %" PRIu64
         "\nbeyond-end %" PRIu64 "\nbeyond-origin %" PRIu64 "\nold-duplicate %" PRIu64
         "\nnew-duplicate %" PRIu64 "\nout-of-order %" PRIu64 "\nleaked %" PRIu64 "\n",
         audit.exceptions, audit.top_byte, audit.in_header, audit.in_metadata, audit.beyond_end,
         audit.beyond_origin, audit.old_duplicate, audit.new_duplicate, audit.out_of_order,
         leaked(&audit));
}

// MARK: - carve

// Whether a sector begins like a header, with its magic or without.
static bool is_header(const uint64_t *words) {
  uint32_t chunk_sectors = words[1] >> 32;
  bool has_fields = (uint32_t)words[1] == 1 && words[0] >> 32 <= 1 && chunk_sectors &&
                    !(chunk_sectors & (chunk_sectors - 1)) && chunk_sectors <= 1 << 21;
  return (uint32_t)words[0] == MAGIC || (!(uint32_t)words[0] && has_fields);
}

// Whether a sector begins with four exceptions whose new chunks rise a little.
static bool is_area(const uint64_t *words) {
  uint64_t steps = (words[3] - words[1] - 1) | (words[5] - words[3] - 1) | (words[7] - words[5] - 1);
  return steps < 64 && words[1] >= 2 && words[7] >> 48 == 0;
}

static void carve_command(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(path);
  uint64_t bytes = byte_count(fd), headers = 0, areas = 0;
  uint64_t *buffer = aligned_alloc(4096, COPY_BYTES);  // a whole page is copied faster into one
  if (!buffer) die("memory");
  for (uint64_t offset = 0; offset < bytes; offset += COPY_BYTES) {
    size_t count = bytes - offset < COPY_BYTES ? bytes - offset : COPY_BYTES;
    read_fully(fd, buffer, count, offset);
    for (size_t sector = 0; sector < count / SECTOR_BYTES; sector++) {
      const uint64_t *words = buffer + sector * (SECTOR_BYTES / sizeof *buffer);
      if (is_header(words))
        headers++;
      else if (is_area(words))
        areas++;
    }
  }
  printf("headers %" PRIu64 "\nareas %" PRIu64 "\n", headers, areas);
}

// MARK: - table and merge

struct table {
  struct run *runs;
  size_t count, capacity;
};

static void append_area(const struct exception *area, size_t count, void *context) {
  struct table *table = context;
  for (size_t slot = 0; slot < count; slot++) {
    struct run *last = table->count ? &table->runs[table->count - 1] : NULL;
    if (last && area[slot].old == last->old + last->count &&
        area[slot].new == last->new + last->count) {
      last->count++;
      continue;
    }
    if (table->count == table->capacity) {
      table->capacity = table->capacity ? table->capacity * 2 : 1 << 12;
      table->runs = realloc(table->runs, table->capacity * sizeof *table->runs);
      if (!table->runs) die("memory");
    }
    table->runs[table->count++] = (struct run){area[slot].old, area[slot].new, 1};
  }
}

static void table_command(const char *path) {
  struct store store = open_store(path);
  struct table table = {0};
  walk(&store, append_area, &table);
  puts("old,new,count");
  for (const struct run *run = table.runs; run < table.runs + table.count; run++)
    printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", run->old, run->new, run->count);
}

static int by_old_chunk(const void *left, const void *right) {
  const struct run *a = left, *b = right;
  return (a->old > b->old) - (a->old < b->old);
}

static void merge_command(const char *path, const char *origin_path) {
  struct store store = open_store(path);
  int origin = open(origin_path, O_RDWR | O_CLOEXEC);
  if (origin < 0) die(origin_path);
  uint64_t origin_bytes = byte_count(origin), copied = 0;
  struct table table = {0};
  walk(&store, append_area, &table);
  qsort(table.runs, table.count, sizeof *table.runs, by_old_chunk);
  char *buffer = allocate(COPY_BYTES);
  for (const struct run *run = table.runs; run < table.runs + table.count; run++) {
    uint64_t from = run->new * store.chunk_bytes, to = run->old * store.chunk_bytes;
    uint64_t left = run->count * store.chunk_bytes;
    if (to >= origin_bytes) continue;
    if (left > origin_bytes - to) left = origin_bytes - to;  // the origin's partial last chunk
    while (left) {
      size_t piece = left < COPY_BYTES ? left : COPY_BYTES;
      read_fully(store.fd, buffer, piece, from);
      write_fully(origin, buffer, piece, to);
      from += piece, to += piece, left -= piece, copied += piece;
    }
  }
  if (fdatasync(origin)) die("fdatasync");
  printf("runs %zu\ncopied %" PRIu64 "\n", table.count, copied);
}

// MARK: - Making stores

static uint64_t random_state = 1;

static uint64_t random_number(void) {  // splitmix64
  uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static uint32_t *random_permutation(uint32_t count) {
  uint32_t *numbers = allocate(count * sizeof *numbers);
  for (uint32_t i = 0; i < count; i++) numbers[i] = i;
  for (uint32_t i = count; i > 1; i--) {
    uint32_t j = random_number() % i, held = numbers[i - 1];
    numbers[i - 1] = numbers[j];
    numbers[j] = held;
  }
  return numbers;
}

static void fill_with_noise(int fd, uint64_t offset, uint64_t bytes) {
  static uint64_t noise[COPY_BYTES / sizeof(uint64_t)];
  while (bytes) {
    size_t piece = bytes < COPY_BYTES ? bytes : COPY_BYTES;
    for (size_t i = 0; i < piece / sizeof *noise; i++) noise[i] = random_number();
    write_fully(fd, noise, piece, offset);
    offset += piece, bytes -= piece;
  }
}

static int create(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) die(path);
  return fd;
}

// The chunk that Linux gives to the exception with that number when none is ever freed.
static uint64_t data_chunk(const struct store *store, uint64_t number) {
  return 2 + number + number / store->per_area;
}

// Writes the header and the areas of those exceptions, and makes the store long enough for them
// and for an empty area behind the last full one.
static void write_table(struct store *store, uint64_t count,
                        struct exception exception(uint64_t number, const void *),
                        const void *context) {
  struct header header = {MAGIC, 1, 1, store->chunk_bytes / SECTOR_BYTES};
  write_fully(store->fd, &header, sizeof header, 0);
  struct exception *area = allocate(store->chunk_bytes);
  for (uint64_t first = 0; first < count; first += store->per_area) {
    memset(area, 0, store->chunk_bytes);
    for (uint64_t slot = 0; slot < store->per_area && first + slot < count; slot++)
      area[slot] = exception(first + slot, context);
    write_fully(store->fd, area, store->chunk_bytes, area_offset(store, first / store->per_area));
  }
  free(area);
  uint64_t chunk_count = 1 + (count / store->per_area + 1) * store->stride;
  if (ftruncate(store->fd, chunk_count * store->chunk_bytes)) die("ftruncate");
  store->chunk_count = chunk_count;
}

struct plan {
  const struct store *store;
  const uint32_t *old;  // one for each run of `run` exceptions, in units of runs
  uint32_t run;
};

static struct exception planned(uint64_t number, const void *context) {
  const struct plan *plan = context;
  uint64_t old = (uint64_t)plan->old[number / plan->run] * plan->run + number % plan->run;
  return (struct exception){old, data_chunk(plan->store, number)};
}

// A store without data of runs of `run` exceptions, scattered over the origin. With runs of 1 hardly
// any exception continues the one before it: the most that a table of that many can ask for. Every
// chunk of the origin has one.
static void generate_scattered(const char *path, const char *origin_path, uint32_t count,
                               uint32_t chunk_sectors, uint32_t run) {
  struct store store = store_of(create(path), (uint64_t)chunk_sectors * SECTOR_BYTES);
  uint32_t run_count = count / run;  // no part of a run
  uint64_t whole = (uint64_t)run_count * run;
  write_table(&store, whole, planned,
              &(struct plan){&store, random_permutation(run_count), run});
  if (ftruncate(create(origin_path), whole * store.chunk_bytes)) die(origin_path);
}

// The chunk size; how many chunks a run has; from where one may begin to where the next may, in the
// origin.
struct shape {
  uint32_t chunk_sectors, shortest, longest, step;
};

// A store with data for `bytes` of the origin in runs; new chunks are in order, old ones are not. Each
// run has a place in the origin to itself, as long as the longest; between places the origin is a
// hole. Of the runs of 1 to 64 chunks, about half of the origin is in the store.
static void generate_runs(const char *path, const char *origin_path, uint64_t bytes,
                          struct shape shape) {
  struct store store = store_of(create(path), (uint64_t)shape.chunk_sectors * SECTOR_BYTES);
  uint32_t chunk_count = bytes / store.chunk_bytes, run_count = 0;
  uint32_t *lengths = allocate(chunk_count * sizeof *lengths);
  for (uint32_t left = chunk_count; left; left -= lengths[run_count++]) {
    lengths[run_count] = shape.shortest + random_number() % (shape.longest - shape.shortest + 1);
    if (lengths[run_count] > left) lengths[run_count] = left;
  }
  uint32_t *places = random_permutation(run_count);
  uint32_t *old = allocate(chunk_count * sizeof *old), number = 0;
  for (uint32_t run = 0; run < run_count; run++) {
    uint32_t first =
        places[run] * shape.step + random_number() % (shape.longest - lengths[run] + 1);
    for (uint32_t i = 0; i < lengths[run]; i++) old[number++] = first + i;
  }
  write_table(&store, chunk_count, planned, &(struct plan){&store, old, 1});
  for (uint64_t first = 0; first < chunk_count; first += store.per_area) {
    uint64_t count = chunk_count - first < store.per_area ? chunk_count - first : store.per_area;
    fill_with_noise(store.fd, data_chunk(&store, first) * store.chunk_bytes,
                    count * store.chunk_bytes);
  }
  int origin = create(origin_path);
  uint64_t step_bytes = shape.step * store.chunk_bytes;
  if (ftruncate(origin, run_count * step_bytes)) die(origin_path);
  for (uint32_t place = 0; place < run_count; place++)
    fill_with_noise(origin, place * step_bytes, shape.longest * store.chunk_bytes);
}

// What thin_restore makes a thin pool's metadata of: a volume of `count` blocks, each somewhere else.
static void generate_thin(const char *path, uint32_t count) {
  FILE *file = fopen(path, "wx");
  if (!file) die(path);
  uint32_t *places = random_permutation(count);
  fprintf(file,
          "<superblock uuid=\"\" time=\"0\" transaction=\"1\" data_block_size=\"128\" "
          "nr_data_blocks=\"%" PRIu32 "\">\n"
          "<device dev_id=\"1\" mapped_blocks=\"%" PRIu32 "\" transaction=\"0\" "
          "creation_time=\"0\" snap_time=\"0\">\n",
          count, count);
  for (uint32_t i = 0; i < count; i++)
    fprintf(file,
            "<single_mapping origin_block=\"%" PRIu32 "\" data_block=\"%" PRIu32
            "\" time=\"0\"/>\n",
            i, places[i]);
  fputs("</device>\n</superblock>\n", file);
  if (fclose(file)) die(path);
}

int main(int count, char **words) {
  const char *command = count > 1 ? words[1] : "";
  int arguments = count - 2;
  if (!strcmp(command, "scan") && arguments == 1)
    scan_command(words[2]);
  else if (!strcmp(command, "audit") && (arguments == 1 || arguments == 2))
    audit_command(words[2], arguments == 2 ? words[3] : NULL);
  else if (!strcmp(command, "table") && arguments == 1)
    table_command(words[2]);
  else if (!strcmp(command, "merge") && arguments == 2)
    merge_command(words[2], words[3]);
  else if (!strcmp(command, "carve") && arguments == 1)
    carve_command(words[2]);
  else if (!strcmp(command, "generate-noise") && arguments == 2)
    fill_with_noise(create(words[2]), 0, strtoull(words[3], NULL, 10));
  else if (!strcmp(command, "generate-scattered") && (arguments == 4 || arguments == 5)) {
    uint32_t run = arguments == 5 ? strtoul(words[6], NULL, 10) : 1;
    if (!run) die("a run of nothing");
    generate_scattered(words[2], words[3], strtoul(words[4], NULL, 10), strtoul(words[5], NULL, 10),
                       run);
  } else if (!strcmp(command, "generate-runs") && (arguments == 3 || arguments == 7)) {
    struct shape shape = {8, 1, 64, 64};
    if (arguments == 7)
      shape = (struct shape){strtoul(words[5], NULL, 10), strtoul(words[6], NULL, 10),
                             strtoul(words[7], NULL, 10), strtoul(words[8], NULL, 10)};
    if (!shape.chunk_sectors || !shape.shortest || shape.shortest > shape.longest ||
        shape.longest > shape.step)
      die("no shape of runs");
    generate_runs(words[2], words[3], strtoull(words[4], NULL, 10), shape);
  } else if (!strcmp(command, "generate-thin") && arguments == 2)
    generate_thin(words[2], strtoul(words[3], NULL, 10));
  else {
    fputs("usage: see the head of yardstick.c\n", stderr);
    return 64;
  }
  if (fflush(stdout)) die("standard output");
  return 0;
}
