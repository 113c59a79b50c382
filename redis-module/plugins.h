/* What the host says of its plugins: which lane serves which commands (ATTACH, DETACH), their state (STATUS), and that
 * the route table has changed (ROUTES). */
#ifndef FERRITE_PLUGINS_H
#define FERRITE_PLUGINS_H

#include <stdint.h>

#include "frame.h"
#include "lane.h"
#include "server.h"

typedef struct PluginStatus {
    char *name, *version, *reason;
    uint8_t state; /* 0 loading, 1 active, 2 disabled, 3 failed, 4 unloading */
    uint32_t restarts;
} PluginStatus;

/* These take frames that message_problem has accepted; STATUS and ROUTES are of the control lane. */
void plugins_attach(Lane *lane, const Frame *frame);
void plugins_detach(Lane *lane, const Frame *frame);
void plugins_take_status(const Frame *frame);
void plugins_take_routes(const Frame *frame);

/* Reads the route table if ROUTES asked for it, and creates what is new in it. */
void plugins_before_sleep(RedisModuleCtx *ctx);

/* The control lane is gone, and what it said with it. */
void plugins_forget(void);

/* As the last STATUS had it; valid until the next one. */
const PluginStatus *plugins_list(int *count);
const char *plugin_state_name(const PluginStatus *plugin);

/* Why no lane serves a command, for `-UNAVAILABLE <reason>`. */
const char *plugins_down_reason(void);

#endif
