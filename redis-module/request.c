#include "request.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "bridge.h"
#include "config.h"
#include "events.h"
#include "guard.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "module.h"
#include "reply.h"

/* ===== Slots ===== */

static Request **slots;
static uint32_t slot_count, slot_room;
static uint32_t *free_slots;
static uint32_t free_count;
static uint32_t in_flight;

/* Buffers of a slot keep so much for the next request: as a rule there is nothing to allocate. */
enum { KEPT_BY_SLOT = 256 };

static Request *slot_take(void) {
    in_flight++;
    if (free_count > 0) {
        Request *request = slots[free_slots[--free_count]];
        return request;
    }
    if (slot_count == slot_room) {
        slot_room = slot_room ? slot_room * 2 : 64;
        slots = memory_realloc(slots, slot_room * sizeof(*slots));
        free_slots = memory_realloc(free_slots, slot_room * sizeof(*free_slots));
    }
    Request *request = memory_zalloc(sizeof(Request));
    request->index = slot_count;
    request->generation = 1;
    slots[slot_count++] = request;
    return request;
}

static void slot_give_back(Request *request) {
    uint32_t index = request->index, generation = request->generation + 1;
    Buffer reads = request->reads, result = request->result;
    *request = (Request){.index = index, .generation = generation ? generation : 1, .reads = reads, .result = result};
    free_slots[free_count++] = index;
    in_flight--;
}

uint64_t request_id(const Request *request) {
    return (uint64_t)request->generation << 32 | request->index;
}

Request *request_find(uint64_t id) {
    uint32_t index = (uint32_t)id;
    if (index >= slot_count || slots[index]->state == REQUEST_FREE) return NULL;
    return slots[index]->generation == (uint32_t)(id >> 32) ? slots[index] : NULL;
}

uint32_t request_count(void) {
    return in_flight;
}

/* The list of its lane that the request is in; NULL: in none. */
static RequestList *list_of(const Request *request) {
    if (request->state == REQUEST_WAITING) return &request->lane->waiting;
    return request->state == REQUEST_ASKED ? &request->lane->pending : NULL;
}

static void leave(RequestList *list, Request *request) {
    *request->previous = request->next;
    if (request->next) request->next->previous = request->previous;
    list->count--;
}

static void join(RequestList *list, Request *request) {
    request->next = list->newest;
    request->previous = &list->newest;
    if (request->next) request->next->previous = &request->next;
    list->newest = request;
    list->count++;
}

void request_set_state(Request *request, RequestState state) {
    RequestList *before = list_of(request);
    if (before) leave(before, request);
    request->state = state;
    RequestList *after = list_of(request);
    if (after) join(after, request);
}

static void hold_remove(Request *request);
static void forget_client(Request *request);
static void forget_deadline(Request *request);

static void drop_result(Request *request) {
    buffer_empty(&request->result, KEPT_BY_SLOT);
    memory_free(request->failure);
    request->failure = NULL;
    request->result_flags = 0;
}

void request_release(Request *request) {
    forget_client(request);
    forget_deadline(request);
    hold_remove(request);
    if (request->guarded) guard_leave(request);
    drop_result(request);
    request_set_state(request, REQUEST_FREE);
    buffer_empty(&request->reads, KEPT_BY_SLOT);
    arguments_free(&request->arguments);
    if (request->user) RedisModule_FreeString(NULL, request->user);
    if (request->wake_name) RedisModule_FreeString(NULL, request->wake_name);
    slot_give_back(request);
}

/* ===== Asking ===== */

static size_t arguments_size(RedisModuleString **argv, int argc) {
    size_t size = 128;
    for (int i = 1; i < argc; i++) {
        size_t length;
        RedisModule_StringPtrLen(argv[i], &length);
        size += 4 + length;
    }
    return size;
}

Moment moment_now(void) {
    return (Moment){.monotonic = clock_microseconds(), .unix_time = clock_milliseconds()};
}

static uint32_t milliseconds_left(const Request *request, uint64_t now) {
    return request->deadline > now ? (uint32_t)((request->deadline - now) / 1000) : 0;
}

static void send_invoke(Request *request, RedisModuleString **argv, int argc, uint8_t flags, Moment now) {
    Buffer *out = &request->lane->out;
    size_t begun = frame_begin(out, FRAME_INVOKE, flags, request->code, request_id(request));
    buffer_put_u64(out, request->client_id);
    buffer_put_u32(out, (uint32_t)request->db);
    buffer_put_u8(out, request->resp);
    buffer_put_u64(out, now.unix_time);
    buffer_put_u32(out, milliseconds_left(request, now.monotonic));
    size_t length = 0;
    const char *user = request->user ? RedisModule_StringPtrLen(request->user, &length) : "";
    buffer_put_string(out, user, length);
    int words = command_words(request->command);
    buffer_put_u32(out, (uint32_t)(argc - words));
    for (int i = words; i < argc; i++) {
        const char *text = RedisModule_StringPtrLen(argv[i], &length);
        buffer_put_string(out, text, length);
    }
    if (buffer_length(&request->reads) == 0)
        buffer_put_u32(out, 0);
    else
        buffer_put(out, buffer_front(&request->reads), buffer_length(&request->reads));
    frame_end(out, begun);
    lane_written(request->lane);
    request_set_state(request, REQUEST_ASKED);
}

void request_send(Request *request, bool chained, Moment now) {
    uint8_t flags = request->invoke_flags | INVOKE_GUARDED;
    if (request->attempts) flags |= INVOKE_RERUN;
    if (chained) flags |= INVOKE_CHAINED;
    send_invoke(request, request->arguments.values, request->arguments.count, flags, now);
}

/* ===== Declared reads ===== */

/* Builds the command of one declared read from argv; holds references to argv's strings. */
static bool build_read(const RouteRead *read, RedisModuleString **argv, int argc, Arguments *built) {
    int room = read->count + argc;
    arguments_make(built, room);
    for (int i = 0; i < read->count; i++) {
        const ReadWord *word = &read->words[i];
        if (word->kind == READ_LITERAL) {
            built->values[built->count++] = i == 0 ? call_name(word->literal, word->length)
                                                   : RedisModule_CreateString(NULL, word->literal, word->length);
            continue;
        }
        int last = read_word_last(word, argc);
        if (word->first >= argc || last >= argc || last < word->first) {
            arguments_free(built);
            return false;
        }
        for (int a = word->first; a <= last && built->count < room; a++) {
            RedisModule_RetainString(NULL, argv[a]);
            built->values[built->count++] = argv[a];
        }
    }
    return true;
}

static bool read_failed(RedisModuleCallReply *reply, char *error) {
    size_t length;
    const char *text = RedisModule_CallReplyStringPtr(reply, &length);
    snprintf(error, CALL_ERROR_SIZE, "%.*s", text ? (int)length : 0, text ? text : "");
    RedisModule_FreeCallReply(reply);
    return false;
}

/* The host would close the lane that brought it such a frame. */
static bool say_too_long(const Command *command, char *error) {
    snprintf(error, CALL_ERROR_SIZE, "ERR '%s': its arguments and what it reads are longer than %d MiB", command->name,
             FRAME_LENGTH_MAX >> 20);
    return false;
}

static int call_mode(const Request *request) {
    int mode = request->user ? CALL_MODE_AS_USER : 0;
    if (request->invoke_flags & INVOKE_SCRIPT) mode |= CALL_MODE_IN_SCRIPT;
    return mode;
}

/* Into a buffer of its own and not into the lane's: a read can expire a key, and the event of that is a frame too. */
bool request_read(RedisModuleCtx *ctx, const Request *request, RedisModuleString **argv, int argc, Buffer *out,
                  char *error) {
    const RouteCommand *route = request->command->route;
    int count = route ? route->read_count : 0;
    if (count == 0) return true;
    size_t size = arguments_size(argv, argc);
    buffer_put_u32(out, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        Arguments read;
        if (!build_read(&route->reads[i], argv, argc, &read)) {
            snprintf(error, CALL_ERROR_SIZE, "ERR wrong number of arguments for '%s' command", request->command->name);
            return false;
        }
        RedisModuleCallReply *reply =
            call_run(ctx, &read, call_mode(request) | CALL_MODE_READ_ONLY | CALL_MODE_RESP3, error);
        arguments_free(&read);
        if (!reply) return false;
        if (RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ERROR) return read_failed(reply, error);
        size_t length;
        const char *proto = RedisModule_CallReplyProto(reply, &length);
        bool fits = size + buffer_length(out) + length <= FRAME_PAYLOAD_MAX;
        if (fits) buffer_put_string(out, proto, length);
        RedisModule_FreeCallReply(reply);
        if (!fits) return say_too_long(request->command, error);
    }
    return true;
}

/* ===== Applying a RESULT ===== */

static void reply_error_text(RedisModuleCtx *ctx, Command *command, const char *code_and_text) {
    command->failed++;
    RedisModule_ReplyWithError(ctx, code_and_text);
}

/* Runs the commit up to its first error, which then is the reply. Returns false when it replied. */
static bool run_commit(RedisModuleCtx *ctx, Request *request, Result *result, RedisModuleCallReply **replies) {
    char error[CALL_ERROR_SIZE];
    int mode = call_mode(request);
    if (request->command->route && request->command->route->read_only) mode |= CALL_MODE_READ_ONLY;
    for (uint32_t i = 0; i < result->commit_count; i++) {
        Arguments arguments;
        if (!arguments_read(&result->commit, &arguments)) return false; /* cannot be: checked on arrival */
        replies[i] = call_run(ctx, &arguments, mode, error);
        arguments_free(&arguments);
        if (!replies[i]) {
            reply_error_text(ctx, request->command, error);
            return false;
        }
        if (RedisModule_CallReplyType(replies[i]) == REDISMODULE_REPLY_ERROR) {
            request->command->failed++;
            RedisModule_ReplyWithCallReply(ctx, replies[i]);
            return false;
        }
    }
    return true;
}

static void count_outcome(Request *request) {
    Command *command = request->command;
    if (request->outcome == OUTCOME_REFUSED) command->refused++;
    if (request->outcome == OUTCOME_FAILED) command->failed++;
    histogram_add(&command->latency, clock_microseconds() - request->started_at);
}

static void apply_result(RedisModuleCtx *ctx, Request *request) {
    Result result;
    message_read_result(buffer_front(&request->result), buffer_length(&request->result), request->result_flags,
                        &result);
    RedisModuleCallReply *few[8] = {0};
    RedisModuleCallReply **replies = few;
    if (result.commit_count > 8) replies = memory_zalloc(result.commit_count * sizeof(*replies));
    const char *plugin = request->command->route ? request->command->route->plugin : NULL;
    Slice before = events_set_origin((Slice){.bytes = (const uint8_t *)plugin, .length = plugin ? strlen(plugin) : 0});
    bool done = run_commit(ctx, request, &result, replies);
    events_set_origin(before);
    if (done) {
        reply_value(ctx, result.reply.bytes, result.reply.length, replies);
    }
    for (uint32_t i = 0; i < result.commit_count; i++) {
        if (replies[i]) RedisModule_FreeCallReply(replies[i]);
    }
    if (replies != few) memory_free(replies);
    count_outcome(request);
}

static Buffer spare_reads; /* kept for the next comparison */

/* True when the declared reads still hold. A read that fails now counts as a change. A result without a commit stands
 * as it is if the handler saw what was really there; what it assumed of commits before it in the batch must have come
 * true. */
static bool guard_holds(RedisModuleCtx *ctx, Request *request) {
    if (!(request->result_flags & (RESULT_HAS_COMMIT | RESULT_HAS_ASSUMED))) return true;
    Result result;
    message_read_result(buffer_front(&request->result), buffer_length(&request->result), request->result_flags,
                        &result);
    Buffer now = spare_reads;
    spare_reads = (Buffer){0}; /* a read may run a script that comes here too */
    char error[CALL_ERROR_SIZE];
    const Arguments *arguments = &request->arguments;
    bool same = request_read(ctx, request, arguments->values, arguments->count, &now, error);
    const uint8_t *assumed = result.assumed.length ? result.assumed.bytes : buffer_front(&request->reads);
    size_t length = result.assumed.length ? result.assumed.length : buffer_length(&request->reads);
    same = same && buffer_length(&now) == length && memcmp(buffer_front(&now), assumed, length) == 0;
    buffer_empty(&now, KEPT_BY_SLOT);
    buffer_free(&spare_reads);
    spare_reads = now;
    return same;
}

/* ===== Synchronous runs ===== */

/* A commit or a nested call can run a plugin command, which can do so again: each level waits inside the one before, on
 * the server's stack. */
enum { SYNC_DEPTH_MAX = 8 };

static Request *sync_request;
static int sync_depth;
static uint64_t budget_used, budget_client;

Request *request_waiting_sync(void) {
    return sync_request;
}

/* All runs after conflicts share one budget a loop: they are of many clients, at one hot key. */
enum { BUDGET_OF_CONFLICTS = 0 }; /* no client has this id */

static uint64_t budget_owner(const Request *request) {
    return request->client ? BUDGET_OF_CONFLICTS : request->client_id;
}

static uint64_t sync_deadline(uint64_t client_id) {
    if (budget_client != client_id && sync_depth <= 1) { /* a nested command has a client of its own */
        budget_client = client_id;
        budget_used = 0;
    }
    uint64_t budget = (uint64_t)config.sync_budget * 1000;
    uint64_t left = budget > budget_used ? budget - budget_used : 0;
    uint64_t timeout = (uint64_t)config.sync_timeout * 1000;
    return clock_microseconds() + (left < timeout ? left : timeout);
}

static bool read_afresh(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error) {
    buffer_free(&request->reads);
    return request_read(ctx, request, argv, argc, &request->reads, error);
}

/* Sends the request with the reads that it has and waits for its RESULT. On failure `error` has "CODE text". */
static bool ask_and_wait(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error) {
    Lane *lane = request->lane;
    uint64_t from = clock_microseconds();
    uint64_t deadline = sync_deadline(budget_owner(request));
    request->sync = true;
    request->answered = false;
    request->ctx = ctx;
    send_invoke(request, argv, argc, request->invoke_flags | INVOKE_SYNC, moment_now());
    lane_flush(lane);
    Request *outer = sync_request;
    sync_request = request;
    lane_wait(lane, &request->answered, deadline);
    sync_request = outer;
    budget_used += clock_microseconds() - from;
    if (request->answered) return true;
    request_set_state(request, REQUEST_ANSWERED);
    lane->sync_refused = lane->fd >= 0;
    bridge_cancel(lane, request_id(request), CANCEL_TIMEOUT);
    bridge_ping(lane); /* nothing answers a CANCEL: the PONG tells that the lane is free again */
    request->command->timeouts++;
    snprintf(error, CALL_ERROR_SIZE, "TIMEOUT '%s' did not answer within ferrite.sync-timeout", request->command->name);
    return false;
}

static bool sync_possible(const Request *request, char *error) {
    const Command *command = request->command;
    if (sync_depth > SYNC_DEPTH_MAX) {
        snprintf(error, CALL_ERROR_SIZE, "ERR '%s' was not run: plugin commands can run each other %d levels deep",
                 command->name, SYNC_DEPTH_MAX);
        return false;
    }
    if (request->lane->sync_refused) {
        snprintf(error, CALL_ERROR_SIZE,
                 "UNAVAILABLE plugin %s missed a deadline in a transaction or script, it has "
                 "not answered since",
                 command->route->plugin);
        return false;
    }
    if (sync_deadline(budget_owner(request)) <= clock_microseconds()) {
        snprintf(error, CALL_ERROR_SIZE, "TIMEOUT '%s' was not run: ferrite.sync-budget is used up", command->name);
        return false;
    }
    return true;
}

static void finish_sync(RedisModuleCtx *ctx, Request *request) {
    if (request->failure)
        reply_error_text(ctx, request->command, request->failure);
    else if (request->outcome == OUTCOME_AGAIN)
        RedisModule_ReplyWithError(ctx, "TRYAGAIN the plugin was busy");
    else
        apply_result(ctx, request);
}

static int run_sync(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc) {
    char error[CALL_ERROR_SIZE];
    Command *command = request->command;
    command->sync_calls++;
    sync_depth++;
    if (!command->route->sync) {
        snprintf(error, sizeof(error), "ERR '%s' cannot run inside MULTI, scripts or other modules", command->name);
        reply_error_text(ctx, command, error);
    } else if (!sync_possible(request, error) || !read_afresh(ctx, request, argv, argc, error) ||
               !ask_and_wait(ctx, request, argv, argc, error)) {
        reply_error_text(ctx, command, error);
    } else {
        finish_sync(ctx, request);
    }
    sync_depth--;
    request_release(request);
    return REDISMODULE_OK;
}

/* ===== Callbacks of blocked clients ===== */

static void hold(Request *request);

/* A guarded request whose reads changed: waits for another turn, or runs at once while nothing can come between.
 * Returns REDISMODULE_ERR to stay blocked. */
static int after_conflict(RedisModuleCtx *ctx, Request *request) {
    char error[CALL_ERROR_SIZE];
    request->command->conflicts++;
    request->attempts++;
    drop_result(request);
    request->lane = request->command->lane; /* the one that answered may be gone: a pause can lie between */
    request->code = request->command->code;
    if (!request->lane || !request->command->route) {
        reply_error_text(ctx, request->command, "UNAVAILABLE the plugin has stopped meanwhile");
        return REDISMODULE_OK;
    }
    bool no_budget = sync_deadline(budget_owner(request)) <= clock_microseconds();
    if (request->by_key && (request->attempts < request->command->route->retry || no_budget)) {
        guard_again(request); /* without budget: its last try comes in a later loop */
        return REDISMODULE_ERR;
    }
    const Arguments *arguments = &request->arguments;
    if (!read_afresh(ctx, request, arguments->values, arguments->count, error)) {
        reply_error_text(ctx, request->command, error); /* such as WRONGTYPE: another try would end in the same way */
    } else if (!sync_possible(request, error) ||
               !ask_and_wait(ctx, request, arguments->values, arguments->count, error)) {
        snprintf(error, sizeof(error), "TRYAGAIN '%s': what it reads keeps changing", request->command->name);
        reply_error_text(ctx, request->command, error);
    } else {
        finish_sync(ctx, request);
    }
    return REDISMODULE_OK;
}

static int answer_client(RedisModuleCtx *ctx, Request *request) {
    if (request->failure) {
        if (!request->timed_out) request->command->failed++;
        RedisModule_ReplyWithError(ctx, request->failure);
        return REDISMODULE_OK;
    }
    if ((request->result_flags & RESULT_HAS_COMMIT) && RedisModule_AvoidReplicaTraffic()) {
        if (!request->by_key) {
            RedisModule_ReplyWithError(ctx, "TRYAGAIN the server is paused or failing over");
            return REDISMODULE_OK;
        }
        hold(request);
        return REDISMODULE_ERR;
    }
    if (request->outcome == OUTCOME_AGAIN) { /* only a guarded request is run again, request_answer has seen to that */
        reply_error_text(ctx, request->command, "TRYAGAIN the plugin was busy");
        return REDISMODULE_OK;
    }
    if (request->guarded && !guard_holds(ctx, request)) return after_conflict(ctx, request);
    apply_result(ctx, request);
    return REDISMODULE_OK;
}

static Request *request_of(RedisModuleCtx *ctx, RedisModuleBlockedClient *client);

static int Request_Reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    Request *request = RedisModule_GetBlockedClientPrivateData(ctx);
    if (request->state != REQUEST_ANSWERED)
        return REDISMODULE_ERR; /* its private name was signalled by somebody else */
    int served = answer_client(ctx, request);
    if (served != REDISMODULE_OK) return served;
    request->ended = true;
    if (request->guarded) guard_leave(request);
    return REDISMODULE_OK;
}

/* The client has got its answer or is gone. One that was not blocked on a key has to be unblocked exactly once all the
 * same, so that the server lets go of its handle. */
static void end_blocked(Request *request, uint16_t why) {
    if (request->state == REQUEST_ASKED && request->lane->fd >= 0) {
        bridge_cancel(request->lane, request_id(request), why);
    }
    hold_remove(request);
    if (request->guarded) guard_leave(request);
    request->ended = true;
    request_set_state(request, REQUEST_ANSWERED);
    if (request->by_key || request->unblocked) return;
    request->unblocked = true;
    RedisModule_UnblockClient(request->client, request);
}

/* The answer to CLIENT UNBLOCK: deadlines are kept below. */
static int Request_Unblocked(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    Request *request = request_of(ctx, RedisModule_GetBlockedClientHandle(ctx));
    char error[CALL_ERROR_SIZE];
    snprintf(error, sizeof(error), "UNBLOCKED '%s' was unblocked", request->command->name);
    RedisModule_ReplyWithError(ctx, error);
    end_blocked(request, CANCEL_UNBLOCKED);
    return REDISMODULE_OK;
}

static void Request_Disconnected(RedisModuleCtx *ctx, RedisModuleBlockedClient *client) {
    end_blocked(request_of(ctx, client), CANCEL_DISCONNECTED);
}

static void Request_Free(RedisModuleCtx *ctx, void *request) {
    (void)ctx;
    request_release(request);
}

/* Redis 7.0 has no private data before RM_UnblockClient: there a dictionary leads from the handle to the request. */
static RedisModuleDict *requests_by_client;

static void remember_client(Request *request) {
    if (RedisModule_BlockClientSetPrivateData) {
        RedisModule_BlockClientSetPrivateData(request->client, request);
        return;
    }
    if (!requests_by_client) requests_by_client = RedisModule_CreateDict(NULL);
    RedisModule_DictSetC(requests_by_client, &request->client, sizeof(request->client), request);
}

static void forget_client(Request *request) {
    if (!requests_by_client || !request->client) return;
    RedisModule_DictDelC(requests_by_client, &request->client, sizeof(request->client), NULL);
}

static Request *request_of(RedisModuleCtx *ctx, RedisModuleBlockedClient *client) {
    if (RedisModule_BlockClientSetPrivateData) return RedisModule_GetBlockedClientPrivateData(ctx);
    return RedisModule_DictGetC(requests_by_client, &client, sizeof(client), NULL);
}

static void watch_deadline(Request *request);

/* Without a timeout of the server's: its table of them costs more than the rest of blocking. */
void request_block(RedisModuleCtx *ctx, Request *request) {
    if (request->by_key) {
        request->client =
            RedisModule_BlockClientOnKeysWithFlags(ctx, Request_Reply, Request_Unblocked, Request_Free, 0,
                                                   &request->wake_name, 1, request, REDISMODULE_BLOCK_UNBLOCK_DELETED);
    } else {
        request->client = RedisModule_BlockClient(ctx, Request_Reply, Request_Unblocked, Request_Free, 0);
        remember_client(request);
    }
    watch_deadline(request);
    RedisModule_SetDisconnectCallback(request->client, Request_Disconnected);
    RedisModule_BlockedClientMeasureTimeStart(request->client);
}

/* ===== Pauses ===== */

static Request *held_list;
static bool hold_timer_set;

static void wake(Request *request);

static void on_hold_timer(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    hold_timer_set = false;
    Request *list = held_list;
    held_list = NULL;
    while (list) {
        Request *request = list;
        list = request->held_next;
        request->held = false;
        if (RedisModule_AvoidReplicaTraffic())
            hold(request);
        else
            wake(request);
    }
}

static void hold(Request *request) {
    if (!request->held) {
        request->held = true;
        request->held_next = held_list;
        held_list = request;
    }
    if (hold_timer_set) return;
    hold_timer_set = true;
    RedisModule_CreateTimer(module_context, 5, on_hold_timer, NULL);
}

static void hold_remove(Request *request) {
    if (!request->held) return;
    for (Request **at = &held_list; *at; at = &(*at)->held_next) {
        if (*at != request) continue;
        *at = request->held_next;
        break;
    }
    request->held = false;
}

/* ===== Answers ===== */

/* Redis 7.0 lets go of a client without any reply when CLIENT UNBLOCK comes between RM_UnblockClient and the end of the
 * loop: there the call waits for the last moment before the server looks at what was unblocked. By id, since the
 * request can end meanwhile. */
static uint64_t *unblock_soon;
static size_t unblock_count, unblock_room;

static void unblock(Request *request) {
    request->unblocked = true;
    RedisModule_UnblockClient(request->client, request);
}

static void unblock_before_sleep(Request *request) {
    if (unblock_count == unblock_room) {
        unblock_room = unblock_room ? unblock_room * 2 : 64;
        unblock_soon = memory_realloc(unblock_soon, unblock_room * sizeof(*unblock_soon));
    }
    unblock_soon[unblock_count++] = request_id(request);
}

static void unblock_waiting(void) {
    for (size_t i = 0; i < unblock_count; i++) {
        Request *request = request_find(unblock_soon[i]);
        if (request && !request->unblocked) unblock(request);
    }
    unblock_count = 0;
}

/* Before the server sleeps it has served the clients of ready keys already: what is signalled then waits for the next
 * loop. */
static bool keys_were_served;

void request_keys_served(bool served) {
    keys_were_served = served;
}

static void wake(Request *request) {
    if (request->sync) {
        request->answered = true;
    } else if (request->by_key) {
        RedisModule_SelectDb(module_context, request->db);
        RedisModule_SignalKeyAsReady(module_context, request->wake_name);
        if (keys_were_served) loop_soon();
    } else {
        RedisModule_BlockedClientMeasureTimeEnd(request->client);
        if (RedisModule_BlockClientSetPrivateData)
            unblock(request);
        else
            unblock_before_sleep(request);
    }
}

void request_answer(Lane *lane, const Frame *frame) {
    Request *request = request_find(frame->id);
    lane->sync_refused = false;
    if (!request || request->state != REQUEST_ASKED || request->lane != lane) return; /* nobody waits any more */
    if (frame->code == OUTCOME_AGAIN && request->guarded && !request->sync) {
        request->command->again++;
        guard_again(request);
        return;
    }
    request_set_state(request, REQUEST_ANSWERED);
    request->outcome = frame->code;
    request->result_flags = frame->flags;
    buffer_put(&request->result, frame->body, frame->body_length);
    if ((frame->flags & RESULT_HAS_COMMIT) && !request->sync && RedisModule_AvoidReplicaTraffic())
        hold(request);
    else
        wake(request);
}

void request_fail(Request *request, const char *code_and_text) {
    drop_result(request);
    request->failure = memory_copy_string(code_and_text, strlen(code_and_text));
    request_set_state(request, REQUEST_ANSWERED);
    wake(request);
}

void request_fail_lane(Lane *lane, const char *reason) {
    while (lane->pending.newest) request_fail(lane->pending.newest, reason);
    while (lane->waiting.newest) request_fail(lane->waiting.newest, reason);
}

/* ===== Deadlines ===== */

/* One timer for all, at the earliest deadline of when it was set. Most deadlines come in the order of their requests,
 * so that a new one rarely has to move it. */
static RedisModuleTimerID deadline_timer;
static uint64_t deadline_next; /* 0: no timer is set */
static Heap deadlines;

enum { LOOK_AGAIN = 1000 }; /* us, for a request that cannot time out now */

static void on_deadline(RedisModuleCtx *ctx, void *data);

static void set_deadline_timer(uint64_t deadline, uint64_t now) {
    deadline_next = deadline;
    mstime_t wait = deadline > now ? (mstime_t)((deadline - now + 999) / 1000) : 0;
    deadline_timer = RedisModule_CreateTimer(module_context, wait, on_deadline, NULL);
}

static void watch_deadline(Request *request) {
    request->due.due = request->deadline;
    heap_add(&deadlines, &request->due);
    if (deadline_next && deadline_next <= request->deadline) return;
    if (deadline_next) RedisModule_StopTimer(module_context, deadline_timer, NULL);
    set_deadline_timer(request->deadline, request->started_at);
}

static void forget_deadline(Request *request) {
    heap_remove(&deadlines, &request->due);
}

/* False for what is about to be answered anyway, and for the request that the main thread waits for. */
static bool can_time_out(const Request *request) {
    if (request->sync || request->ended) return false;
    return request->state != REQUEST_ANSWERED || request->held;
}

static void time_out(Request *request) {
    char error[CALL_ERROR_SIZE];
    snprintf(error, sizeof(error), "TIMEOUT '%s' did not answer in time", request->command->name);
    if (request->state == REQUEST_ASKED) bridge_cancel(request->lane, request_id(request), CANCEL_TIMEOUT);
    hold_remove(request);
    request->timed_out = true;
    request->command->timeouts++;
    request_fail(request, error);
}

static void on_deadline(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    uint64_t now = clock_microseconds();
    HeapEntry *first;
    while ((first = heap_first(&deadlines)) && first->due <= now) {
        Request *request = (Request *)((char *)first - offsetof(Request, due));
        heap_remove(&deadlines, first);
        if (can_time_out(request)) {
            time_out(request);
            continue;
        }
        first->due = now + LOOK_AGAIN; /* it can wait again: after a conflict, or for the end of a pause */
        heap_add(&deadlines, first);
    }
    deadline_next = 0;
    if (first) set_deadline_timer(first->due, now);
}

void request_before_sleep(void) {
    unblock_waiting();
    budget_used = 0;
    budget_client = 0;
}

/* ===== Start ===== */

static int refuse(RedisModuleCtx *ctx, Command *command) {
    char error[CALL_ERROR_SIZE];
    snprintf(error, sizeof(error), "UNAVAILABLE %s",
             command->down_reason ? command->down_reason : bridge_down_reason());
    command->failed++;
    return RedisModule_ReplyWithError(ctx, error);
}

static int refuse_overload(RedisModuleCtx *ctx, Command *command) {
    command->overloaded++;
    return RedisModule_ReplyWithError(ctx, "OVERLOADED too many requests wait for this plugin (ferrite.max-inflight, "
                                           "ferrite.lane-buffer)");
}

/* A waiting client costs the server about 36 KB: at most a quarter of maxmemory goes to them. */
static bool too_many_in_flight(const Lane *lane) {
    if ((uint64_t)lane->pending.count + lane->waiting.count >= (uint64_t)config.max_inflight) return true;
    uint64_t limit = bridge_maxmemory() / 4 / (36 << 10);
    return limit && in_flight >= (limit < 64 ? 64 : limit);
}

static bool is_tracking(uint64_t client_id) {
    RedisModuleClientInfoV1 info = REDISMODULE_CLIENTINFO_INITIALIZER_V1;
    return RedisModule_GetClientInfoById(&info, client_id) == REDISMODULE_OK &&
           (info.flags & REDISMODULE_CLIENTINFO_FLAG_TRACKING);
}

/* NULL for root: another module's call, or a script in one. RM_GetCurrentUserName crashes there, so it is asked only
 * when a command that needs a user (C) finds one. */
static RedisModuleString *user_of(RedisModuleCtx *ctx, uint64_t client_id) {
    RedisModuleString *name = RedisModule_GetClientUserNameById(ctx, client_id);
    if (name) return name;
    errno = 0;
    RedisModuleCallReply *probe = RedisModule_Call(ctx, "PING", "C");
    if (probe) RedisModule_FreeCallReply(probe);
    return probe || errno == EACCES ? RedisModule_GetCurrentUserName(ctx) : NULL;
}

static Request *request_new(RedisModuleCtx *ctx, Command *command, int context_flags) {
    const RouteCommand *route = command->route;
    Request *request = slot_take();
    request->command = command;
    request->lane = command->lane;
    request->code = command->code;
    request_set_state(request, REQUEST_WAITING);
    request->client_id = RedisModule_GetClientId(ctx);
    request->db = RedisModule_GetSelectedDb(ctx);
    request->user = user_of(ctx, request->client_id);
    request->started_at = clock_microseconds();
    long long timeout = route->timeout ? route->timeout : config.request_timeout;
    request->deadline = request->started_at + (uint64_t)timeout * 1000;
    if (context_flags & REDISMODULE_CTX_FLAGS_MULTI) request->invoke_flags |= INVOKE_MULTI;
    if (context_flags & REDISMODULE_CTX_FLAGS_LUA) request->invoke_flags |= INVOKE_SCRIPT;
    bool replica = (context_flags & (REDISMODULE_CTX_FLAGS_SLAVE | REDISMODULE_CTX_FLAGS_READONLY)) ==
                   (REDISMODULE_CTX_FLAGS_SLAVE | REDISMODULE_CTX_FLAGS_READONLY);
    if (replica || route->read_only) request->invoke_flags |= INVOKE_READ_ONLY;
    request->resp = context_flags & REDISMODULE_CTX_FLAGS_RESP3 ? 3 : 2;
    return request;
}

static int start_plain(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc) {
    char error[CALL_ERROR_SIZE];
    if (!request_read(ctx, request, argv, argc, &request->reads, error)) {
        reply_error_text(ctx, request->command, error);
        request_release(request);
        return REDISMODULE_OK;
    }
    request_block(ctx, request);
    Moment begun = {.monotonic = request->started_at, .unix_time = clock_command_milliseconds()};
    send_invoke(request, argv, argc, request->invoke_flags, begun);
    buffer_empty(&request->reads, KEPT_BY_SLOT);
    return REDISMODULE_OK;
}

int request_start(RedisModuleCtx *ctx, Command *command, RedisModuleString **argv, int argc) {
    command->calls++;
    if (!command->lane) return refuse(ctx, command);
    size_t size = arguments_size(argv, argc);
    if (size > FRAME_PAYLOAD_MAX) {
        char error[CALL_ERROR_SIZE];
        say_too_long(command, error);
        reply_error_text(ctx, command, error);
        return REDISMODULE_OK;
    }
    if (!lane_has_room(command->lane, size) || too_many_in_flight(command->lane)) {
        return refuse_overload(ctx, command);
    }
    int flags = RedisModule_GetContextFlags(ctx);
    Request *request = request_new(ctx, command, flags);
    bool no_blocking =
        flags & (REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_MULTI | REDISMODULE_CTX_FLAGS_LUA);
    /* A tracking client would keep a value that changed while it waited. */
    if (!no_blocking && command->route->read_only && command->route->key_count) {
        no_blocking = is_tracking(request->client_id);
    }
    if (no_blocking) return run_sync(ctx, request, argv, argc);
    if (command->route->retry == 0 || command->route->read_count == 0) return start_plain(ctx, request, argv, argc);
    request->guarded = true;
    return guard_enter(ctx, request, argv, argc);
}

void request_free_all(void) {
    for (uint32_t i = 0; i < slot_count; i++) {
        buffer_free(&slots[i]->reads);
        buffer_free(&slots[i]->result);
        memory_free(slots[i]);
    }
    buffer_free(&spare_reads);
    memory_free(slots);
    memory_free(free_slots);
    slots = NULL;
    free_slots = NULL;
    memory_free(unblock_soon);
    unblock_soon = NULL;
    unblock_count = unblock_room = 0;
    slot_count = slot_room = free_count = 0;
    heap_free(&deadlines);
}
