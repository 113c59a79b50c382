#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call.h"
#include "command_keys.h"
#include "module.h"
#include "wrapper.h"

bool cluster_enabled(void) {
    return RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_CLUSTER;
}

/* Valkey 8 looks at the address of the client that asks for nodes, and RM_Call's has none. */
bool cluster_crashes_when_asked(void) {
    return strcmp(server_product, "valkey") == 0;
}

int cluster_slot_of_keys(RedisModuleCtx *ctx, const Arguments *arguments) {
    int count = 0, slot = NO_KEYS, *flags = NULL;
    int *positions = command_keys_find(ctx, arguments->values, arguments->count, &count, &flags);
    for (int i = 0; positions && i < count && slot != SEVERAL_SLOTS; i++) {
        size_t length;
        const char *key = RedisModule_StringPtrLen(arguments->values[positions[i]], &length);
        int its = (int)cluster_slot(key, length);
        slot = slot == NO_KEYS || slot == its ? its : SEVERAL_SLOTS;
    }
    RedisModule_Free(positions);
    RedisModule_Free(flags);
    return slot;
}

static const char across_slots[] = "CROSSSLOT Keys in request don't hash to the same slot";

/* What is learnt of a call's slots stays with the client that the server lends to calls. */
static bool calls_remember_slots(void) {
    return strcmp(server_product, "valkey") == 0 && atoi(server_version) >= 9;
}

bool cluster_refuses_slots(RedisModuleCtx *ctx, const Arguments *arguments, char *error) {
    if (!calls_remember_slots() || !cluster_enabled()) return false;
    if (cluster_slot_of_keys(ctx, arguments) != SEVERAL_SLOTS) return false;
    snprintf(error, CALL_ERROR_SIZE, "%s", across_slots);
    return true;
}

static long long integer_at(RedisModuleCallReply *array, size_t i) {
    RedisModuleCallReply *element = RedisModule_CallReplyArrayElement(array, i);
    return element ? RedisModule_CallReplyInteger(element) : -1;
}

static bool is_this_node(RedisModuleCallReply *node) {
    const char *mine = RedisModule_GetMyClusterID();
    size_t length = 0;
    const char *id = RedisModule_CallReplyStringPtr(RedisModule_CallReplyArrayElement(node, 2), &length);
    return mine && id && length == REDISMODULE_NODE_ID_LEN && memcmp(mine, id, length) == 0;
}

/* CLUSTER SLOTS: a list of [first, last, [host, port, id, ...], ...]. Nothing is written when the owner is this node:
 * the slot is on its way then, and some of the keys are not here. */
static void find_owner(RedisModuleCallReply *slots, int slot, char *error) {
    for (size_t i = 0; i < RedisModule_CallReplyLength(slots); i++) {
        RedisModuleCallReply *range = RedisModule_CallReplyArrayElement(slots, i);
        if (integer_at(range, 0) > slot || integer_at(range, 1) < slot) continue;
        RedisModuleCallReply *node = RedisModule_CallReplyArrayElement(range, 2);
        if (is_this_node(node)) return;
        size_t length = 0;
        const char *host = RedisModule_CallReplyStringPtr(RedisModule_CallReplyArrayElement(node, 0), &length);
        snprintf(error, CALL_ERROR_SIZE, "MOVED %d %.*s:%lld", slot, (int)length, host ? host : "",
                 integer_at(node, 1));
        return;
    }
}

/* True if the slot is on its way to this node. CLUSTER NODES says so in this node's own line, as [slot-<-node]. */
static bool is_coming(RedisModuleCtx *ctx, int slot) {
    char mark[24];
    size_t length = 0;
    int size = snprintf(mark, sizeof(mark), "[%d-<-", slot);
    RedisModuleCallReply *nodes = RedisModule_Call(ctx, "CLUSTER", "cE", "NODES");
    const char *text = nodes ? RedisModule_CallReplyStringPtr(nodes, &length) : NULL;
    bool coming = text && memmem(text, length, mark, (size_t)size);
    if (nodes) RedisModule_FreeCallReply(nodes);
    return coming;
}

bool cluster_redirect(RedisModuleCtx *ctx, const Arguments *arguments, char *error) {
    int slot = cluster_slot_of_keys(ctx, arguments);
    if (slot == NO_KEYS) return false;
    if (slot == SEVERAL_SLOTS) {
        snprintf(error, CALL_ERROR_SIZE, "%s", across_slots);
        return true;
    }
    snprintf(error, CALL_ERROR_SIZE, "TRYAGAIN slot %d is being moved, or another node serves it", slot);
    if (cluster_crashes_when_asked() || is_coming(ctx, slot))
        return true; /* its owner would only send them here again */
    RedisModuleCallReply *slots = RedisModule_Call(ctx, "CLUSTER", "cE", "SLOTS");
    if (slots && RedisModule_CallReplyType(slots) == REDISMODULE_REPLY_ARRAY) find_owner(slots, slot, error);
    if (slots) RedisModule_FreeCallReply(slots);
    return true;
}

/* ===== Scripts ===== */

static bool is_word(RedisModuleCommandFilterCtx *ctx, int at, const char *word) {
    const RedisModuleString *given = RedisModule_CommandFilterArgGet(ctx, at);
    return given && strcasecmp(RedisModule_StringPtrLen(given, NULL), word) == 0;
}

/* A filter cannot refuse: it makes another command of it, which replies the error. */
static void refuse_slots(RedisModuleCommandFilterCtx *ctx) {
    static const char error[] =
        "-ERR CLUSTER SLOTS cannot run in a script of a plugin, this server would crash: use CLUSTER SHARDS\r\n";
    if (!is_word(ctx, 0, "cluster") || !is_word(ctx, 1, "slots")) return;
    RedisModuleString *name = wrapper_answer_name(false);
    if (name)
        RedisModule_RetainString(NULL, name);
    else
        name = RedisModule_CreateString(NULL, "_ferrite.answer", 15); /* it is not there, which is an error, too */
    RedisModule_CommandFilterArgReplace(ctx, 0, name);
    RedisModule_CommandFilterArgReplace(ctx, 1, RedisModule_CreateString(NULL, error, sizeof(error) - 1));
}

RedisModuleCommandFilter *cluster_guard_script(RedisModuleCtx *ctx) {
    return cluster_crashes_when_asked() ? RedisModule_RegisterCommandFilter(ctx, refuse_slots, 0) : NULL;
}

void cluster_unguard_script(RedisModuleCtx *ctx, RedisModuleCommandFilter *guard) {
    if (guard) RedisModule_UnregisterCommandFilter(ctx, guard);
}
