#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cluster.h"
#include "denial.h"
#include "memory.h"
#include "module.h"

/* ===== Arguments ===== */

void arguments_make(Arguments *arguments, int room) {
    arguments->count = 0;
    arguments->values = arguments->few;
    if (room > ARGUMENTS_FEW) arguments->values = memory_alloc((size_t)room * sizeof(RedisModuleString *));
}

bool arguments_read(Reader *reader, Arguments *arguments) {
    uint32_t count = reader_count(reader, 4);
    arguments_make(arguments, (int)count);
    for (uint32_t i = 0; i < count; i++) {
        Slice slice = reader_string(reader);
        if (reader->failed) break;
        const char *text = (const char *)slice.bytes;
        arguments->values[arguments->count++] =
            i == 0 ? call_name(text, slice.length) : RedisModule_CreateString(NULL, text, slice.length);
    }
    if (count > 0 && !reader->failed) return true;
    arguments_free(arguments);
    return false;
}

void arguments_free(Arguments *arguments) {
    for (int i = 0; i < arguments->count; i++) RedisModule_FreeString(NULL, arguments->values[i]);
    if (arguments->values != arguments->few) memory_free(arguments->values);
    arguments->values = NULL;
    arguments->count = 0;
}

void arguments_hold(Arguments *arguments, RedisModuleString **argv, int argc) {
    arguments_make(arguments, argc);
    for (int i = 0; i < argc; i++) {
        RedisModule_RetainString(NULL, argv[i]);
        arguments->values[arguments->count++] = argv[i];
    }
}

void arguments_move(Arguments *to, Arguments *from) {
    arguments_free(to);
    *to = *from;
    if (from->values == from->few) to->values = to->few;
    from->values = NULL;
    from->count = 0;
}

/* ===== What is known of the server's commands ===== */

enum {
    INNER_KNOWN = 1,
    INNER_WRITES = 2,    /* write or may_replicate */
    INNER_CONTAINER = 4, /* has subcommands */
    INNER_NO_SCRIPT = 8,
    INNER_DENY_OOM = 16,
    INNER_IS_REFUSED = 32, /* on the lists below */
    INNER_IS_ALLOWED = 64,
    INNER_ARITY = 65536, /* times the arity, which can be negative */
};
enum { INNER_NAME_MAX = 160 };

static RedisModuleDict *inner_commands; /* "config|get" -> INNER_* bits as a pointer */

static bool arity_fits(intptr_t bits, int count) {
    int arity = (int)(bits >> 16);
    return arity >= 0 ? count == arity : count >= -arity;
}

/* Names called lately, as they were written: most calls find theirs here and need neither the dictionary nor a string
 * of their own. A name that maps to the place of another takes it. */
enum { CACHED_NAMES = 64, CACHED_NAME_MAX = 24 };
static struct CachedName {
    RedisModuleString *string; /* NULL: nothing is here */
    intptr_t bits;             /* 0: not known yet */
    size_t length;
    char text[CACHED_NAME_MAX];
} cached_names[CACHED_NAMES];

static struct CachedName *cache_place(const char *text, size_t length) {
    uint32_t hash = (uint32_t)length;
    for (size_t i = 0; i < length; i++) hash = hash * 31 + (unsigned char)text[i];
    return &cached_names[hash % CACHED_NAMES];
}

/* NULL when it is not there. */
static struct CachedName *cached_name(const char *text, size_t length) {
    if (length > CACHED_NAME_MAX) return NULL;
    struct CachedName *place = cache_place(text, length);
    return place->string && place->length == length && memcmp(place->text, text, length) == 0 ? place : NULL;
}

RedisModuleString *call_name(const char *text, size_t length) {
    struct CachedName *cached = cached_name(text, length);
    if (!cached) {
        RedisModuleString *string = RedisModule_CreateString(NULL, text, length);
        if (length > CACHED_NAME_MAX) return string;
        cached = cache_place(text, length);
        if (cached->string) RedisModule_FreeString(NULL, cached->string);
        *cached = (struct CachedName){.string = string, .length = length};
        memcpy(cached->text, text, length);
    }
    RedisModule_RetainString(NULL, cached->string);
    return cached->string;
}

void call_commands_changed(void) {
    if (inner_commands) RedisModule_FreeDict(NULL, inner_commands);
    inner_commands = NULL;
    for (int i = 0; i < CACHED_NAMES; i++) {
        if (cached_names[i].string) RedisModule_FreeString(NULL, cached_names[i].string);
        cached_names[i].string = NULL;
    }
}

static intptr_t flags_of_reply(RedisModuleCallReply *info) {
    intptr_t bits = INNER_KNOWN;
    RedisModuleCallReply *arity = RedisModule_CallReplyArrayElement(info, 1);
    if (arity) bits += (intptr_t)RedisModule_CallReplyInteger(arity) * INNER_ARITY;
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

static intptr_t class_of_name(const char *name);

/* Unknown commands are not remembered, so that a client's inventions cannot fill the memory. */
static intptr_t inner_flags(RedisModuleCtx *ctx, const char *name) {
    if (!inner_commands) inner_commands = RedisModule_CreateDict(NULL);
    int missing;
    size_t length = strlen(name);
    void *known = RedisModule_DictGetC(inner_commands, (void *)name, length, &missing);
    if (!missing) return (intptr_t)known;
    intptr_t bits = ask_command_info(ctx, name);
    if (!bits) return 0;
    bits |= class_of_name(name);
    RedisModule_DictSetC(inner_commands, (void *)name, length, (void *)bits);
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
    size_t written_length;
    const char *written = RedisModule_StringPtrLen(arguments->values[0], &written_length);
    struct CachedName *cached = cached_name(written, written_length);
    size_t length = append_lower(name, 0, arguments->values[0]);
    intptr_t bits = cached && cached->bits ? cached->bits : inner_flags(ctx, name);
    if (cached) cached->bits = bits;
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
static intptr_t class_of_name(const char *name) {
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
                                          "wait", /* these two crash Valkey 8 in scripts */
                                          "waitaof",
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
                                          "ferrite.emit", /* ctx.emit counts the events that lead to each other */
                                          NULL};
    static const char *const allowed[] = {"eval",        "eval_ro",       "evalsha",     "evalsha_ro",    "fcall",
                                          "fcall_ro",    "script|exists", "script|load", "function|list", "client|id",
                                          "client|info", "client|list",   "config|get",  "acl|whoami",    "acl|list",
                                          "acl|getuser", "acl|cat",       "acl|users",   "acl|dryrun",    NULL};
    static const char *const of_nodes[] = {"cluster|slots",    "cluster|shards", "cluster|nodes",
                                           "cluster|replicas", "cluster|slaves", NULL};
    if (is_listed(name, refused) || strncmp(name, "_ferrite.", 9) == 0) return INNER_IS_REFUSED;
    if (cluster_crashes_when_asked() && is_listed(name, of_nodes)) return INNER_IS_REFUSED;
    return is_listed(name, allowed) ? INNER_IS_ALLOWED : 0;
}

static InnerClass classify(intptr_t bits, int mode) {
    if (bits & INNER_IS_REFUSED) return INNER_REFUSED;
    bool allowed = (bits & INNER_IS_ALLOWED) && (bits & INNER_NO_SCRIPT) && !(mode & CALL_MODE_IN_SCRIPT);
    return allowed ? INNER_ALLOWED : INNER_AS_IN_SCRIPTS;
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

/* With too few words the check reads behind them, for the number of keys: such a call is refused for that anyway. */
static bool is_forbidden(intptr_t bits, const Arguments *arguments, int mode) {
    return (mode & CALL_MODE_AS_USER) && standing_in_for && refuses_badly() && arity_fits(bits, arguments->count) &&
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
    size_t length;
    const char *text = RedisModule_StringPtrLen(arguments->values[0], &length);
    if (memchr(text, '\0', length)) return refuse(error, "ERR unknown command '%.128s', followed by a NUL byte", text);
    intptr_t bits = identify(ctx, arguments, name);
    InnerClass class = classify(bits ? bits : class_of_name(name), mode);
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
    /* A write during CLIENT PAUSE or a failover aborts the server when it propagates. Nothing is known of any command
     * where COMMAND was renamed. */
    if (may_write && RedisModule_AvoidReplicaTraffic()) {
        return refuse(error, "TRYAGAIN the server is paused or failing over, '%s' was not run", name);
    }
    if ((bits & INNER_DENY_OOM) && (mode & CALL_MODE_UNATTENDED) && RedisModule_GetUsedMemoryRatio() > 1.0f) {
        return refuse(error, "OOM '%s' not allowed when used memory > 'maxmemory'.", name);
    }
    static const char *const forbidden = "NOPERM this user has no permissions to run '%s' with these arguments";
    if (bits && is_forbidden(bits, arguments, mode)) {
        denial_log(ctx, standing_in_for, name, arguments->values, arguments->count);
        return refuse(error, forbidden, name);
    }
    if (cluster_refuses_slots(ctx, arguments, error)) return NULL;
    errno = 0;
    RedisModuleCommandFilter *guard = class == INNER_ALLOWED ? cluster_guard_script(ctx) : NULL;
    RedisModuleCallReply *reply =
        RedisModule_Call(ctx, text, call_format(class, mode), arguments->values + 1, (size_t)arguments->count - 1);
    int reason = errno;
    cluster_unguard_script(ctx, guard);
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
