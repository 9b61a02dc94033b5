// libblkid of util-linux, which recognises file systems, RAID members and partition tables.
#pragma once

#include <blkid/blkid.h>
