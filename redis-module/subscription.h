/* What plugins listen to: the subscriptions of a lane, as its ATTACHs have them. Matching keys is here, since it costs
 * something at every write; the kinds of events are in events.c (keys), client_events.c and server_events.c. */
#ifndef FERRITE_SUBSCRIPTION_H
#define FERRITE_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "lane.h"

enum { SUBSCRIBE_OWN = 1, SUBSCRIBE_ON_REPLICA = 2, SUBSCRIBE_OLD_VALUE = 4 };

typedef struct Pattern {
    char *text;
    size_t length;
    bool prefix; /* "abc*" with no other special character: compared, not matched */
} Pattern;

typedef struct Subscription {
    struct Subscription *next; /* those of one plugin follow each other */
    char *plugin;
    uint32_t id;
    uint8_t kind; /* SubscriptionKind */
    uint8_t flags;
    bool startup_due; /* the plugin is to be told that the server is ready, once it is */
    char **events;    /* none: all */
    int event_count;
    Pattern *patterns; /* none: all */
    int pattern_count;
} Subscription;

/* Reads the subscriptions of an ATTACH that message_problem has accepted; they replace the plugin's earlier ones. */
void subscriptions_read(Lane *lane, Slice plugin, Reader *reader);

/* Ends those of `plugin`, or all of the lane (NULL). */
void subscriptions_end(Lane *lane, const char *plugin);

bool subscription_names(const Subscription *s, const char *event);
bool subscription_has_key(const Subscription *s, const char *key, size_t length);

/* Whether an open lane has a subscription to that event, or to any of that kind (NULL). */
bool subscriptions_want(SubscriptionKind kind, const char *event);

#endif
