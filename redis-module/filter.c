#include "filter.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "facts.h"
#include "hooks.h"
#include "memory.h"
#include "module.h"
#include "plugins.h"
#include "wrapper.h"

static RedisModuleCommandFilter *filter;

enum { FEW_WORDS = 16 };

/* What the filter knows of the command that it sees. */
typedef struct Seen {
    RedisModuleCommandFilterCtx *ctx;
    const Facts *facts;
    RedisModuleString **argv;
    int argc;

    uint64_t client_id;
    bool is_client; /* else a script's or another module's */
    bool in_multi;
    bool logged_in; /* known for certain */
    bool can_block;
    RedisModuleString *user; /* NULL: not known */
    int db, resp;

    RedisModuleString *few[FEW_WORDS];
} Seen;

/* ===== Who ===== */

/* Scripts have a client of their own, which nothing is known of: they act for the client whose command came last. */
static struct {
    uint64_t id;
    int db;
} last_client;

/* Whether everybody is logged in as `default`. It is looked at once a loop: who came while it was so is logged in, and
 * nobody who came later is read in the same loop. */
static enum { NOT_KNOWN, FOR_ALL, WITH_PASSWORD } default_user;

void filter_before_sleep(void) {
    default_user = NOT_KNOWN;
}

static bool has_rule(const char *rules, const char *rule) {
    size_t length = strlen(rule);
    for (const char *at = rules; (at = strstr(at, rule)); at++) {
        if ((at == rules || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) return true;
    }
    return false;
}

static bool default_is_for_all(void) {
    if (default_user != NOT_KNOWN) return default_user == FOR_ALL;
    RedisModuleString *name = RedisModule_CreateString(NULL, "default", 7);
    RedisModuleUser *user = RedisModule_GetModuleUserFromUserName(name);
    RedisModuleString *rules = user ? RedisModule_GetModuleUserACLString(user) : NULL;
    const char *text = rules ? RedisModule_StringPtrLen(rules, NULL) : "";
    default_user = has_rule(text, "on") && has_rule(text, "nopass") ? FOR_ALL : WITH_PASSWORD;
    if (rules) RedisModule_FreeString(NULL, rules);
    if (user) RedisModule_FreeModuleUser(user);
    RedisModule_FreeString(NULL, name);
    return default_user == FOR_ALL;
}

static bool is_default(RedisModuleString *user) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(user, &length);
    return length == 7 && memcmp(text, "default", 7) == 0;
}

/* False for what is not hooked: the stream of our primary. */
static bool learn_client(Seen *seen, const RedisModuleClientInfoV1 *info) {
    const uint64_t in_place =
        REDISMODULE_CLIENTINFO_FLAG_MULTI | REDISMODULE_CLIENTINFO_FLAG_TRACKING | REDISMODULE_CLIENTINFO_FLAG_PUBSUB;
    seen->user = RedisModule_GetClientUserNameById(module_context, seen->client_id);
    if (!seen->user) return false;
    seen->is_client = true;
    seen->db = info->db;
    seen->in_multi = info->flags & REDISMODULE_CLIENTINFO_FLAG_MULTI;
    seen->logged_in = (info->flags & in_place) || !is_default(seen->user) || default_is_for_all();
    seen->can_block = !(info->flags & in_place) && seen->facts->wrapper >= 0;
    last_client.id = seen->client_id;
    last_client.db = info->db;
    return true;
}

static bool learn(Seen *seen) {
    RedisModuleClientInfoV1 info = REDISMODULE_CLIENTINFO_INITIALIZER_V1;
    seen->resp = 2;
    seen->client_id = RedisModule_CommandFilterGetClientId(seen->ctx);
    if (RedisModule_GetClientInfoById(&info, seen->client_id) == REDISMODULE_OK) return learn_client(seen, &info);
    seen->logged_in = true;
    if (!(RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_LUA)) return true;
    seen->client_id = last_client.id;
    seen->db = last_client.db;
    seen->user = RedisModule_GetClientUserNameById(module_context, last_client.id);
    return true;
}

static void forget(Seen *seen) {
    if (seen->user) RedisModule_FreeString(NULL, seen->user);
    if (seen->argv != seen->few) memory_free(seen->argv);
}

/* What the user may not do the server refuses as ever, and no hook hears of it. */
static bool may_run(const Seen *seen) {
    if (!seen->is_client) return true;
    RedisModuleUser *user = RedisModule_GetModuleUserFromUserName(seen->user);
    bool may = user && RedisModule_ACLCheckCommandPermissions(user, seen->argv, seen->argc) == REDISMODULE_OK;
    if (user) RedisModule_FreeModuleUser(user);
    return may;
}

/* ===== Changing the words ===== */

static void take_words(Seen *seen) {
    seen->argv = seen->few;
    if (seen->argc > FEW_WORDS) seen->argv = memory_alloc(sizeof(*seen->argv) * (size_t)seen->argc);
    for (int i = 0; i < seen->argc; i++) {
        seen->argv[i] = (RedisModuleString *)RedisModule_CommandFilterArgGet(seen->ctx, i);
    }
}

static RedisModuleString *own(RedisModuleString *word) {
    RedisModule_RetainString(NULL, word);
    return word;
}

/* Takes over the references. */
static void put_words(const Seen *seen, RedisModuleString **words, int count) {
    int had = RedisModule_CommandFilterArgsCount(seen->ctx);
    for (int i = 0; i < count; i++) {
        if (i < had)
            RedisModule_CommandFilterArgReplace(seen->ctx, i, words[i]);
        else
            RedisModule_CommandFilterArgInsert(seen->ctx, i, words[i]);
    }
    for (int i = had - 1; i >= count; i--) RedisModule_CommandFilterArgDelete(seen->ctx, i);
}

static void wrap(const Seen *seen) {
    RedisModule_CommandFilterArgInsert(seen->ctx, 0, own(wrapper_secret()));
    RedisModule_CommandFilterArgInsert(seen->ctx, 0, own(wrapper_name(seen->facts->wrapper, !seen->logged_in)));
}

/* The client gets `value`, RESP3, and nothing runs. An error in MULTI is one at once, which ends the transaction: as
 * the name of a command that is not there. */
static void answer(const Seen *seen, const char *value, size_t length) {
    if (seen->in_multi && *value == '-') {
        RedisModuleString *name = RedisModule_CreateStringPrintf(NULL, "(%.*s)", (int)length - 3, value + 1);
        put_words(seen, &name, 1);
        return;
    }
    RedisModuleString *words[] = {own(wrapper_answer_name(!seen->logged_in)),
                                  RedisModule_CreateString(NULL, value, length)};
    put_words(seen, words, 2);
}

static void answer_error(const Seen *seen, const char *code_and_text) {
    char line[CALL_ERROR_SIZE * 2 + 8];
    int length = snprintf(line, sizeof(line), "-%s\r\n", code_and_text);
    answer(seen, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

/* ===== Asking at once ===== */

/* A client that may not have logged in: no plugin hears of it. Fail-closed hooks deny. */
static void deny_stranger(const Seen *seen, Command **hooks, int count) {
    char error[CALL_ERROR_SIZE];
    for (int i = 0; i < count; i++) {
        if (hooks[i]->hook->allow_on_failure) continue;
        hooks[i]->failed++;
        snprintf(error, sizeof(error),
                 "UNAVAILABLE %s cannot be asked: it is not known whether user 'default' has logged in, use a named "
                 "user; the command was not run",
                 hooks[i]->name);
        answer_error(seen, error);
        return;
    }
}

static void apply(const Seen *seen, Request *request) {
    if (request->failure) {
        answer_error(seen, request->failure);
    } else if (request->chain->end == CHAIN_ANSWERS) {
        Reader reader = reader_of(buffer_front(&request->result), buffer_length(&request->result));
        Slice value = reader_string(&reader);
        answer(seen, (const char *)value.bytes, value.length);
    } else if (request->chain->rewritten) {
        Arguments *arguments = &request->arguments;
        for (int i = 0; i < arguments->count; i++) RedisModule_RetainString(NULL, arguments->values[i]);
        put_words(seen, arguments->values, arguments->count);
    }
}

static void ask_now(const Seen *seen, const HookSubject *subject, Command **hooks, int count) {
    if (!seen->logged_in) {
        deny_stranger(seen, hooks, count);
        return;
    }
    ChainCaller caller = {.client_id = seen->client_id, .user = seen->user, .db = seen->db, .resp = seen->resp};
    if (seen->in_multi) caller.invoke_flags |= INVOKE_MULTI;
    if (!seen->is_client) caller.invoke_flags |= INVOKE_SCRIPT;
    Request *request = chain_ask_now(hooks, count, subject, &caller);
    apply(seen, request);
    request_release(request);
}

/* ===== The filter ===== */

static void look_closer(RedisModuleCommandFilterCtx *ctx, const Facts *facts, int argc) {
    int count;
    Seen filled, *seen = &filled;
    memset(seen, 0, offsetof(Seen, few));
    seen->ctx = ctx;
    seen->facts = facts;
    seen->argc = argc;
    take_words(seen);
    HookSubject subject = {.argv = seen->argv, .argc = seen->argc};
    hooks_match(seen->facts, &subject, &count);
    if (count > 0 && learn(seen)) {
        subject.user = seen->user ? RedisModule_StringPtrLen(seen->user, NULL) : "";
        subject.db = seen->db;
        Command **hooks = hooks_match(seen->facts, &subject, &count);
        if (count > 0 && may_run(seen)) {
            if (seen->can_block)
                wrap(seen);
            else
                ask_now(seen, &subject, hooks, count);
        }
    }
    forget(seen);
}

/* For every command of every client: most are none of ours. */
static void on_command(RedisModuleCommandFilterCtx *ctx) {
    const RedisModuleString *name = RedisModule_CommandFilterArgGet(ctx, 0);
    const Facts *facts = name ? facts_of(name, NULL) : NULL;
    if (!facts || !facts->hooks_below) return;
    int argc = RedisModule_CommandFilterArgsCount(ctx);
    if (facts->flags & FACT_CONTAINER) facts = facts_of(name, RedisModule_CommandFilterArgGet(ctx, 1));
    if (facts->hook_count && facts_arity_fits(facts, argc)) look_closer(ctx, facts, argc);
}

void filter_set(bool wanted) {
    if (wanted == (filter != NULL)) return;
    if (wanted) {
        filter = RedisModule_RegisterCommandFilter(module_context, on_command, REDISMODULE_CMDFILTER_NOSELF);
    } else {
        RedisModule_UnregisterCommandFilter(module_context, filter);
        filter = NULL;
    }
}
