#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cluster.h"
#include "memory.h"
#include "module.h"

/* ===== Arguments ===== */

bool arguments_read(Reader *reader, Arguments *arguments) {
    uint32_t count = reader_count(reader, 4);
    *arguments = (Arguments){0};
    if (count == 0) return false;
    arguments->values = memory_alloc(count * sizeof(RedisModuleString *));
    for (uint32_t i = 0; i < count; i++) {
        Slice slice = reader_string(reader);
        if (reader->failed) {
            arguments_free(arguments);
            return false;
        }
        arguments->values[arguments->count++] = RedisModule_CreateString(NULL, (const char *)slice.bytes, slice.length);
    }
    return true;
}

void arguments_free(Arguments *arguments) {
    for (int i = 0; i < arguments->count; i++) RedisModule_FreeString(NULL, arguments->values[i]);
    memory_free(arguments->values);
    *arguments = (Arguments){0};
}

/* ===== What is known of the server's commands ===== */

enum {
    INNER_KNOWN = 1,
    INNER_WRITES = 2,    /* write or may_replicate */
    INNER_CONTAINER = 4, /* has subcommands */
    INNER_NO_SCRIPT = 8,
    INNER_DENY_OOM = 16,
};
enum { INNER_NAME_MAX = 160 };

static RedisModuleDict *inner_commands; /* "config|get" -> INNER_* bits as a pointer */

void call_commands_changed(void) {
    if (inner_commands) RedisModule_FreeDict(NULL, inner_commands);
    inner_commands = NULL;
}

static intptr_t flags_of_reply(RedisModuleCallReply *info) {
    intptr_t bits = INNER_KNOWN;
    RedisModuleCallReply *flags = RedisModule_CallReplyArrayElement(info, 2);
    for (size_t i = 0; flags && i < RedisModule_CallReplyLength(flags); i++) {
        size_t length;
        const char *flag = RedisModule_CallReplyStringPtr(RedisModule_CallReplyArrayElement(flags, i), &length);
        if (!flag) continue;
        if (length == 5 && !memcmp(flag, "write", 5)) bits |= INNER_WRITES;
        if (length == 13 && !memcmp(flag, "may_replicate", 13)) bits |= INNER_WRITES;
        if (length == 8 && !memcmp(flag, "noscript", 8)) bits |= INNER_NO_SCRIPT;
        if (length == 7 && !memcmp(flag, "denyoom", 7)) bits |= INNER_DENY_OOM;
    }
    RedisModuleCallReply *subcommands = RedisModule_CallReplyArrayElement(info, 9);
    if (subcommands && RedisModule_CallReplyLength(subcommands) > 0) bits |= INNER_CONTAINER;
    return bits;
}

static intptr_t ask_command_info(RedisModuleCtx *ctx, const char *name) {
    RedisModuleCallReply *reply = RedisModule_Call(ctx, "COMMAND", "ccE", "INFO", name);
    if (!reply) return 0;
    RedisModuleCallReply *info = NULL;
    if (RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ARRAY) info = RedisModule_CallReplyArrayElement(reply, 0);
    bool found = info && RedisModule_CallReplyType(info) == REDISMODULE_REPLY_ARRAY;
    intptr_t bits = found ? flags_of_reply(info) : 0;
    RedisModule_FreeCallReply(reply);
    return bits;
}

/* Unknown commands are not remembered, so that a client's inventions cannot fill the memory. */
static intptr_t inner_flags(RedisModuleCtx *ctx, const char *name) {
    if (!inner_commands) inner_commands = RedisModule_CreateDict(NULL);
    int missing;
    size_t length = strlen(name);
    void *known = RedisModule_DictGetC(inner_commands, (void *)name, length, &missing);
    if (!missing) return (intptr_t)known;
    intptr_t bits = ask_command_info(ctx, name);
    if (bits) RedisModule_DictSetC(inner_commands, (void *)name, length, (void *)bits);
    return bits;
}

static size_t append_lower(char *name, size_t at, RedisModuleString *word) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(word, &length);
    for (size_t i = 0; i < length && at < INNER_NAME_MAX - 1; i++) {
        char c = text[i];
        name[at++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    name[at] = '\0';
    return at;
}

/* Writes "name" or "name|subcommand" and returns what is known of it. */
static intptr_t identify(RedisModuleCtx *ctx, const Arguments *arguments, char name[INNER_NAME_MAX]) {
    size_t length = append_lower(name, 0, arguments->values[0]);
    intptr_t bits = inner_flags(ctx, name);
    if (!(bits & INNER_CONTAINER) || arguments->count < 2 || length >= INNER_NAME_MAX - 2) return bits;
    name[length++] = '|';
    append_lower(name, length, arguments->values[1]);
    return inner_flags(ctx, name);
}

bool call_may_write(RedisModuleCtx *ctx, const Arguments *arguments) {
    char name[INNER_NAME_MAX];
    intptr_t bits = identify(ctx, arguments, name);
    return !bits || (bits & INNER_WRITES);
}

/* ===== Classes ===== */

typedef enum InnerClass { INNER_AS_IN_SCRIPTS, INNER_ALLOWED, INNER_REFUSED } InnerClass;

static bool is_listed(const char *name, const char *const *list) {
    for (; *list; list++) {
        size_t length = strlen(*list);
        if ((*list)[length - 1] == '|' ? strncmp(name, *list, length) == 0 : strcmp(name, *list) == 0) return true;
    }
    return false;
}

/* `refused` take the server or its replication down when a module calls them, or act on the caller's connection.
 * `allowed` are noscript, yet safe: they read, or run scripts, which check replica, disk and min-replicas themselves.
 * All else runs as it would in a script (RM_Call's S), which refuses what is noscript. */
static InnerClass classify(const char *name, intptr_t bits, int mode) {
    static const char *const refused[] = {"sync",
                                          "psync",
                                          "replicaof",
                                          "slaveof",
                                          "replconf",
                                          "failover",
                                          "shutdown",
                                          "debug",
                                          "module|",
                                          "module",
                                          "client|kill",
                                          "client|pause",
                                          "client|reply",
                                          "cluster|reset",
                                          "cluster|replicate",
                                          "cluster|failover",
                                          "multi",
                                          "exec",
                                          "discard",
                                          "watch",
                                          "subscribe",
                                          "psubscribe",
                                          "ssubscribe",
                                          "monitor",
                                          "pfdebug",
                                          "restore-asking",
                                          "select",
                                          "quit",
                                          "reset",
                                          "debug|",
                                          NULL};
    static const char *const allowed[] = {"eval",        "eval_ro",       "evalsha",     "evalsha_ro",    "fcall",
                                          "fcall_ro",    "script|exists", "script|load", "function|list", "client|id",
                                          "client|info", "client|list",   "config|get",  "acl|whoami",    "acl|list",
                                          "acl|getuser", "acl|cat",       "acl|users",   "acl|dryrun",    NULL};
    if (is_listed(name, refused)) return INNER_REFUSED;
    if ((bits & INNER_NO_SCRIPT) && !(mode & CALL_MODE_IN_SCRIPT) && is_listed(name, allowed)) return INNER_ALLOWED;
    return INNER_AS_IN_SCRIPTS;
}

static const char *call_format(InnerClass class, int mode) {
    static char format[16];
    char *p = format;
    *p++ = 'v';
    *p++ = '!';
    *p++ = 'E'; /* also a must with S: Valkey 9.1 crashes on S without E for a noscript command */
    *p++ = 'M';
    if (class == INNER_AS_IN_SCRIPTS) *p++ = 'S';
    if (mode & CALL_MODE_AS_USER) *p++ = 'C';
    if (mode & CALL_MODE_READ_ONLY) *p++ = 'W';
    if (mode & CALL_MODE_RESP3) *p++ = '3';
    *p = '\0';
    return format;
}

/* ===== On whose behalf ===== */

static RedisModuleUser *standing_in_for;

void call_as(RedisModuleCtx *ctx, RedisModuleUser *user) {
    RedisModule_SetContextUser(ctx, user);
    standing_in_for = user;
}

/* Redis 7.0 crashes when it refuses a call of a context that has no client (it logs the client's user), and gives the
 * refusal another code than its commands do. */
static bool refuses_badly(void) {
    return !RedisModule_BlockClientSetPrivateData; /* new in 7.2 */
}

static bool is_forbidden(const Arguments *arguments, int mode) {
    return (mode & CALL_MODE_AS_USER) && standing_in_for && refuses_badly() &&
           RedisModule_ACLCheckCommandPermissions(standing_in_for, arguments->values, arguments->count) !=
               REDISMODULE_OK;
}

/* ===== Running ===== */

static RedisModuleCallReply *refuse(char *error, const char *format, const char *name) {
    snprintf(error, CALL_ERROR_SIZE, format, name);
    return NULL;
}

RedisModuleCallReply *call_run(RedisModuleCtx *ctx, const Arguments *arguments, int mode, char *error) {
    char name[INNER_NAME_MAX];
    intptr_t bits = identify(ctx, arguments, name);
    InnerClass class = classify(name, bits, mode);
    if (class == INNER_REFUSED) return refuse(error, "ERR plugins may not call '%s'", name);
    bool may_write = !bits || (bits & INNER_WRITES);
    if (may_write && (mode & CALL_MODE_READ_ONLY) && bits) {
        return refuse(error,
                      mode & CALL_MODE_NESTED
                          ? "ERR '%s' may write, but only reads are possible here: in transactions and scripts a "
                            "plugin writes with ctx.commit"
                          : "ERR '%s' may write, but this plugin command is declared as read-only",
                      name);
    }
    /* A write during CLIENT PAUSE or a failover aborts the server when it propagates. */
    if (may_write && bits && RedisModule_AvoidReplicaTraffic()) {
        return refuse(error, "TRYAGAIN the server is paused or failing over, '%s' was not run", name);
    }
    if ((bits & INNER_DENY_OOM) && (mode & CALL_MODE_UNATTENDED) && RedisModule_GetUsedMemoryRatio() > 1.0f) {
        return refuse(error, "OOM '%s' not allowed when used memory > 'maxmemory'.", name);
    }
    static const char *const forbidden = "NOPERM this user has no permissions to run '%s' with these arguments";
    if (bits && is_forbidden(arguments, mode)) return refuse(error, forbidden, name);
    errno = 0;
    RedisModuleCallReply *reply =
        RedisModule_Call(ctx, RedisModule_StringPtrLen(arguments->values[0], NULL), call_format(class, mode),
                         arguments->values + 1, (size_t)arguments->count - 1);
    int reason = errno;
    if (reply && reason == EPERM && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ERROR &&
        cluster_redirect(ctx, arguments, error)) {
        RedisModule_FreeCallReply(reply);
        return NULL;
    }
    if (reply && reason == EACCES && refuses_badly()) {
        RedisModule_FreeCallReply(reply);
        return refuse(error, forbidden, name);
    }
    if (!reply) snprintf(error, CALL_ERROR_SIZE, "ERR '%s' was not run: %s", name, strerror(reason));
    return reply;
}
