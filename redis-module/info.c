#include "info.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "config.h"
#include "host.h"
#include "module.h"
#include "output.h"
#include "plugins.h"
#include "request.h"
#include "rules.h"

/* ===== Figures, once for INFO and FERRITE.INFO ===== */

typedef struct Totals {
    uint64_t bytes_in, bytes_out, frames_in, frames_out, events_sent, events_dropped, queued_bytes, calls_queued;
    uint64_t calls, refused, failed, timeouts, conflicts, again, sync_calls, overloaded;
} Totals;

static Totals totals_now(void) {
    Totals t = {0};
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        t.bytes_in += lane->bytes_in;
        t.bytes_out += lane->bytes_out;
        t.frames_in += lane->frames_in;
        t.frames_out += lane->frames_out;
        t.events_sent += lane->events_sent;
        t.events_dropped += lane->events_dropped;
        t.queued_bytes += buffer_length(&lane->out);
        t.calls_queued += lane->call_count;
    }
    for (const Command *c = command_list; c; c = c->next) {
        if (command_is_hook(c)) continue;
        t.calls += c->calls;
        t.refused += c->refused;
        t.failed += c->failed;
        t.timeouts += c->timeouts;
        t.conflicts += c->conflicts;
        t.again += c->again;
        t.sync_calls += c->sync_calls;
        t.overloaded += c->overloaded;
    }
    return t;
}

typedef struct Figure {
    const char *name;
    uint64_t value;
} Figure;

enum { FIGURES_MAX = 24 };

static int figures_now(Figure figures[FIGURES_MAX]) {
    Totals t = totals_now();
    const Figure all[] = {
        {"lanes", (uint64_t)lane_count()},
        {"host_pid", (uint64_t)host_pid()},
        {"host_restarts", host_restarts()},
        {"inflight", request_count()},
        {"calls_queued", t.calls_queued},
        {"queued_bytes", t.queued_bytes},
        {"bytes_to_host", t.bytes_out},
        {"bytes_from_host", t.bytes_in},
        {"frames_to_host", t.frames_out},
        {"frames_from_host", t.frames_in},
        {"events_sent", t.events_sent},
        {"events_dropped", t.events_dropped},
        {"commands", t.calls},
        {"commands_sync", t.sync_calls},
        {"commands_refused", t.refused},
        {"commands_failed", t.failed},
        {"commands_overloaded", t.overloaded},
        {"timeouts", t.timeouts},
        {"guard_conflicts", t.conflicts},
        {"guard_batches_cut", t.again},
        {"rules_refused", rules_refused()},
        {"log_lines_dropped", output_lines_dropped()},
    };
    memcpy(figures, all, sizeof(all));
    return (int)(sizeof(all) / sizeof(all[0]));
}

static const char *host_state(void) {
    if (lane_control()) return "up";
    return host_pid() ? "starting" : "down";
}

/* ===== INFO ferrite ===== */

static void info_lanes(RedisModuleInfoCtx *ctx) {
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0) continue;
        char name[32];
        snprintf(name, sizeof(name), "lane_%u", lane->number);
        RedisModule_InfoBeginDictField(ctx, name);
        RedisModule_InfoAddFieldCString(ctx, "label", lane->label);
        RedisModule_InfoAddFieldULongLong(ctx, "pending", lane->pending.count);
        RedisModule_InfoAddFieldULongLong(ctx, "queued_bytes", buffer_length(&lane->out));
        RedisModule_InfoAddFieldULongLong(ctx, "round_trip_us", lane->last_round_trip);
        RedisModule_InfoAddFieldULongLong(ctx, "events_dropped", lane->events_dropped);
        RedisModule_InfoEndDictField(ctx);
    }
}

static void info_commands(RedisModuleInfoCtx *ctx) {
    for (const Command *c = command_list; c; c = c->next) {
        if (c->calls == 0) continue;
        char name[ROUTE_NAME_MAX + 16];
        if (command_is_hook(c))
            snprintf(name, sizeof(name), "hook_%s", strchr(c->name, ' ') + 1);
        else
            snprintf(name, sizeof(name), "command_%s", c->name);
        RedisModule_InfoBeginDictField(ctx, name);
        RedisModule_InfoAddFieldULongLong(ctx, "calls", c->calls);
        RedisModule_InfoAddFieldULongLong(ctx, "failed", c->failed);
        RedisModule_InfoAddFieldULongLong(ctx, "refused", c->refused);
        RedisModule_InfoAddFieldULongLong(ctx, "timeouts", c->timeouts);
        RedisModule_InfoAddFieldULongLong(ctx, "conflicts", c->conflicts);
        RedisModule_InfoAddFieldULongLong(ctx, "p50_us", histogram_percentile(&c->latency, 50));
        RedisModule_InfoAddFieldULongLong(ctx, "p99_us", histogram_percentile(&c->latency, 99));
        RedisModule_InfoAddFieldULongLong(ctx, "p99.9_us", histogram_percentile(&c->latency, 99.9));
        RedisModule_InfoAddFieldULongLong(ctx, "max_us", c->latency.max);
        RedisModule_InfoEndDictField(ctx);
    }
}

static void info_section(RedisModuleInfoCtx *ctx, int for_crash_report) {
    if (RedisModule_InfoAddSection(ctx, "") == REDISMODULE_ERR) return;
    RedisModule_InfoAddFieldCString(ctx, "version", FERRITE_VERSION_TEXT);
    RedisModule_InfoAddFieldCString(ctx, "host", (char *)host_state());
    if (for_crash_report) return; /* no walking of lists in a process that is crashing */
    Figure figures[FIGURES_MAX];
    int count = figures_now(figures);
    for (int i = 0; i < count; i++) RedisModule_InfoAddFieldULongLong(ctx, figures[i].name, figures[i].value);
    int plugins;
    const PluginStatus *plugin = plugins_list(&plugins);
    for (int i = 0; i < plugins; i++) {
        char name[160];
        snprintf(name, sizeof(name), "plugin_%.140s", plugin[i].name);
        RedisModule_InfoBeginDictField(ctx, name);
        RedisModule_InfoAddFieldCString(ctx, "version", plugin[i].version);
        RedisModule_InfoAddFieldCString(ctx, "state", (char *)plugin_state_name(&plugin[i]));
        RedisModule_InfoAddFieldULongLong(ctx, "restarts", plugin[i].restarts);
        RedisModule_InfoEndDictField(ctx);
    }
    info_lanes(ctx);
    info_commands(ctx);
}

/* ===== FERRITE.INFO -- the figures as a map ===== */

int Info_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv;
    if (argc != 1) return RedisModule_WrongArity(ctx);
    Figure figures[FIGURES_MAX];
    int count = figures_now(figures);
    RedisModule_ReplyWithMap(ctx, count + 6);
    const char *const texts[][2] = {
        {"version", FERRITE_VERSION_TEXT},
        {"server", server_product},
        {"host", host_state()},
        {"host_problem", host_problem()},
        {"plugins_dir", config_plugins_dir()},
        {"state_dir", config_state_dir()},
    };
    for (int i = 0; i < 6; i++) {
        RedisModule_ReplyWithCString(ctx, texts[i][0]);
        RedisModule_ReplyWithCString(ctx, texts[i][1]);
    }
    for (int i = 0; i < count; i++) {
        RedisModule_ReplyWithCString(ctx, figures[i].name);
        RedisModule_ReplyWithLongLong(ctx, (long long)figures[i].value);
    }
    return REDISMODULE_OK;
}

int info_register(RedisModuleCtx *ctx) {
    return RedisModule_RegisterInfoFunc(ctx, info_section);
}
