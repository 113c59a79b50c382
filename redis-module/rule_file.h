/* The operator's rules: `rules` in state-dir, a route table of rule lines alone. Written whole at each change, beside
 * the file and then in its place: a server that is killed leaves the one or the other. */
#ifndef FERRITE_RULE_FILE_H
#define FERRITE_RULE_FILE_H

#include <stdbool.h>

#include "route.h"

enum { RULES_MAX = 1000, RULE_LENGTH_MAX = 60000 };

/* In force; NULL: none. */
const RouteTable *rule_file_table(void);

/* In OnLoad. False with a message for a file that cannot be used: without its rules the server must not serve. */
bool rule_file_read(char *error, size_t error_size);

/* Adds a rule, `rule name=... action=...`, or takes the place of the one of that name. False with the reason, without
 * which nothing has changed. */
bool rule_file_put(const char *line, char *error, size_t error_size);

/* False with the reason. */
bool rule_file_delete(const char *name, char *error, size_t error_size);

void rule_file_free(void);

#endif
