#include "events.h"

#include <stdbool.h>
#include <string.h>

#include "lane.h"
#include "module.h"

enum { ORIGIN_CLIENT = 0, ORIGIN_PLUGIN = 1, ORIGIN_EXPIRE = 2, ORIGIN_EVICT = 3 };

static Slice origin; /* NULL bytes: a client */
static uint8_t server_state;
static int subscribed_classes;
static bool old_values_wanted;

/* The values that event-17 callbacks saw last, the newest first: their notifications follow at once. RENAME to a key
 * that is there takes two away before it tells of either. */
enum { OLD_VALUES = 2 };
typedef struct OldValue {
    RedisModuleString *key;
    uint8_t type;
    uint64_t length;
} OldValue;
static OldValue old_values[OLD_VALUES];

Slice events_set_origin(Slice plugin) {
    Slice before = origin;
    origin = plugin;
    return before;
}

Slice events_origin(void) {
    return origin;
}

void events_set_state(uint8_t state_bits) {
    server_state = state_bits;
}

/* ===== Matching ===== */

/* "All events" are all but those that fire on reads and those that come beside another one: they must be named, as
 * with notify-keyspace-events A. */
enum {
    BESIDE_ANOTHER = REDISMODULE_NOTIFY_NEW | REDISMODULE_NOTIFY_OVERWRITTEN | REDISMODULE_NOTIFY_TYPE_CHANGED,
    ONLY_WHEN_NAMED = REDISMODULE_NOTIFY_KEY_MISS | BESIDE_ANOTHER
};

static bool event_matches(const Subscription *s, int class, const char *event) {
    return s->event_count == 0 ? !(class & ONLY_WHEN_NAMED) : subscription_names(s, event);
}

static bool wants(const Subscription *s, int class, const char *event, const char *key, size_t length) {
    if (s->kind != SUBSCRIPTION_KEYS) return false;
    if (!(server_state & STATE_PRIMARY) && !(s->flags & SUBSCRIBE_ON_REPLICA)) return false;
    if (origin.bytes && !(s->flags & SUBSCRIBE_OWN) && strlen(s->plugin) == origin.length &&
        memcmp(s->plugin, origin.bytes, origin.length) == 0) {
        return false;
    }
    return event_matches(s, class, event) && subscription_has_key(s, key, length);
}

/* ===== Sending ===== */

static uint8_t origin_of(const char *event) {
    if (strcmp(event, "expired") == 0) return ORIGIN_EXPIRE;
    if (strcmp(event, "evicted") == 0) return ORIGIN_EVICT;
    return origin.bytes ? ORIGIN_PLUGIN : ORIGIN_CLIENT;
}

/* The frame is begun at the first subscription that matches. */
static void send_event(Lane *lane, int class, int db, const char *event, const char *key, size_t length,
                       const OldValue *old) {
    Buffer *out = &lane->out;
    size_t begun = 0, count_at = 0;
    uint32_t count = 0;
    for (const Subscription *s = lane->subscriptions; s; s = s->next) {
        if (!wants(s, class, event, key, length)) continue;
        if (count == 0) {
            if (!lane_has_room(lane, 128 + length)) {
                lane->events_missed++;
                lane->events_dropped++;
                return;
            }
            if (lane->events_missed) lane_tell_gap(lane);
            begun = frame_begin(out, FRAME_EVENT, 0, 0, ++lane->event_sequence);
            buffer_put_u64(out, clock_command_milliseconds());
            buffer_put_u32(out, (uint32_t)db);
            buffer_put_u8(out, origin_of(event));
            buffer_put_u8(out, old ? old->type : 0);
            buffer_put_u64(out, old ? old->length : 0);
            buffer_put_cstring(out, event);
            buffer_put_string(out, key, length);
            count_at = buffer_length(out);
            buffer_put_u32(out, 0);
        }
        buffer_put_u32(out, s->id);
        count++;
    }
    if (count == 0) return;
    buffer_patch_u32(out, count_at, count);
    frame_end(out, begun);
    lane->events_sent++;
    lane_written(lane);
}

static void forget(OldValue *old) {
    if (old->key) RedisModule_FreeString(NULL, old->key);
    old->key = NULL;
}

static void forget_all(void) {
    for (int i = 0; i < OLD_VALUES; i++) forget(&old_values[i]);
}

/* Of a command's events the last one of a key tells that its value is gone for good. */
static void forget_told(int class, const char *event, OldValue *old) {
    if (class & BESIDE_ANOTHER) return;
    if (old && strcmp(event, "rename_from") == 0)
        forget(old);
    else
        forget_all();
}

/* NULL when none is known. */
static OldValue *old_value_of(const char *key, size_t length) {
    for (int i = 0; i < OLD_VALUES; i++) {
        size_t old_length = 0;
        const char *name = old_values[i].key ? RedisModule_StringPtrLen(old_values[i].key, &old_length) : NULL;
        if (name && old_length == length && memcmp(name, key, length) == 0) return &old_values[i];
    }
    return NULL;
}

static int on_key_event(RedisModuleCtx *ctx, int class, const char *event, RedisModuleString *name) {
    if (server_state & STATE_LOADING) return REDISMODULE_OK;
    size_t length;
    const char *key = RedisModule_StringPtrLen(name, &length);
    OldValue *old = old_value_of(key, length);
    int db = RedisModule_GetSelectedDb(ctx);
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && lane->subscriptions) send_event(lane, class, db, event, key, length, old);
    }
    forget_told(class, event, old);
    return REDISMODULE_OK;
}

bool events_want_hit(const char *key, size_t length) {
    if (server_state & STATE_LOADING) return false;
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0) continue;
        for (const Subscription *s = lane->subscriptions; s; s = s->next) {
            if (wants(s, ONLY_WHEN_NAMED, EVENT_KEY_HIT, key, length)) return true;
        }
    }
    return false;
}

void events_tell_hit(int db, const char *key, size_t length) {
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && lane->subscriptions)
            send_event(lane, ONLY_WHEN_NAMED, db, EVENT_KEY_HIT, key, length, NULL);
    }
}

void events_before_sleep(void) {
    forget_all();
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && lane->events_missed && lane_has_room(lane, 1 << 16)) lane_tell_gap(lane);
    }
}

/* ===== Old values: the server shows a value that is about to go (Redis 7.2) ===== */

static uint8_t type_code(int type) {
    switch (type) {
        case REDISMODULE_KEYTYPE_STRING:
            return 1;
        case REDISMODULE_KEYTYPE_LIST:
            return 2;
        case REDISMODULE_KEYTYPE_HASH:
            return 3;
        case REDISMODULE_KEYTYPE_SET:
            return 4;
        case REDISMODULE_KEYTYPE_ZSET:
            return 5;
        case REDISMODULE_KEYTYPE_MODULE:
            return 6;
        case REDISMODULE_KEYTYPE_STREAM:
            return 7;
        default:
            return 0;
    }
}

static void on_key_gone(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)subevent;
    if (server_state & STATE_LOADING) return;
    RedisModuleKeyInfo *info = data;
    forget(&old_values[OLD_VALUES - 1]);
    memmove(old_values + 1, old_values, sizeof(old_values) - sizeof(old_values[0]));
    old_values[0] = (OldValue){
        .key = RedisModule_CreateStringFromString(NULL, RedisModule_GetKeyNameFromModuleKey(info->key)),
        .type = type_code(RedisModule_KeyType(info->key)),
        .length = RedisModule_ValueLength(info->key),
    };
}

/* ===== Subscribing ===== */

/* What one class of notifications holds, so that only the classes that somebody wants cost anything. */
static const struct {
    int class;
    const char *events;
} classes[] = {
    {REDISMODULE_NOTIFY_GENERIC, " del rename_from rename_to move_from move_to copy_to restore expire persist "},
    {REDISMODULE_NOTIFY_STRING, " set setrange incrby incrbyfloat append "},
    {REDISMODULE_NOTIFY_LIST, " lpush rpush lpop rpop linsert lset lrem ltrim sortstore "},
    {REDISMODULE_NOTIFY_SET, " sadd srem spop sinterstore sunionstore sdiffstore "},
    {REDISMODULE_NOTIFY_HASH, " hset hincrby hincrbyfloat hdel hexpire hpersist hexpired "},
    {REDISMODULE_NOTIFY_ZSET, " zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zdiffstore zinterstore "
                              "zunionstore zrangestore zpopmin zpopmax geosearchstore "},
    {REDISMODULE_NOTIFY_STREAM, " xadd xdel xtrim xsetid xgroup-create xgroup-createconsumer xgroup-delconsumer "
                                "xgroup-destroy xgroup-setid "},
    {REDISMODULE_NOTIFY_EXPIRED, " expired "},
    {REDISMODULE_NOTIFY_EVICTED, " evicted "},
    {REDISMODULE_NOTIFY_KEY_MISS, " keymiss "},
    {REDISMODULE_NOTIFY_NEW, " new "},
    {REDISMODULE_NOTIFY_OVERWRITTEN, " overwritten "},
    {REDISMODULE_NOTIFY_TYPE_CHANGED, " type_changed "},
};
enum { CLASS_COUNT = sizeof(classes) / sizeof(classes[0]) };

static int class_of(const char *event) {
    char wanted[64];
    size_t length = strlen(event);
    if (length > sizeof(wanted) - 3) return 0;
    wanted[0] = ' ';
    memcpy(wanted + 1, event, length);
    strcpy(wanted + 1 + length, " ");
    for (int i = 0; i < CLASS_COUNT; i++) {
        if (strstr(classes[i].events, wanted)) return classes[i].class;
    }
    return 0;
}

const char *events_problem(const char *event) {
    int class = class_of(event);
    if (!class || (RedisModule_GetKeyspaceNotificationFlagsAll() & class)) return NULL;
    return "is never told: this server has no such event";
}

static void subscribe_class(int class) {
    if (subscribed_classes & class) return;
    subscribed_classes |= class;
    RedisModule_SubscribeToKeyspaceEvents(module_context, class, on_key_event);
}

/* The classes that hold the wanted events; an event that is not in the list may be in any of them. */
void events_subscribe(const Subscription *s) {
    /* A value that is gone is told with the event that takes it away, whatever the subscription asks for: else it would
     * be told with the next one of that key. */
    bool all = s->event_count == 0 || (s->flags & SUBSCRIBE_OLD_VALUE);
    for (int i = 0; i < s->event_count; i++) {
        if (strcmp(s->events[i], EVENT_KEY_HIT) == 0) continue; /* the server does not tell it */
        int class = class_of(s->events[i]);
        if (class)
            subscribe_class(class);
        else
            all = true;
    }
    if (all) {
        for (int i = 0; i < CLASS_COUNT; i++) {
            if (!(classes[i].class & ONLY_WHEN_NAMED)) subscribe_class(classes[i].class);
        }
        subscribe_class(REDISMODULE_NOTIFY_MODULE);
    }
    if ((s->flags & SUBSCRIBE_OLD_VALUE) && !old_values_wanted && RedisModule_GetKeyNameFromModuleKey) {
        old_values_wanted =
            RedisModule_SubscribeToServerEvent(module_context, RedisModuleEvent_Key, on_key_gone) == REDISMODULE_OK;
    }
}
