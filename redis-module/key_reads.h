/* `keyhit`: a client's command is about to read a key that is there. The server tells misses alone, so hits are looked
 * up here, without a trace (no statistics, no LRU, no expiry), for commands that the filter sees and those that
 * wrappers run. What is told and what is not: docs/author/events.md. */
#ifndef FERRITE_KEY_READS_H
#define FERRITE_KEY_READS_H

#include <stdbool.h>

#include "call.h"
#include "facts.h"
#include "server.h"

/* Why no hit is ever told on this server; NULL: they are. */
const char *key_reads_problem(void);

/* True while somebody listens: else nothing is looked at. */
bool key_reads_wanted(void);

/* Subscriptions have changed, from anywhere: the filter is set before the loop sleeps, since this may be inside it. */
void key_reads_wanted_changed(void);
void key_reads_before_sleep(void);

/* Whether it is a command that hits are told of. */
bool key_reads_of(const Facts *facts);

/* Whether somebody wants the hits of a key of this command, wherever that is. */
bool key_reads_match(const Facts *facts, RedisModuleString **argv, int argc);

/* Tells the hits of a command of a client that has logged in and may run it, just before it runs. */
void key_reads_tell(const Facts *facts, RedisModuleString **argv, int argc, int db);

/* The same of one that a wrapper has run. */
void key_reads_have_run(const Arguments *arguments, int db);

#endif
