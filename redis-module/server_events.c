#include "server_events.h"

#include <stdbool.h>
#include <string.h>

#include "module.h"
#include "notice.h"
#include "subscription.h"

static Notice notice_of(const char *event) {
    return (Notice){.kind = SUBSCRIPTION_SERVER, .event = event};
}

static bool is_loading(void) {
    int loading = REDISMODULE_CTX_FLAGS_LOADING | REDISMODULE_CTX_FLAGS_ASYNC_LOADING;
    return (RedisModule_GetContextFlags(NULL) & loading) != 0;
}

/* ===== Role ===== */

static void put_field(Notice *notice, const char *name, RedisModuleServerInfoData *info, const char *field) {
    const char *value = RedisModule_ServerInfoGetFieldC(info, field);
    if (value) notice_put_text(notice, name, value);
}

/* What INFO says: no command is run. */
static void put_role(Notice *notice) {
    RedisModuleServerInfoData *info = RedisModule_GetServerInfo(module_context, "replication");
    if (!info) return;
    put_field(notice, "role", info, "role");
    put_field(notice, "host", info, "master_host");
    put_field(notice, "port", info, "master_port");
    RedisModule_FreeServerInfo(module_context, info);
}

void server_events_role(void) {
    if (!subscriptions_want(SUBSCRIPTION_SERVER, "role-change")) return;
    Notice notice = notice_of("role-change");
    put_role(&notice);
    notice_send(&notice);
}

/* ===== Beginning and end ===== */

/* Remembers that a plugin has been told, as long as the server runs; true when it had been before. */
static bool was_told(const char *plugin) {
    static RedisModuleDict *told;
    if (!told) told = RedisModule_CreateDict(NULL);
    return RedisModule_DictSetC(told, (void *)plugin, strlen(plugin), NULL) != REDISMODULE_OK;
}

static void tell_startup(Lane *lane, const char *plugin) {
    Notice notice = notice_of("startup");
    notice.urgent = true;
    notice_put_number(&notice, "restarted", was_told(plugin));
    put_role(&notice);
    notice_tell(lane, &notice, plugin);
    buffer_free(&notice.fields);
}

/* Of a plugin all subscriptions are told at once. */
static void settle_startup(Lane *lane) {
    for (Subscription *s = lane->subscriptions; s; s = s->next) {
        if (!s->startup_due) continue;
        for (Subscription *same = s; same; same = same->next) {
            if (strcmp(same->plugin, s->plugin) == 0) same->startup_due = false;
        }
        tell_startup(lane, s->plugin);
    }
}

void server_events_attached(Lane *lane, Slice plugin) {
    for (Subscription *s = lane->subscriptions; s; s = s->next) {
        bool is_of = strlen(s->plugin) == plugin.length && memcmp(s->plugin, plugin.bytes, plugin.length) == 0;
        if (is_of && s->kind == SUBSCRIPTION_SERVER && subscription_names(s, "startup")) s->startup_due = true;
    }
    if (!is_loading()) settle_startup(lane);
}

void server_events_ready(void) {
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0) settle_startup(lane);
    }
}

void server_events_shutdown(void) {
    Notice notice = notice_of("shutdown");
    notice.urgent = true;
    notice_send(&notice);
}

/* ===== Data ===== */

static bool loaded_from_primary; /* since the link to the primary went down, or somebody listens */

static void tell_loading(const char *phase, const char *source) {
    Notice notice = notice_of("loading");
    notice_put_text(&notice, "phase", phase);
    notice_put_text(&notice, "source", source);
    notice_send(&notice);
}

void server_events_loading(uint64_t subevent) {
    static const char *source = "rdb"; /* of what is being loaded: the end does not say */
    switch (subevent) {
        case REDISMODULE_SUBEVENT_LOADING_RDB_START:
            source = "rdb";
            break;
        case REDISMODULE_SUBEVENT_LOADING_AOF_START:
            source = "aof";
            break;
        case REDISMODULE_SUBEVENT_LOADING_REPL_START:
            source = "replication";
            loaded_from_primary = true;
            break;
        case REDISMODULE_SUBEVENT_LOADING_ENDED:
            tell_loading("end", source);
            return;
        default:
            tell_loading("failed", source);
            return;
    }
    tell_loading("start", source);
}

void server_events_flush(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event;
    if (subevent != REDISMODULE_SUBEVENT_FLUSHDB_END) return;
    RedisModuleFlushInfo *flush = data;
    Notice notice = notice_of("flush");
    if (flush->dbnum >= 0) notice_put_number(&notice, "db", (uint64_t)flush->dbnum);
    notice_send(&notice);
}

void server_events_swapdb(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)subevent;
    RedisModuleSwapDbInfo *swap = data;
    Notice notice = notice_of("swapdb");
    notice_put_number(&notice, "first", (uint64_t)swap->dbnum_first);
    notice_put_number(&notice, "second", (uint64_t)swap->dbnum_second);
    notice_send(&notice);
}

/* ===== Replication ===== */

static void tell_sync(const char *change, const char *sync) {
    Notice notice = notice_of("replication-sync");
    notice_put_text(&notice, "change", change);
    notice_put_text(&notice, "sync", sync);
    notice_send(&notice);
}

void server_events_link_begin(void) {
    if (!is_loading()) loaded_from_primary = false;
}

void server_events_link(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)data;
    if (subevent == REDISMODULE_SUBEVENT_MASTER_LINK_UP)
        tell_sync("link-up", loaded_from_primary ? "full" : "partial");
    else
        tell_sync("link-down", "");
    loaded_from_primary = false;
}

void server_events_replica(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)data;
    tell_sync(subevent == REDISMODULE_SUBEVENT_REPLICA_CHANGE_ONLINE ? "replica-online" : "replica-offline", "");
}

/* ===== Configuration ===== */

/* Names alone: values can be secrets. */
void server_events_config(void *change) {
    if (!subscriptions_want(SUBSCRIPTION_SERVER, "config-change")) return;
    RedisModuleConfigChange *config = change;
    Buffer names = {0};
    for (uint32_t i = 0; i < config->num_changes; i++) {
        if (i > 0) buffer_put(&names, " ", 1);
        buffer_put(&names, config->config_names[i], strlen(config->config_names[i]));
    }
    Notice notice = notice_of("config-change");
    notice_put(&notice, "names", buffer_front(&names), buffer_length(&names));
    notice_send(&notice);
    buffer_free(&names);
}
