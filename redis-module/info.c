#include "info.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "config.h"
#include "host.h"
#include "memory.h"
#include "module.h"
#include "plugins.h"
#include "request.h"
#include "start.h"

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

static int Info_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
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

/* ===== FERRITE.PING -- round trip to each lane in microseconds, as a map from lane to microseconds ===== */

enum { PING_TIMEOUT_MS = 1000 };

typedef struct Ping {
    struct Ping *next;
    RedisModuleBlockedClient *client;
    uint64_t started_at;
} Ping;

static Ping *pings; /* waiting clients, all for the same thing: no PING on its way */

static void reply_round_trips(RedisModuleCtx *ctx) {
    RedisModule_ReplyWithMap(ctx, REDISMODULE_POSTPONED_LEN);
    long count = 0;
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0 || !lane->greeted) continue;
        char name[96];
        snprintf(name, sizeof(name), "%u:%s", lane->number, lane->label);
        RedisModule_ReplyWithCString(ctx, name);
        if (lane->ping_sent_at)
            RedisModule_ReplyWithNull(ctx); /* has not answered yet */
        else
            RedisModule_ReplyWithLongLong(ctx, (long long)lane->last_round_trip);
        count++;
    }
    RedisModule_ReplySetMapLength(ctx, count);
}

static int Ping_Reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    reply_round_trips(ctx);
    return REDISMODULE_OK;
}

static void ping_unlink(Ping *ping) {
    for (Ping **at = &pings; *at; at = &(*at)->next) {
        if (*at != ping) continue;
        *at = ping->next;
        return;
    }
}

static Ping *ping_of(RedisModuleBlockedClient *client) {
    for (Ping *ping = pings; ping; ping = ping->next) {
        if (ping->client == client) return ping;
    }
    return NULL;
}

static void ping_end(RedisModuleBlockedClient *client) {
    Ping *ping = ping_of(client);
    if (!ping) return; /* answered already */
    ping_unlink(ping);
    RedisModule_UnblockClient(client, ping);
}

static int Ping_Timeout(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    reply_round_trips(ctx);
    ping_end(RedisModule_GetBlockedClientHandle(ctx));
    return REDISMODULE_OK;
}

static void Ping_Disconnected(RedisModuleCtx *ctx, RedisModuleBlockedClient *client) {
    (void)ctx;
    ping_end(client);
}

static void Ping_Free(RedisModuleCtx *ctx, void *ping) {
    (void)ctx;
    memory_free(ping);
}

void info_pong(void) {
    if (!pings) return;
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && lane->greeted && lane->ping_sent_at) return;
    }
    while (pings) ping_end(pings->client);
}

static int Ping_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv;
    if (argc != 1) return RedisModule_WrongArity(ctx);
    int flags = RedisModule_GetContextFlags(ctx);
    bool may_block =
        !(flags & (REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_MULTI | REDISMODULE_CTX_FLAGS_LUA));
    bool any = false;
    for (Lane *lane = lane_list; may_block && lane; lane = lane->next) {
        if (lane->fd < 0 || !lane->greeted) continue;
        lane_ping(lane);
        any = true;
    }
    if (!any) { /* in a transaction: the last known round trips */
        reply_round_trips(ctx);
        return REDISMODULE_OK;
    }
    Ping *ping = memory_zalloc(sizeof(Ping));
    ping->client = RedisModule_BlockClient(ctx, Ping_Reply, Ping_Timeout, Ping_Free, PING_TIMEOUT_MS);
    RedisModule_SetDisconnectCallback(ping->client, Ping_Disconnected);
    ping->next = pings;
    pings = ping;
    return REDISMODULE_OK;
}

/* ===== FERRITE.PLUGIN -- answered by the host; without it, what the route table says ===== */

static Command *plugin_command;

static int reply_plugins_without_host(RedisModuleCtx *ctx) {
    const RouteTable *table = command_routes();
    int count = table ? table->plugin_count : 0;
    RedisModule_ReplyWithArray(ctx, count);
    for (int i = 0; i < count; i++) {
        RedisModule_ReplyWithMap(ctx, 4);
        const char *const pairs[] = {"name",  table->plugins[i].name, "version", table->plugins[i].version,
                                     "state", "unavailable",          "reason",  plugins_down_reason()};
        for (int p = 0; p < 8; p++) RedisModule_ReplyWithCString(ctx, pairs[p]);
    }
    return REDISMODULE_OK;
}

static int PluginAdmin_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc < 2) return RedisModule_WrongArity(ctx);
    bool is_list = strcasecmp(RedisModule_StringPtrLen(argv[1], NULL), "LIST") == 0;
    if (!plugin_command->lane && is_list) return reply_plugins_without_host(ctx);
    return start_request(ctx, plugin_command, argv, argc);
}

/* ===== FERRITE.CALL -- runs a plugin command that the server could not be given as a command of its own ===== */

/* The keys of the called command, for ACL, cluster routing and client tracking. */
static void report_keys(RedisModuleCtx *ctx, const RouteCommand *route, int argc) {
    for (int i = 0; route && i < route->key_count; i++) {
        const RouteKey *key = &route->keys[i];
        if (key->begin_keyword || key->numbered) continue; /* start_request refuses these through FERRITE.CALL */
        int first = key->begin_at + 1, last = key->find[0] < 0 ? argc + key->find[0] : first + key->find[0];
        int step = key->find[1] > 0 ? key->find[1] : 1;
        for (int at = first; at <= last && at < argc; at += step) {
            RedisModule_KeyAtPosWithFlags(ctx, at, (int)key->flags);
        }
    }
}

static bool has_searched_keys(const RouteCommand *route) {
    for (int i = 0; i < route->key_count; i++) {
        if (route->keys[i].begin_keyword || route->keys[i].numbered) return true;
    }
    return false;
}

static bool right_arity(const RouteCommand *route, int argc) {
    return route->arity >= 0 ? argc == route->arity : argc >= -route->arity;
}

/* A command that has its own name too is subject to the rules for that name. One that has none yet has no rules that
 * could keep anybody from it, so that what only administrators may run waits for its name. */
static bool caller_may_run(RedisModuleCtx *ctx, const Command *command, RedisModuleString **argv, int argc) {
    if (!command->registered) {
        return !strstr(command->route->categories, "admin") && !strstr(command->route->categories, "dangerous");
    }
    RedisModuleString *name = RedisModule_GetClientUserNameById(ctx, RedisModule_GetClientId(ctx));
    RedisModuleUser *user = name ? RedisModule_GetModuleUserFromUserName(name) : NULL;
    bool may = user && RedisModule_ACLCheckCommandPermissions(user, argv, argc) == REDISMODULE_OK;
    if (user) RedisModule_FreeModuleUser(user);
    if (name) RedisModule_FreeString(ctx, name);
    return may;
}

static int Call_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    Command *command = argc >= 2 ? command_of_arguments(argv + 1, argc - 1) : NULL;
    if (RedisModule_IsKeysPositionRequest(ctx)) {
        report_keys(ctx, command ? command->route : NULL, argc);
        return REDISMODULE_OK;
    }
    if (argc < 2) return RedisModule_WrongArity(ctx);
    if (!command || !command->route) {
        return RedisModule_ReplyWithError(ctx, "ERR no plugin has a command of that name (FERRITE.PLUGIN LIST)");
    }
    if (command->builtin || has_searched_keys(command->route)) {
        return RedisModule_ReplyWithError(ctx, "ERR this command cannot be run through FERRITE.CALL");
    }
    if (!right_arity(command->route, argc - 1)) return RedisModule_WrongArity(ctx);
    if (!caller_may_run(ctx, command, argv + 1, argc - 1)) {
        return RedisModule_ReplyWithError(ctx, "NOPERM you have no permission to run this command");
    }
    return start_request(ctx, command, argv + 1, argc - 1);
}

/* ===== FERRITE.HELP ===== */

static int Help_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* ===== Registration ===== */

static const struct OwnCommand {
    const char *name;
    RedisModuleCmdFunc function;
    const char *flags, *categories, *summary, *usage;
    int arity;
} own_commands[] = {
    {"FERRITE.HELP", Help_RedisCommand, "fast allow-loading allow-stale", "fast", "Lists Ferrite's own commands",
     "FERRITE.HELP -- this text", 1},
    {"FERRITE.INFO", Info_RedisCommand, "readonly allow-loading allow-stale", "", "Returns figures of bridge and host",
     "FERRITE.INFO -- figures of bridge and host, as a map (also: INFO ferrite)", 1},
    {"FERRITE.PING", Ping_RedisCommand, "allow-loading allow-stale", "", "Measures the round trip to each lane",
     "FERRITE.PING -- round trip to each lane of the host in microseconds (null: no answer within 1 s)", 1},
    {"FERRITE.CALL", Call_RedisCommand, "write deny-oom getkeys-api", "write",
     "Runs a plugin command that has no name of its own yet",
     "FERRITE.CALL <command> [arg ...] -- runs a plugin's command that has no name of its own in the server yet", -2},
    {"FERRITE.PLUGIN", PluginAdmin_RedisCommand, "admin", "admin dangerous", "Lists and describes plugins",
     "FERRITE.PLUGIN LIST | INFO <name> | HELP -- the plugins and their state", -2},
};
enum { OWN_COUNT = sizeof(own_commands) / sizeof(own_commands[0]) };

static int Help_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv;
    if (argc != 1) return RedisModule_WrongArity(ctx);
    RedisModule_ReplyWithArray(ctx, OWN_COUNT);
    for (int i = 0; i < OWN_COUNT; i++) RedisModule_ReplyWithSimpleString(ctx, own_commands[i].usage);
    return REDISMODULE_OK;
}

int info_register(RedisModuleCtx *ctx) {
    static const RouteCommand plugin_route = {
        .plugin = "ferrite", .name = "FERRITE.PLUGIN", .flags = "admin", .categories = "", .arity = -2, .sync = true};
    for (int i = 0; i < OWN_COUNT; i++) {
        const struct OwnCommand *own = &own_commands[i];
        if (RedisModule_CreateCommand(ctx, own->name, own->function, own->flags, 0, 0, 0) != REDISMODULE_OK) {
            return REDISMODULE_ERR;
        }
        RedisModuleCommand *command = RedisModule_GetCommand(ctx, own->name);
        RedisModuleCommandInfo info = {.version = REDISMODULE_COMMAND_INFO_VERSION,
                                       .summary = own->summary,
                                       .since = "0.1.0",
                                       .arity = own->arity};
        RedisModule_SetCommandInfo(command, &info);
        if (RedisModule_SetCommandACLCategories && *own->categories) {
            RedisModule_SetCommandACLCategories(command, own->categories);
        }
    }
    plugin_command = command_builtin(&plugin_route);
    return RedisModule_RegisterInfoFunc(ctx, info_section);
}
