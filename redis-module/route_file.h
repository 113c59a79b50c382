/* The route table on disk: `routes`, and `routes.backup`, which the host writes when the module has read a table. */
#ifndef FERRITE_ROUTE_FILE_H
#define FERRITE_ROUTE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "route.h"

/* Reads `routes` in the state folder. NULL with a message in `error`; *absent tells that there is no such file. */
RouteTable *route_file_read(const char *state_dir, bool *absent, char *error, size_t error_size);

/* The same at a start, where commands that are missing can keep the server from starting (an ACL file may name them):
 * the backup stands in for a table that cannot be used, and `error` then tells why; otherwise it is empty. */
RouteTable *route_file_read_at_start(const char *state_dir, bool *absent, char *error, size_t error_size);

/* Reads one file that is such a table. */
RouteTable *route_file_read_path(const char *path, bool *absent, char *error, size_t error_size);

#endif
