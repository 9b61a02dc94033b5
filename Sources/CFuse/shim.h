// libfuse3's low-level interface, in the version that Debian 12 has.
#pragma once

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>
