// libblkid of util-linux, which tells file systems, RAID members and partition tables apart.
#pragma once

#include <blkid/blkid.h>
