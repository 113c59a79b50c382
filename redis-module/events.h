/* Key events: which plugins want which, matched here before anything is sent, queued in the lanes with a bound. */
#ifndef FERRITE_EVENTS_H
#define FERRITE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"
#include "server.h"
#include "subscription.h"

/* An event of our own: a key is about to be read that is there (key_reads.h). */
#define EVENT_KEY_HIT "keyhit"

/* Has the server tell what a new subscription to key events wants. */
void events_subscribe(const Subscription *subscription);

/* Why no key event of that name is told on this server; NULL: it is, or may be. */
const char *events_problem(const char *event);

/* Whose writes are running: a plugin's name, or NULL bytes for clients'. Returns what it was, to be set again: a commit
 * can run a command of another plugin. The bytes stay the caller's. */
Slice events_set_origin(Slice plugin);

/* The same, without a change. */
Slice events_origin(void);

/* The server's role and loading, kept by module.c: asking for them at every event costs too much. */
void events_set_state(uint8_t state_bits);

/* Whether a plugin is to hear of a hit of that key, and telling those that are. */
bool events_want_hit(const char *key, size_t length);
void events_tell_hit(int db, const char *key, size_t length);

/* Room again: tells plugins what they missed. */
void events_before_sleep(void);

#endif
