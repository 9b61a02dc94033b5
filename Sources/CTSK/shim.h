// libtsk of The Sleuth Kit, which reads file systems, and the parts of it that Swift cannot use by
// itself: an image is a structure of the library's that its user allocates, with arrays too large
// for Swift.
//
// The library is loaded on first use, and not linked: a program that is copied to another machine
// runs there without it, and reads all but libtsk's file systems.
#pragma once

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <tsk/tsk_incs.h>
#include <tsk/base/tsk_base.h>
#include <tsk/img/tsk_img.h>
#include <tsk/vs/tsk_vs.h>
#include <tsk/fs/tsk_fs.h>

// The library that has the structures of these headers; NULL if it is not there.
static inline void *loaded_tsk(void) {
  // Debian's name of it from 4.11 on; that it is the same version is looked at as well.
  void *library = dlopen("libtsk.so.19", RTLD_LAZY | RTLD_LOCAL);
  if (!library) return NULL;
  const char *(*version)(void) = (const char *(*)(void))dlsym(library, "tsk_version_get_str");
  return version && !strcmp(version(), TSK_VERSION_STR) ? library : NULL;
}

// The version that is wanted.
static inline const char *wanted_tsk_version(void) { return TSK_VERSION_STR; }

// A function of the library, which loaded_tsk() has found. Loading again only counts.
#define LOADED(name) ((__typeof__(&name))dlsym(loaded_tsk_once(), #name))

// Replacements for C functions that libtsk calls: a damaged image can fail its assertions, and
// claim sizes that it then allocates.
typedef struct {
  void *(*allocate)(size_t);
  void *(*allocate_zeroed)(size_t, size_t);
  void *(*reallocate)(void *, size_t);
  void (*release)(void *);
  void (*end)(void);
  void (*fail)(const char *, const char *, unsigned, const char *);
} dmsnap_tsk_guard;

// Has a library call `function` where it calls `name` of another one, through its table of imported
// functions. A definition in the program would do only if the program comes before the C library in
// the search, which a plugin does not.
static inline void dmsnap_replace(void *library, const char *name, void *function) {
  const struct link_map *map = (const struct link_map *)library;
  const ElfW(Rela) *entries = NULL;
  const ElfW(Sym) *symbols = NULL;
  const char *names = NULL;
  size_t byte_count = 0;
  for (const ElfW(Dyn) *each = map->l_ld; each->d_tag != DT_NULL; each++) {
    if (each->d_tag == DT_JMPREL) entries = (const ElfW(Rela) *)each->d_un.d_ptr;
    if (each->d_tag == DT_PLTRELSZ) byte_count = each->d_un.d_val;
    if (each->d_tag == DT_SYMTAB) symbols = (const ElfW(Sym) *)each->d_un.d_ptr;
    if (each->d_tag == DT_STRTAB) names = (const char *)each->d_un.d_ptr;
  }
  if (!entries || !symbols || !names) return;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (size_t index = 0; index < byte_count / sizeof *entries; index++) {
    const ElfW(Sym) *symbol = symbols + ELF64_R_SYM(entries[index].r_info);
    if (strcmp(names + symbol->st_name, name)) continue;
    void **slot = (void **)(map->l_addr + entries[index].r_offset);
    void *start = (void *)((uintptr_t)slot & ~(page - 1));
    // The loader may have made the table read-only.
    if (!mprotect(start, page, PROT_READ | PROT_WRITE)) *slot = function;
  }
}

static inline void dmsnap_tsk_guard_calls(void *library, const dmsnap_tsk_guard *guard) {
  dmsnap_replace(library, "malloc", (void *)guard->allocate);
  dmsnap_replace(library, "calloc", (void *)guard->allocate_zeroed);
  dmsnap_replace(library, "realloc", (void *)guard->reallocate);
  dmsnap_replace(library, "free", (void *)guard->release);
  dmsnap_replace(library, "abort", (void *)guard->end);
  dmsnap_replace(library, "__assert_fail", (void *)guard->fail);
}

static inline void *loaded_tsk_once(void) {
  static void *library;
  void *known = __atomic_load_n(&library, __ATOMIC_ACQUIRE);
  if (!known) __atomic_store_n(&library, known = loaded_tsk(), __ATOMIC_RELEASE);
  return known;
}

static inline void loaded_tsk_img_close(TSK_IMG_INFO *image) { LOADED(tsk_img_close)(image); }

static inline TSK_FS_INFO *loaded_tsk_fs_open_img(
    TSK_IMG_INFO *image, TSK_OFF_T offset, TSK_FS_TYPE_ENUM type) {
  return LOADED(tsk_fs_open_img)(image, offset, type);
}

static inline void loaded_tsk_fs_close(TSK_FS_INFO *fs) { LOADED(tsk_fs_close)(fs); }

static inline TSK_FS_FILE *loaded_tsk_fs_file_open_meta(TSK_FS_INFO *fs, TSK_INUM_T address) {
  return LOADED(tsk_fs_file_open_meta)(fs, NULL, address);
}

static inline void loaded_tsk_fs_file_close(TSK_FS_FILE *file) {
  LOADED(tsk_fs_file_close)(file);
}

static inline uint8_t loaded_tsk_fs_meta_walk(
    TSK_FS_INFO *fs, TSK_INUM_T first, TSK_INUM_T last, TSK_FS_META_FLAG_ENUM flags,
    TSK_FS_META_WALK_CB body, void *context) {
  return LOADED(tsk_fs_meta_walk)(fs, first, last, flags, body, context);
}

static inline uint8_t loaded_tsk_fs_block_walk(
    TSK_FS_INFO *fs, TSK_DADDR_T first, TSK_DADDR_T last, TSK_FS_BLOCK_WALK_FLAG_ENUM flags,
    TSK_FS_BLOCK_WALK_CB body, void *context) {
  return LOADED(tsk_fs_block_walk)(fs, first, last, flags, body, context);
}

static inline TSK_FS_DIR *loaded_tsk_fs_dir_open_meta(TSK_FS_INFO *fs, TSK_INUM_T address) {
  return LOADED(tsk_fs_dir_open_meta)(fs, address);
}

static inline size_t loaded_tsk_fs_dir_getsize(const TSK_FS_DIR *directory) {
  return LOADED(tsk_fs_dir_getsize)(directory);
}

static inline const TSK_FS_NAME *loaded_tsk_fs_dir_get_name(
    const TSK_FS_DIR *directory, size_t index) {
  return LOADED(tsk_fs_dir_get_name)(directory, index);
}

static inline void loaded_tsk_fs_dir_close(TSK_FS_DIR *directory) {
  LOADED(tsk_fs_dir_close)(directory);
}

static inline const TSK_FS_ATTR *loaded_tsk_fs_file_attr_get(TSK_FS_FILE *file) {
  return LOADED(tsk_fs_file_attr_get)(file);
}

static inline int loaded_tsk_fs_file_attr_getsize(TSK_FS_FILE *file) {
  return LOADED(tsk_fs_file_attr_getsize)(file);
}

static inline const TSK_FS_ATTR *loaded_tsk_fs_file_attr_get_idx(TSK_FS_FILE *file, int index) {
  return LOADED(tsk_fs_file_attr_get_idx)(file, index);
}

static inline ssize_t loaded_tsk_fs_file_read_type(
    TSK_FS_FILE *file, TSK_FS_ATTR_TYPE_ENUM type, uint16_t identifier, TSK_OFF_T offset,
    char *buffer, size_t count) {
  return LOADED(tsk_fs_file_read_type)(
      file, type, identifier, offset, buffer, count, TSK_FS_FILE_READ_FLAG_NONE);
}

static inline const char *loaded_tsk_error_get(void) { return LOADED(tsk_error_get)(); }
static inline void loaded_tsk_error_reset(void) { LOADED(tsk_error_reset)(); }

typedef struct {
  TSK_IMG_INFO image;
  const void *context;
} dmsnap_tsk_image;

typedef ssize_t (*dmsnap_tsk_read)(TSK_IMG_INFO *, TSK_OFF_T, char *, size_t);

static inline void dmsnap_tsk_free(TSK_IMG_INFO *image) { free(image); }
static inline void dmsnap_tsk_stat(TSK_IMG_INFO *image, FILE *file) { (void)image; (void)file; }

// An image whose bytes a callback reads; NULL without memory. tsk_img_close() frees it.
static inline TSK_IMG_INFO *dmsnap_tsk_open(
    const void *context, uint64_t byte_count, dmsnap_tsk_read read) {
  dmsnap_tsk_image *image = (dmsnap_tsk_image *)calloc(1, sizeof *image);
  if (!image) return NULL;
  image->context = context;
  TSK_IMG_INFO *opened = LOADED(tsk_img_open_external)(
      image, (TSK_OFF_T)byte_count, 512, read, dmsnap_tsk_free, dmsnap_tsk_stat);
  if (!opened) free(image);
  return opened;
}

static inline const void *dmsnap_tsk_context(const TSK_IMG_INFO *image) {
  return ((const dmsnap_tsk_image *)image)->context;
}

// The wall clock's time that a moment was shown as here, as if it were UTC: libtsk takes times
// without a zone for times of the process' zone.
static inline int64_t dmsnap_tsk_wall_clock(int64_t seconds) {
  time_t moment = (time_t)seconds;
  struct tm parts;
  return localtime_r(&moment, &parts) ? (int64_t)timegm(&parts) : seconds;
}
