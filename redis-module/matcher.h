/* Which commands hooks and rules are for: by their names, and by what is in one of them. */
#ifndef FERRITE_MATCHER_H
#define FERRITE_MATCHER_H

#include <stdbool.h>

#include "facts.h"
#include "route.h"
#include "server.h"

/* What of a command is looked at. */
typedef struct HookSubject {
    RedisModuleString **argv;
    int argc;
    const char *user; /* "" where it is not known; NULL: user and database are not looked at */
    int db, base_db;  /* two where it is not certain (sender.h) */
    bool stranger;    /* it is not known for certain that the client has logged in */
    bool sampled;     /* after hooks that take a sample are left out by chance */
} HookSubject;

/* "CONFIG" is for its subcommands too. */
bool matcher_word_names(const char *word, const Facts *facts);

/* Never AUTH and HELLO, which carry passwords, and our own commands; only if it names it what holds a connection or the
 * replication together. */
bool matcher_names(const RouteMatcher *matcher, const Facts *facts);

/* True without users and databases in the matcher, and where they are not looked at. */
bool matcher_has_caller(const RouteMatcher *matcher, const HookSubject *subject);

/* The same, in whichever database the command may run. */
bool matcher_has_caller_for_certain(const RouteMatcher *matcher, const HookSubject *subject);

/* One key of the command matches; true without globs. */
bool matcher_has_key(const RouteMatcher *matcher, const Facts *facts, const HookSubject *subject);

/* Every key of the command matches, and it has one; true without globs. */
bool matcher_has_all_keys(const RouteMatcher *matcher, const Facts *facts, const HookSubject *subject);

/* NULL when it has none. */
RedisModuleString *matcher_first_key(const Facts *facts, const HookSubject *subject);

#endif
