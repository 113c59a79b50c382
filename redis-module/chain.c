#include "chain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "after.h"
#include "blocked.h"
#include "breaker.h"
#include "capacity.h"
#include "cluster.h"
#include "deadline.h"
#include "facts.h"
#include "filter.h"
#include "invoke.h"
#include "key_reads.h"
#include "memory.h"
#include "module.h"
#include "pause.h"
#include "plugins.h"
#include "reply.h"
#include "resp.h"
#include "sync.h"
#include "wake.h"

/* ===== Making ===== */

/* Holds references to the user and to argv. */
static Request *make(HookPhase phase, HookList hooks, const CommandCaller *caller, RedisModuleString **argv, int argc) {
    Request *request = request_take();
    Chain *chain = request->chain = memory_zalloc(sizeof(Chain) + sizeof(Command *) * (size_t)hooks.count);
    chain->phase = phase;
    for (int i = 0; i < hooks.count; i++) {
        if (phase == PHASE_BEFORE || after_is_awaited(hooks.hooks[i])) chain->hooks[chain->count++] = hooks.hooks[i];
    }
    arguments_hold(&request->arguments, argv, argc);
    request->client_id = caller->client_id;
    request->user = caller->user;
    if (caller->user) RedisModule_RetainString(NULL, caller->user);
    request->db = caller->db;
    request->resp = caller->resp;
    request->invoke_flags = caller->invoke_flags;
    return request;
}

/* ===== Failures ===== */

/* True when the chain goes on without the hook. */
static bool goes_on_without(Request *request, Command *hook, const char *code_and_text) {
    hook->failed++;
    request_drop_result(request);
    if (!hook->hook || hook->hook->allow_on_failure) {
        request->chain->at++;
        return true;
    }
    char text[CALL_ERROR_SIZE * 2];
    bool has_run = request->chain->phase == PHASE_AFTER;
    snprintf(text, sizeof(text), "%s; the command was %s", code_and_text,
             has_run ? "run, its reply is withheld" : "not run");
    request->failure = memory_copy_string(text, strlen(text));
    request->chain->end = CHAIN_ANSWERS;
    return false;
}

/* False when it cannot be asked now, with "CODE text". */
static bool can_be_asked(const Request *request, Command *hook, char *error) {
    const Arguments *arguments = &request->arguments;
    if (!hook->lane || !hook->route) {
        snprintf(error, CALL_ERROR_SIZE, "UNAVAILABLE %s: %s", hook->name,
                 hook->down_reason ? hook->down_reason : plugins_down_reason());
        return false;
    }
    if (!breaker_lets(hook, error)) return false;
    size_t size = invoke_size(arguments->values, arguments->count) + buffer_length(&request->reads);
    if (size > FRAME_PAYLOAD_MAX) return invoke_too_long(hook, error);
    if (lane_has_room(hook->lane, size) && !capacity_reached(hook->lane)) return true;
    hook->overloaded++;
    snprintf(error, CALL_ERROR_SIZE, "OVERLOADED %s: too many requests wait for its plugin", hook->name);
    return false;
}

static void turn_to(Request *request, Command *hook) {
    hook->calls++;
    request->command = hook;
    request->lane = hook->lane;
    request->code = hook->code;
    request->timed_out = false;
    request->started_at = clock_microseconds();
    request->deadline = request->started_at + (uint64_t)hook->route->timeout * 1000;
}

/* Asks the next hook that can be; false when there is none, and the chain has its end. */
static bool ask_next(Request *request) {
    Chain *chain = request->chain;
    while (chain->at < chain->count) {
        char error[CALL_ERROR_SIZE];
        Command *hook = chain->hooks[chain->at];
        if (can_be_asked(request, hook, error)) {
            turn_to(request, hook);
            invoke_send(request, request->arguments.values, request->arguments.count, request->invoke_flags,
                        moment_now());
            return true;
        }
        if (!goes_on_without(request, hook, error)) return false;
    }
    return false;
}

/* ===== Verdicts ===== */

/* The words of a RESP array of bulk strings; false when the value is something else, or empty. */
static bool read_words(const Buffer *result, Arguments *words) {
    Reader reader = reader_of(buffer_front(result), buffer_length(result));
    Slice value = reader_string(&reader);
    RespToken token;
    size_t at = resp_token(value.bytes, value.length, &token);
    if (at == 0 || token.type != '*' || token.count < 1) return false;
    arguments_make(words, (int)token.count);
    while (at < value.length) {
        RespToken word;
        size_t size = resp_token(value.bytes + at, value.length - at, &word);
        if (size == 0 || word.type != '$') {
            arguments_free(words);
            return false;
        }
        words->values[words->count++] = RedisModule_CreateString(NULL, word.text, word.length);
        at += size;
    }
    return true;
}

static const Facts *facts_of_arguments(const Arguments *arguments) {
    return facts_of(arguments->values[0], arguments->count > 1 ? arguments->values[1] : NULL);
}

/* Where the command stays where it is, other words of a command that no wrapper could run do no harm either. */
static bool may_replace(const Facts *facts, const Request *request) {
    if (!facts) return false;
    return facts->can_replace || (request->sync && facts == facts_of_arguments(&request->arguments));
}

/* Takes the words of a REWRITE; false with "CODE text". */
static bool rewrite(Request *request, char *error) {
    Arguments words;
    const char *name = request->command->name;
    if (!read_words(&request->result, &words)) {
        snprintf(error, CALL_ERROR_SIZE, "ERR %s gave a rewritten command that is not a list of words", name);
        return false;
    }
    const Facts *facts = facts_of_arguments(&words);
    int slot = cluster_enabled() ? cluster_slot_of_keys(module_context, &words) : NO_KEYS;
    if (!may_replace(facts, request)) {
        snprintf(error, CALL_ERROR_SIZE, "ERR %s rewrote the command to '%.64s', which cannot be run in its place",
                 name, RedisModule_StringPtrLen(words.values[0], NULL));
    } else if (slot != NO_KEYS && slot != cluster_slot_of_keys(module_context, &request->arguments)) {
        snprintf(error, CALL_ERROR_SIZE, "CROSSSLOT %s rewrote the command to keys of another slot", name);
    } else {
        arguments_move(&request->arguments, &words);
        request->chain->rewritten = true;
        return true;
    }
    arguments_free(&words);
    return false;
}

/* The next hook hears of the new reply. */
static void replace_reply(Request *request) {
    Reader reader = reader_of(buffer_front(&request->result), buffer_length(&request->result));
    CommandOutcome outcome = {.reply = reader_string(&reader), .duration = request->chain->duration};
    buffer_empty(&request->reads, KEPT_BY_REQUEST);
    after_put(&request->reads, &outcome);
}

static void failure_text(const Request *request, char error[CALL_ERROR_SIZE]) {
    Reader reader = reader_of(buffer_front(&request->result), buffer_length(&request->result));
    Slice value = reader_string(&reader);
    RespToken token;
    if (resp_token(value.bytes, value.length, &token) && (token.type == '-' || token.type == '!'))
        snprintf(error, CALL_ERROR_SIZE, "%.*s", (int)token.length, token.text);
    else
        snprintf(error, CALL_ERROR_SIZE, "ERR %s failed", request->command->name);
}

/* Of an answered hook: true when the next one is to be asked. */
static bool take_verdict(Request *request) {
    Chain *chain = request->chain;
    char error[CALL_ERROR_SIZE];
    Command *hook = request->command;
    histogram_add(&hook->latency, clock_microseconds() - request->started_at);
    breaker_answered(hook);
    if (request->result_flags) { /* its reply might stand for one of the commit, which nobody runs */
        snprintf(error, sizeof(error), "ERR %s gave a commit or assumed reads, which are not for hooks", hook->name);
        return goes_on_without(request, hook, error);
    }
    if (chain->phase == PHASE_AFTER && (request->outcome == OUTCOME_REWRITE || request->outcome == OUTCOME_REFUSED)) {
        snprintf(error, sizeof(error), "ERR %s gave a verdict that is for before hooks", hook->name);
        return goes_on_without(request, hook, error);
    }
    switch (request->outcome) {
        case OUTCOME_CONTINUE:
            break;
        case OUTCOME_REWRITE:
            if (!rewrite(request, error)) return goes_on_without(request, hook, error);
            break;
        case OUTCOME_REFUSED:
            hook->refused++;
            chain->end = CHAIN_ANSWERS;
            return false;
        case OUTCOME_DONE:
            if (chain->phase == PHASE_AFTER) {
                replace_reply(request);
                break;
            }
            chain->end = CHAIN_ANSWERS;
            return false;
        default:
            failure_text(request, error);
            return goes_on_without(request, hook, error);
    }
    request_drop_result(request);
    chain->at++;
    return true;
}

/* ===== While the client is blocked ===== */

static bool may_write(const Arguments *arguments) {
    const Facts *facts = facts_of_arguments(arguments);
    return !facts || (facts->flags & (FACT_WRITE | FACT_MAY_REPLICATE));
}

static void go_on(Request *request) {
    if (ask_next(request)) {
        deadline_forget(request);
        deadline_watch(request);
        return;
    }
    bool runs = request->chain->phase == PHASE_BEFORE && request->chain->end == CHAIN_RUNS;
    if (runs && RedisModule_AvoidReplicaTraffic() && may_write(&request->arguments))
        pause_hold(request);
    else
        wake_request(request);
}

void chain_answered(Request *request) {
    if (take_verdict(request))
        go_on(request);
    else
        wake_request(request);
}

void chain_failed(Request *request, const char *code_and_text) {
    request_set_state(request, REQUEST_ANSWERED);
    if (goes_on_without(request, request->command, code_and_text))
        go_on(request);
    else
        wake_request(request);
}

/* ===== While the main thread waits ===== */

static bool ask_now(RedisModuleCtx *ctx, Request *request, Command *hook, char *error) {
    if (!can_be_asked(request, hook, error)) return false;
    turn_to(request, hook);
    if (!sync_ask(ctx, request, request->arguments.values, request->arguments.count, error)) return false;
    if (!request->failure) return true;
    snprintf(error, CALL_ERROR_SIZE, "%s", request->failure);
    return false;
}

static bool deny(Request *request, Command *hook) {
    char text[CALL_ERROR_SIZE];
    hook->refused++;
    snprintf(text, sizeof(text), "DENIED %s: not in transactions, in scripts, or with client tracking", hook->name);
    request->failure = memory_copy_string(text, strlen(text));
    request->chain->end = CHAIN_ANSWERS;
    return false;
}

/* `by_choice`: the client could have been blocked. */
static void ask_all_now(RedisModuleCtx *ctx, Request *request, bool by_choice) {
    Chain *chain = request->chain;
    bool goes_on = true;
    while (goes_on && chain->at < chain->count) {
        char error[CALL_ERROR_SIZE];
        Command *hook = chain->hooks[chain->at];
        HookTransaction transaction = hook->hook ? hook->hook->transaction : HOOK_ALLOW;
        if (transaction == HOOK_ALLOW && !by_choice)
            chain->at++;
        else if (transaction == HOOK_DENY && !by_choice)
            goes_on = deny(request, hook);
        else
            goes_on =
                ask_now(ctx, request, hook, error) ? take_verdict(request) : goes_on_without(request, hook, error);
    }
}

Request *chain_ask_now(HookList hooks, const HookSubject *subject, const CommandCaller *caller) {
    Request *request = make(PHASE_BEFORE, hooks, caller, subject->argv, subject->argc);
    ask_all_now(NULL, request, false);
    return request;
}

/* ===== The command ===== */

/* As the client would have had it: as its user, in its protocol, with what the server checks before it runs a command
 * (S, M), since time has passed. NULL with an error, "CODE text", when it was not run. */
static RedisModuleCallReply *call(RedisModuleCtx *ctx, const Arguments *arguments, char *error) {
    if (RedisModule_AvoidReplicaTraffic() && may_write(arguments)) {
        snprintf(error, CALL_ERROR_SIZE, "TRYAGAIN the server is paused or failing over");
        return NULL;
    }
    if (cluster_refuses_slots(ctx, arguments, error)) return NULL;
    const char *name = RedisModule_StringPtrLen(arguments->values[0], NULL);
    errno = 0;
    RedisModuleCallReply *reply =
        RedisModule_Call(ctx, name, "v!0CEMS", arguments->values + 1, (size_t)arguments->count - 1);
    if (!reply) {
        snprintf(error, CALL_ERROR_SIZE, "ERR '%.64s' was not run: %s", name, strerror(errno));
        return NULL;
    }
    if (errno == EPERM && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ERROR &&
        cluster_redirect(ctx, arguments, error)) {
        RedisModule_FreeCallReply(reply);
        return NULL;
    }
    return reply;
}

static void reply_after_waiting(RedisModuleCtx *ctx, const Request *request) {
    Reader reader = reader_of(buffer_front(&request->reads), buffer_length(&request->reads));
    reader_u32(&reader);
    Slice value = reader_string(&reader);
    reply_value(ctx, value.bytes, value.length, NULL);
}

enum { FEW_HOOKS = 16 };

/* How a command is run. */
typedef enum RunMode {
    RUN_AT_ONCE,  /* no before hook was asked: the client can be blocked */
    RUN_IN_REPLY, /* the client has been blocked, and cannot be once more */
    RUN_IN_PLACE  /* the client cannot be blocked */
} RunMode;

/* The hooks that are waited for. False when there are none: the server's own reply is to be given. */
static bool wait_for(RedisModuleCtx *ctx, HookList hooks, const Arguments *arguments, const CommandCaller *caller,
                     const CommandOutcome *outcome, RunMode mode) {
    if (after_awaited(hooks) == 0) return false;
    if (!resp_is_value(outcome->reply.bytes, outcome->reply.length, 0)) {
        RedisModule_ReplyWithError(ctx,
                                   "ERR hooks cannot be given a reply that is nested so deep; the command was run, "
                                   "its reply is withheld");
        return true;
    }
    Request *request = make(PHASE_AFTER, hooks, caller, arguments->values, arguments->count);
    request->chain->duration = outcome->duration;
    after_put(&request->reads, outcome);
    if (mode == RUN_AT_ONCE && ask_next(request)) {
        blocked_start(ctx, request);
        return true;
    }
    if (mode != RUN_AT_ONCE) ask_all_now(ctx, request, mode == RUN_IN_REPLY);
    chain_finish(ctx, request);
    request_release(request);
    return true;
}

static HookList after_hooks(const Arguments *arguments, const CommandCaller *caller) {
    const Facts *facts = facts_of_arguments(arguments);
    if (!facts || facts->hooks[PHASE_AFTER].count == 0) return (HookList){0};
    HookSubject subject = {.argv = arguments->values,
                           .argc = arguments->count,
                           .user = caller->user ? RedisModule_StringPtrLen(caller->user, NULL) : "",
                           .db = caller->db,
                           .base_db = caller->db,
                           .sampled = true};
    return hooks_match(facts, PHASE_AFTER, &subject);
}

/* A list of one's own: the server's commands run other commands, for which hooks are looked for. */
static HookList keep_hooks(const HookList *hooks, Command **few, int room) {
    HookList kept = {.hooks = few, .count = hooks->count};
    if (hooks->count > room) kept.hooks = memory_alloc(sizeof(Command *) * (size_t)hooks->count);
    for (int i = 0; i < hooks->count; i++) kept.hooks[i] = hooks->hooks[i];
    return kept;
}

/* Else a transaction's, a script's, or another module's. */
static bool is_for_client(RedisModuleCtx *ctx, const CommandCaller *caller) {
    return !(caller->invoke_flags & (INVOKE_MULTI | INVOKE_SCRIPT)) &&
           !(RedisModule_GetContextFlags(ctx) & REDISMODULE_CTX_FLAGS_DENY_BLOCKING);
}

/* Runs it, tells its after hooks, and replies. `after`: NULL: not looked for yet. */
static void run(RedisModuleCtx *ctx, const Arguments *arguments, const CommandCaller *caller, const HookList *after,
                RunMode mode) {
    char error[CALL_ERROR_SIZE];
    Command *few[FEW_HOOKS];
    HookList looked_for = after ? *after : after_hooks(arguments, caller);
    HookList hooks = keep_hooks(&looked_for, few, FEW_HOOKS);
    uint64_t started_at = hooks.count > 0 ? clock_microseconds() : 0;
    RedisModuleCallReply *reply = call(ctx, arguments, error);
    bool replied = false;
    if (reply && is_for_client(ctx, caller) && RedisModule_CallReplyType(reply) != REDISMODULE_REPLY_ERROR)
        key_reads_have_run(arguments, caller->db);
    if (reply && hooks.count > 0) {
        CommandOutcome outcome = {.duration = clock_microseconds() - started_at};
        outcome.reply.bytes = (const uint8_t *)RedisModule_CallReplyProto(reply, &outcome.reply.length);
        after_tell(hooks, arguments, caller, &outcome);
        replied = wait_for(ctx, hooks, arguments, caller, &outcome, mode);
    }
    if (!reply)
        RedisModule_ReplyWithError(ctx, error);
    else if (!replied)
        RedisModule_ReplyWithCallReply(ctx, reply);
    if (reply) RedisModule_FreeCallReply(reply);
    if (hooks.hooks != few) memory_free(hooks.hooks);
}

/* ===== The end ===== */

static void finish(RedisModuleCtx *ctx, Request *request, RunMode mode) {
    if (request->failure) {
        RedisModule_ReplyWithError(ctx, request->failure);
    } else if (request->chain->phase == PHASE_AFTER) {
        reply_after_waiting(ctx, request);
    } else if (request->chain->end == CHAIN_ANSWERS) {
        Reader reader = reader_of(buffer_front(&request->result), buffer_length(&request->result));
        Slice value = reader_string(&reader);
        reply_value(ctx, value.bytes, value.length, NULL);
    } else {
        CommandCaller caller = request_caller(request);
        run(ctx, &request->arguments, &caller, NULL, mode);
    }
}

void chain_finish(RedisModuleCtx *ctx, Request *request) {
    finish(ctx, request, RUN_IN_REPLY);
}

/* ===== The beginning ===== */

/* What the filter has found out, or the same once more: what was queued runs later, and rights or hooks can have
 * changed. */
static Found find(RedisModuleCtx *ctx, const RedisModuleString *word, const Arguments *arguments, bool asks) {
    Found found;
    if (asks && filter_take_found(word, &found)) return found;
    found = (Found){.user = caller_user(ctx), .db = RedisModule_GetSelectedDb(ctx)};
    const Facts *facts = facts_of_arguments(arguments);
    HookSubject subject = {.argv = arguments->values,
                           .argc = arguments->count,
                           .user = found.user ? RedisModule_StringPtrLen(found.user, NULL) : "",
                           .db = found.db,
                           .base_db = found.db,
                           .sampled = true};
    for (HookPhase phase = asks ? PHASE_BEFORE : PHASE_AFTER; facts && phase < HOOK_PHASES; phase++) {
        found.hooks[phase] = hooks_match(facts, phase, &subject);
    }
    return found;
}

static void start(RedisModuleCtx *ctx, const Found *found, const CommandCaller *caller, const Arguments *arguments,
                  RunMode mode) {
    if (found->hooks[PHASE_BEFORE].count == 0) {
        run(ctx, arguments, caller, &found->hooks[PHASE_AFTER], mode);
        return;
    }
    Request *request = make(PHASE_BEFORE, found->hooks[PHASE_BEFORE], caller, arguments->values, arguments->count);
    if (mode == RUN_AT_ONCE && ask_next(request)) {
        blocked_start(ctx, request);
        return;
    }
    /* In place: another module's call, whose client the filter took for somebody's. */
    if (mode == RUN_IN_PLACE) ask_all_now(ctx, request, false);
    finish(ctx, request, mode);
    request_release(request);
}

void chain_start(RedisModuleCtx *ctx, const RedisModuleString *word, const Arguments *arguments, bool asks) {
    Found found = find(ctx, word, arguments, asks);
    int flags = RedisModule_GetContextFlags(ctx);
    CommandCaller caller = {.client_id = RedisModule_GetClientId(ctx),
                            .user = found.user,
                            .db = found.db,
                            .resp = flags & REDISMODULE_CTX_FLAGS_RESP3 ? 3 : 2};
    if (flags & REDISMODULE_CTX_FLAGS_MULTI) caller.invoke_flags |= INVOKE_MULTI;
    if (flags & REDISMODULE_CTX_FLAGS_LUA) caller.invoke_flags |= INVOKE_SCRIPT;
    bool no_blocking =
        flags & (REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_MULTI | REDISMODULE_CTX_FLAGS_LUA);
    start(ctx, &found, &caller, arguments, asks && !no_blocking ? RUN_AT_ONCE : RUN_IN_PLACE);
    if (found.user) RedisModule_FreeString(NULL, found.user);
}
