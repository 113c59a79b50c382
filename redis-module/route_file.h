/* The route table on disk. */
#ifndef FERRITE_ROUTE_FILE_H
#define FERRITE_ROUTE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "route.h"

/* Reads `routes` in the state folder. NULL with a message in `error`; *absent tells that there is no such file. */
RouteTable *route_file_read(const char *state_dir, bool *absent, char *error, size_t error_size);

#endif
