// Calls that Swift cannot make: nbdkit_error() and nbdkit_debug() are variadic.
#pragma once

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

// Says why a request, or the plugin, failed.
static inline void dmsnap_nbdkit_error(const char *message) { nbdkit_error("%s", message); }

// Says something that only a log with all details shows.
static inline void dmsnap_nbdkit_debug(const char *message) { nbdkit_debug("%s", message); }
