/* The module's end of the bridge: the private folder with the listening socket, what frames mean, the loop's hooks.
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

/* What the host said of a plugin (STATUS). */
typedef struct PluginStatus {
    char *name, *version, *reason;
    uint8_t state; /* 0 loading, 1 active, 2 disabled, 3 failed, 4 unloading */
    uint32_t restarts;
} PluginStatus;

/* Creates folder, token and socket and listens. False with a message; nothing is left behind then. */
bool bridge_listen(char *error, size_t error_size);
void bridge_stop(void);

/* Paths for host.c. */
const char *bridge_socket_path(void);

/* Returns NULL or what is wrong with the frame; the lane is closed then. */
const char *bridge_handle_frame(Lane *lane, const Frame *frame);
void bridge_lane_closed(Lane *lane);

/* Why no lane serves a command, for `-UNAVAILABLE <reason>`. */
const char *bridge_down_reason(void);

/* STATE_* bits now, sent to all lanes when they change. */
void bridge_state_changed(void);

void bridge_before_sleep(RedisModuleCtx *ctx);

/* `hz` times per second: greeting deadlines, heartbeat of the control lane. */
void bridge_cron(int hz);

const PluginStatus *bridge_plugins(int *count);

#endif
