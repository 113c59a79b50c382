/* How many requests may be in flight: ferrite.max-inflight for each lane, a share of maxmemory for all. */
#ifndef FERRITE_CAPACITY_H
#define FERRITE_CAPACITY_H

#include <stdbool.h>

#include "lane.h"

/* True when no further request may be started on this lane. */
bool capacity_reached(const Lane *lane);

/* Asks the server for its maxmemory, which it then keeps. Not from a descriptor's callback. */
void capacity_read_maxmemory(void);

#endif
