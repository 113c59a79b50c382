#include "chain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "blocked.h"
#include "caller.h"
#include "capacity.h"
#include "cluster.h"
#include "deadline.h"
#include "facts.h"
#include "invoke.h"
#include "memory.h"
#include "module.h"
#include "pause.h"
#include "plugins.h"
#include "reply.h"
#include "resp.h"
#include "sync.h"
#include "wake.h"

/* ===== Making ===== */

static Request *make(Command **hooks, int count, RedisModuleString **argv, int argc) {
    Request *request = request_take();
    request->chain = memory_zalloc(sizeof(Chain) + sizeof(Command *) * (size_t)count);
    request->chain->count = count;
    for (int i = 0; i < count; i++) request->chain->hooks[i] = hooks[i];
    arguments_hold(&request->arguments, argv, argc);
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
    snprintf(text, sizeof(text), "%s; the command was not run", code_and_text);
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
    size_t size = invoke_size(arguments->values, arguments->count);
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
    if (request->result_flags) { /* its reply might stand for one of the commit, which nobody runs */
        snprintf(error, sizeof(error), "ERR %s gave a commit or assumed reads, which are not for hooks", hook->name);
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
    if (request->chain->end == CHAIN_RUNS && RedisModule_AvoidReplicaTraffic() && may_write(&request->arguments))
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

/* ===== The end ===== */

/* As the client would have had it: as its user, in its protocol, with what the server checks before it runs a command
 * (S, M), since time has passed. */
static void run(RedisModuleCtx *ctx, const Arguments *arguments) {
    char error[CALL_ERROR_SIZE];
    if (RedisModule_AvoidReplicaTraffic() && may_write(arguments)) {
        RedisModule_ReplyWithError(ctx, "TRYAGAIN the server is paused or failing over");
        return;
    }
    const char *name = RedisModule_StringPtrLen(arguments->values[0], NULL);
    errno = 0;
    RedisModuleCallReply *reply =
        RedisModule_Call(ctx, name, "v!0CEMS", arguments->values + 1, (size_t)arguments->count - 1);
    if (!reply) {
        snprintf(error, sizeof(error), "ERR '%.64s' was not run: %s", name, strerror(errno));
        RedisModule_ReplyWithError(ctx, error);
        return;
    }
    if (errno == EPERM && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ERROR &&
        cluster_redirect(ctx, arguments, error))
        RedisModule_ReplyWithError(ctx, error);
    else
        RedisModule_ReplyWithCallReply(ctx, reply);
    RedisModule_FreeCallReply(reply);
}

void chain_finish(RedisModuleCtx *ctx, Request *request) {
    if (request->failure) {
        RedisModule_ReplyWithError(ctx, request->failure);
    } else if (request->chain->end == CHAIN_ANSWERS) {
        Reader reader = reader_of(buffer_front(&request->result), buffer_length(&request->result));
        Slice value = reader_string(&reader);
        reply_value(ctx, value.bytes, value.length, NULL);
    } else {
        run(ctx, &request->arguments);
    }
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

static void ask_all_now(RedisModuleCtx *ctx, Request *request) {
    Chain *chain = request->chain;
    bool goes_on = true;
    while (goes_on && chain->at < chain->count) {
        char error[CALL_ERROR_SIZE];
        Command *hook = chain->hooks[chain->at];
        HookTransaction transaction = hook->hook ? hook->hook->transaction : HOOK_ALLOW;
        if (transaction == HOOK_ALLOW)
            chain->at++;
        else if (transaction == HOOK_DENY)
            goes_on = deny(request, hook);
        else
            goes_on =
                ask_now(ctx, request, hook, error) ? take_verdict(request) : goes_on_without(request, hook, error);
    }
}

Request *chain_ask_now(Command **hooks, int count, const HookSubject *subject, const ChainCaller *caller) {
    Request *request = make(hooks, count, subject->argv, subject->argc);
    request->client_id = caller->client_id;
    request->user = caller->user;
    if (caller->user) RedisModule_RetainString(NULL, caller->user);
    request->db = caller->db;
    request->resp = (uint8_t)caller->resp;
    request->invoke_flags = caller->invoke_flags;
    ask_all_now(NULL, request);
    return request;
}

/* ===== The beginning ===== */

void chain_start(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    RedisModuleString *user = caller_user(ctx);
    HookSubject subject = {.argv = argv,
                           .argc = argc,
                           .user = user ? RedisModule_StringPtrLen(user, NULL) : "",
                           .db = RedisModule_GetSelectedDb(ctx)};
    const Facts *facts = facts_of(argv[0], argc > 1 ? argv[1] : NULL);
    int count = 0;
    Command **hooks = facts ? hooks_match(facts, &subject, &count) : NULL;
    Request *request = make(hooks, count, argv, argc);
    request->client_id = RedisModule_GetClientId(ctx);
    request->user = user;
    request->db = subject.db;
    int flags = RedisModule_GetContextFlags(ctx);
    request->resp = flags & REDISMODULE_CTX_FLAGS_RESP3 ? 3 : 2;
    bool no_blocking =
        flags & (REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_MULTI | REDISMODULE_CTX_FLAGS_LUA);
    if (!no_blocking && ask_next(request)) {
        blocked_start(ctx, request);
        return;
    }
    if (no_blocking) ask_all_now(ctx, request); /* another module's call, whose client the filter took for somebody's */
    chain_finish(ctx, request);
    request_release(request);
}
