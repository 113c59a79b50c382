/* The module's end of the bridge: greeting, the server's state, what frames mean, the loop's hooks, the heartbeat.
 *
 * One thread: sockets live in the server's event loop. A frame's handler runs in a descriptor's callback, so it must
 * not run commands (call.h); it may unblock clients and queue work for bridge_before_sleep, where commands may run. */
#ifndef FERRITE_BRIDGE_H
#define FERRITE_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lane.h"
#include "server.h"

/* Tells the host that the server stops, then closes the listening socket and every lane. Blocks for half a
 * second at most. */
void bridge_stop(void);

/* Returns NULL or what is wrong with the frame; the lane is closed then. */
const char *bridge_handle_frame(Lane *lane, const Frame *frame);
void bridge_lane_closed(Lane *lane);

/* STATE_* bits now, sent to all lanes when they change. */
void bridge_state_changed(void);

/* What WELCOME said and CONFIG SET can change, sent to all lanes when it has changed. */
void bridge_settings_changed(void);

void bridge_before_sleep(RedisModuleCtx *ctx);

/* `hz` times per second: greeting deadlines, heartbeat of the control lane. */
void bridge_cron(int hz);

#endif
