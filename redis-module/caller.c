#include "caller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* RM_GetCurrentUserName crashes without a user, so a call is made first that the server takes no further than to look
 * for one (C) and then at the format, which is wrong: it reaches no command, ACL log or filter. */
RedisModuleString *caller_user(RedisModuleCtx *ctx) {
    errno = 0;
    RedisModuleCallReply *reply = RedisModule_Call(ctx, "PING", "C?");
    if (reply) RedisModule_FreeCallReply(reply);
    return errno == ENOTSUP ? NULL : RedisModule_GetCurrentUserName(ctx);
}

/* ===== Tracking ===== */

static enum { NOT_KNOWN, NONE, SOME } other_modules;

void caller_modules_changed(void) {
    other_modules = NOT_KNOWN;
}

/* Of the module: RESP2's [name, <name>, ...]. `lua` is in every Valkey 9. */
static bool is_other_module(RedisModuleCallReply *module) {
    size_t length = 0;
    RedisModuleCallReply *name = RedisModule_CallReplyArrayElement(module, 1);
    const char *text = name ? RedisModule_CallReplyStringPtr(name, &length) : NULL;
    bool ours = text && length >= 7 && memcmp(text, "ferrite", 7) == 0 && (length == 7 || text[7] == ':');
    bool lua = text && length == 3 && memcmp(text, "lua", 3) == 0;
    return !ours && !lua;
}

static bool others_are_loaded(RedisModuleCtx *ctx) {
    if (other_modules != NOT_KNOWN) return other_modules == SOME;
    RedisModuleCallReply *list = RedisModule_Call(ctx, "MODULE", "c", "LIST");
    bool some = !list || RedisModule_CallReplyType(list) != REDISMODULE_REPLY_ARRAY;
    for (size_t i = 0; !some && i < RedisModule_CallReplyLength(list); i++) {
        some = is_other_module(RedisModule_CallReplyArrayElement(list, i));
    }
    if (list) RedisModule_FreeCallReply(list);
    other_modules = some ? SOME : NONE;
    return some;
}

/* Valkey 9 takes the running client for the one of that id, and crashes when it has no connection: when another module
 * has made the call. Only modules make calls of that kind in which a command may block. */
static bool asking_crashes(RedisModuleCtx *ctx) {
    return strcmp(server_product, "valkey") == 0 && atoi(server_version) >= 9 && others_are_loaded(ctx);
}

/* Whether the character stands in a field of the client's line of CLIENT LIST, which has connections only. `field` as
 * in " flags=". Without such a line: `unlisted`. */
static bool is_listed_with(RedisModuleCtx *ctx, uint64_t id, const char *field, char character, bool unlisted) {
    char number[24];
    snprintf(number, sizeof(number), "%" PRIu64, id);
    RedisModuleCallReply *reply = RedisModule_Call(ctx, "CLIENT", "ccc", "LIST", "ID", number);
    size_t length = 0;
    const char *text = reply ? RedisModule_CallReplyStringPtr(reply, &length) : NULL;
    const char *value = text ? memmem(text, length, field, strlen(field)) : NULL;
    bool found = value ? false : unlisted;
    for (value = value ? value + strlen(field) : NULL; value && value < text + length && *value != ' '; value++) {
        if (*value == character) found = true;
    }
    if (reply) RedisModule_FreeCallReply(reply);
    return found;
}

bool caller_is_tracking(RedisModuleCtx *ctx) {
    uint64_t id = RedisModule_GetClientId(ctx);
    if (asking_crashes(ctx)) return is_listed_with(ctx, id, " flags=", 't', false);
    RedisModuleClientInfoV1 info = REDISMODULE_CLIENTINFO_INITIALIZER_V1;
    return RedisModule_GetClientInfoById(&info, id) == REDISMODULE_OK &&
           (info.flags & REDISMODULE_CLIENTINFO_FLAG_TRACKING);
}

/* ===== Protocol ===== */

bool caller_speaks_resp3(uint64_t client_id) {
    return is_listed_with(module_context, client_id, " resp=", '3', false);
}

/* ===== Reads that are to leave no trace ===== */

bool caller_is_no_touch(uint64_t client_id) {
    return is_listed_with(module_context, client_id, " flags=", 'T', true);
}
