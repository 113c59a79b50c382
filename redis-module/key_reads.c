#include "key_reads.h"

#include <string.h>

#include "cluster.h"
#include "command_keys.h"
#include "events.h"
#include "filter.h"
#include "hooks.h"
#include "module.h"
#include "subscription.h"

static bool wanted, changed;

/* Whether CLIENT is called so. */
static bool clients_can_be_listed(void) {
    int count;
    const Facts *facts = facts_list(&count);
    for (int i = 0; i < count; i++) {
        if (strcmp(facts[i].name, "client") == 0 && strcmp(facts[i].called, "client") == 0) return true;
    }
    return false;
}

const char *key_reads_problem(void) {
    if (!hooks_problem()) {
        return clients_can_be_listed() ? NULL : "is never told: it needs the server's CLIENT, which is renamed";
    }
    if (!RedisModule_CommandFilterGetClientId) return "is never told: it needs Redis 7.2, Valkey 7.2 or newer";
    return "is never told: it needs the server's COMMAND, which is renamed, or the names _ferrite.*";
}

bool key_reads_wanted(void) {
    return wanted;
}

void key_reads_wanted_changed(void) {
    changed = true;
}

void key_reads_before_sleep(void) {
    if (!changed) return;
    changed = false;
    wanted = !key_reads_problem() && subscriptions_want(SUBSCRIPTION_KEYS, EVENT_KEY_HIT);
    filter_set(FILTER_FOR_READS, wanted);
}

/* ===== Which commands ===== */

/* Of a module's command nobody knows what it reads; a script reads by commands of its own. */
bool key_reads_of(const Facts *facts) {
    return (facts->flags & FACT_READONLY) && !(facts->flags & (FACT_MODULE | FACT_RUNS_OTHERS));
}

static bool key_is_wanted(const void *context, RedisModuleString *key) {
    (void)context;
    size_t length;
    const char *text = RedisModule_StringPtrLen(key, &length);
    return events_want_hit(text, length);
}

bool key_reads_match(const Facts *facts, RedisModuleString **argv, int argc) {
    return facts_arity_fits(facts, argc) && command_keys_any(facts, argv, argc, key_is_wanted, NULL);
}

/* ===== Looking ===== */

/* Keys of several slots are not even tried: on Valkey 9 such a call makes the next one fail, too. */
static bool is_across_slots(RedisModuleString **argv, int argc) {
    Arguments arguments = {.values = argv, .count = argc};
    return cluster_slot_of_keys(module_context, &arguments) == SEVERAL_SLOTS;
}

/* Where a key can be here that the client is sent elsewhere for (a slot on its way), or gets an error for (a replica
 * that has lost its primary), the server says what it would answer. */
static bool would_be_refused(RedisModuleString **argv, int argc) {
    bool is_replica = RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_SLAVE;
    if (!cluster_enabled() && !is_replica) return false;
    if (cluster_enabled() && is_across_slots(argv, argc)) return true;
    const char *name = RedisModule_StringPtrLen(argv[0], NULL);
    RedisModuleCallReply *reply = RedisModule_Call(module_context, name, "vDES", argv + 1, (size_t)argc - 1);
    bool refused = reply && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ERROR;
    if (reply) RedisModule_FreeCallReply(reply); /* on Valkey 9 there always is one */
    return refused;
}

static bool tell_if_there(const void *context, RedisModuleString *key) {
    const int *db = context;
    size_t length;
    const char *text = RedisModule_StringPtrLen(key, &length);
    if (!events_want_hit(text, length)) return false;
    RedisModuleKey *found = RedisModule_OpenKey(module_context, key, REDISMODULE_READ | REDISMODULE_OPEN_KEY_NOEFFECTS);
    if (!found) return false;
    RedisModule_CloseKey(found);
    events_tell_hit(*db, text, length);
    return false;
}

void key_reads_tell(const Facts *facts, RedisModuleString **argv, int argc, int db) {
    int before = RedisModule_GetSelectedDb(module_context);
    RedisModule_SelectDb(module_context, db);
    if (!would_be_refused(argv, argc)) command_keys_any(facts, argv, argc, tell_if_there, &db);
    RedisModule_SelectDb(module_context, before);
}

void key_reads_have_run(const Arguments *arguments, int db) {
    if (!wanted) return;
    RedisModuleString **argv = arguments->values;
    const Facts *facts = facts_of(argv[0], arguments->count > 1 ? argv[1] : NULL);
    if (facts && key_reads_of(facts) && key_reads_match(facts, argv, arguments->count))
        key_reads_tell(facts, argv, arguments->count, db);
}
