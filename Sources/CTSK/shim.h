// libtsk of The Sleuth Kit, which reads file systems, and what of it Swift cannot do by itself: an
// image is a structure of the library's that its user allocates, with arrays too large for Swift.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <tsk/tsk_incs.h>
#include <tsk/base/tsk_base.h>
#include <tsk/img/tsk_img.h>
#include <tsk/vs/tsk_vs.h>
#include <tsk/fs/tsk_fs.h>

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
  TSK_IMG_INFO *opened = tsk_img_open_external(
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
