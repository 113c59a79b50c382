#include "guard.h"

#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "config.h"
#include "invoke.h"
#include "memory.h"
#include "module.h"
#include "reads.h"
#include "wake.h"

/* A queue exists while somebody is in it. `front` is the oldest. */
typedef struct GuardQueue {
    struct GuardEntry *front, *back;
    bool ready; /* in ready_list: its front may be sendable */
    struct GuardQueue *ready_next;
    size_t name_length;
    char name[]; /* lane number, database, key */
} GuardQueue;

typedef struct GuardEntry {
    Request *request;
    GuardQueue *queue;
    struct GuardEntry *before, *after;
} GuardEntry;

static RedisModuleDict *queues;
static GuardQueue *ready_list;
static uint64_t batch_stamp;
static uint64_t wake_number;

/* ===== Queues ===== */

static GuardQueue *queue_of(const Request *request, const char *key, size_t length) {
    char small[256];
    size_t size = 8 + length;
    char *name = size <= sizeof(small) ? small : memory_alloc(size);
    memcpy(name, &request->lane->number, 4);
    memcpy(name + 4, &request->db, 4);
    memcpy(name + 8, key, length);
    if (!queues) queues = RedisModule_CreateDict(NULL);
    GuardQueue *queue = RedisModule_DictGetC(queues, name, size, NULL);
    if (!queue) {
        queue = memory_zalloc(sizeof(GuardQueue) + size);
        queue->name_length = size;
        memcpy(queue->name, name, size);
        RedisModule_DictSetC(queues, name, size, queue);
    }
    if (name != small) memory_free(name);
    return queue;
}

static void mark_ready(GuardQueue *queue) {
    if (queue->ready) return;
    queue->ready = true;
    queue->ready_next = ready_list;
    ready_list = queue;
}

static void queue_free(GuardQueue *queue) {
    if (queue->ready) {
        GuardQueue **at = &ready_list;
        while (*at != queue) at = &(*at)->ready_next;
        *at = queue->ready_next;
    }
    RedisModule_DictDelC(queues, queue->name, queue->name_length, NULL);
    memory_free(queue);
}

static void append(Request *request, RedisModuleString *key) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(key, &length);
    GuardQueue *queue = queue_of(request, text, length);
    if (queue->back && queue->back->request == request) return; /* the same key twice */
    GuardEntry *entry = &request->entries[request->entry_count++];
    *entry = (GuardEntry){.request = request, .queue = queue, .before = queue->back};
    if (queue->back)
        queue->back->after = entry;
    else
        queue->front = entry;
    queue->back = entry;
}

/* How many keys the reads name, some of them more than once; each enters its queue unless `request` is NULL. */
static size_t each_key(const RouteCommand *route, Request *request, RedisModuleString **argv, int argc) {
    size_t count = 0;
    for (int i = 0; i < route->read_count; i++) {
        for (int w = 0; w < route->reads[i].count; w++) {
            const ReadWord *word = &route->reads[i].words[w];
            if (word->kind != READ_KEY && word->kind != READ_KEYS) continue;
            for (int a = word->first; a <= read_word_last(word, argc) && a < argc; a++, count++) {
                if (request) append(request, argv[a]);
            }
        }
    }
    return count;
}

static void enter_queues(Request *request, RedisModuleString **argv, int argc) {
    const RouteCommand *route = request->command->route;
    size_t count = each_key(route, NULL, argv, argc);
    if (count > 0) request->entries = memory_alloc(sizeof(GuardEntry) * count);
    each_key(route, request, argv, argc);
}

static bool is_first(const Request *request) {
    for (int i = 0; i < request->entry_count; i++) {
        if (request->entries[i].before) return false;
    }
    return true;
}

/* ===== Entering and leaving ===== */

/* A private name that no client uses, in the hash slot of the first key, so that the server redirects the client when
 * the slot moves. */
static RedisModuleString *make_wake_name(const Request *request) {
    unsigned long long number = ++wake_number;
    if (!cluster_enabled() || request->entry_count == 0) {
        return RedisModule_CreateStringPrintf(NULL,
                                              "\x01"
                                              "ferrite:%llu",
                                              number);
    }
    const GuardQueue *queue = request->entries[0].queue;
    char tag[16];
    cluster_tag(queue->name + 8, queue->name_length - 8, tag);
    return RedisModule_CreateStringPrintf(NULL,
                                          "\x01"
                                          "ferrite:%llu:{%s}",
                                          number, tag);
}

bool guard_enter(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error) {
    request->guarded = true;
    arguments_hold(&request->arguments, argv, argc);
    enter_queues(request, argv, argc);
    if (is_first(request)) {
        if (!reads_first(ctx, request, argv, argc, error)) {
            guard_leave(request);
            return false;
        }
        request->has_reads = true;
    }
    request->by_key = RedisModule_BlockClientOnKeysWithFlags != NULL;
    if (request->by_key) request->wake_name = make_wake_name(request);
    return true;
}

void guard_blocked(Request *request) {
    if (request->entry_count == 0)
        invoke_guarded(request, false, moment_now());
    else if (request->has_reads)
        mark_ready(request->entries[0].queue);
}

void guard_leave(Request *request) {
    for (int i = 0; i < request->entry_count; i++) {
        GuardEntry *entry = &request->entries[i];
        GuardQueue *queue = entry->queue;
        if (entry->before)
            entry->before->after = entry->after;
        else
            queue->front = entry->after;
        if (entry->after)
            entry->after->before = entry->before;
        else
            queue->back = entry->before;
        if (!queue->front)
            queue_free(queue);
        else
            mark_ready(queue);
    }
    memory_free(request->entries);
    request->entries = NULL;
    request->entry_count = 0;
}

void guard_again(Request *request) {
    request_set_state(request, REQUEST_WAITING);
    request->has_reads = false;
    buffer_free(&request->reads);
    if (request->entry_count > 0)
        mark_ready(request->entries[0].queue);
    else
        wake_with_error(request, "TRYAGAIN the plugin was busy");
}

/* ===== Batches ===== */

/* All that stands before the request in any queue is in the batch being made. */
static bool joins(const Request *request, uint64_t stamp) {
    if (request->state != REQUEST_WAITING) return false;
    for (int i = 0; i < request->entry_count; i++) {
        const GuardEntry *before = request->entries[i].before;
        if (before && before->request->batch_stamp != stamp) return false;
    }
    return true;
}

static bool same_string(RedisModuleString *a, RedisModuleString *b) {
    size_t length, other;
    const char *text = RedisModule_StringPtrLen(a, &length), *text_b = RedisModule_StringPtrLen(b, &other);
    return a == b || (length == other && memcmp(text, text_b, length) == 0);
}

/* True if both would read the same: same command, same user, same keys and arguments in the reads. */
static bool same_reads(const Request *a, const Request *b) {
    if (a->command != b->command || a->arguments.count != b->arguments.count) return false;
    if (!a->user || !b->user || !same_string(a->user, b->user)) return false;
    const RouteCommand *route = a->command->route;
    for (int i = 0; i < route->read_count; i++) {
        for (int w = 0; w < route->reads[i].count; w++) {
            const ReadWord *word = &route->reads[i].words[w];
            if (word->kind == READ_LITERAL) continue;
            for (int n = word->first; n <= read_word_last(word, a->arguments.count) && n < a->arguments.count; n++) {
                if (!same_string(a->arguments.values[n], b->arguments.values[n])) return false;
            }
        }
    }
    return true;
}

/* Reads for somebody else than the running command: as the waiter's user, in its database. */
static bool read_as_user(RedisModuleCtx *ctx, Request *request, char *error) {
    RedisModule_SelectDb(ctx, request->db);
    RedisModuleUser *user = request->user ? RedisModule_GetModuleUserFromUserName(request->user) : NULL;
    if (request->user && !user) {
        snprintf(error, CALL_ERROR_SIZE, "NOPERM the user of this connection does not exist any more");
        return false;
    }
    if (user) call_as(ctx, user);
    bool ok = reads_first(ctx, request, request->arguments.values, request->arguments.count, error);
    if (user) {
        call_as(ctx, NULL);
        RedisModule_FreeModuleUser(user);
    }
    return ok;
}

/* In a cluster only a client that has said ASKING may use a slot that is on its way to this node, and whether it has is
 * known in its own context alone. */
static bool can_read_itself(const Request *request) {
    return request->by_key && cluster_enabled();
}

bool guard_read(RedisModuleCtx *ctx, Request *request, char *error) {
    if (!reads_refresh(ctx, request, request->arguments.values, request->arguments.count, error)) return false;
    request->has_reads = true;
    if (request->entry_count > 0) mark_ready(request->entries[0].queue);
    return true;
}

/* False when the request is not in the batch: it failed, its lane has closed, or it is woken to read itself. */
static bool provide_reads(RedisModuleCtx *ctx, Request *request, const Request *previous) {
    if (request->has_reads) return true;
    if (!request->command->route) {
        wake_with_error(request, "UNAVAILABLE the plugin has stopped meanwhile");
        return false;
    }
    char error[CALL_ERROR_SIZE];
    if (previous && same_reads(previous, request)) {
        buffer_put(&request->reads, buffer_front(&previous->reads), buffer_length(&previous->reads));
    } else if (request->reads_itself || !read_as_user(ctx, request, error)) {
        if (request->state != REQUEST_WAITING) return false;
        request->reads_itself = can_read_itself(request);
        if (request->reads_itself)
            wake_request(request);
        else
            wake_with_error(request, error);
        return false;
    }
    request->has_reads = true;
    return true;
}

/* While the next one's reads were made its lane may have closed, which has failed it. */
static void send_waiting(Request *request, bool chained, Moment now) {
    if (request && request->state == REQUEST_WAITING) invoke_guarded(request, chained, now);
}

static void send_batch(RedisModuleCtx *ctx, GuardQueue *queue) {
    uint64_t stamp = ++batch_stamp;
    Moment now = moment_now();
    Request *last = NULL; /* sent one step late: all but the last of a batch are marked as chained */
    long long size = 0;
    for (GuardEntry *entry = queue->front; entry && size < config.batch; entry = entry->after) {
        Request *request = entry->request;
        if (!joins(request, stamp)) break;
        if (last && last->lane != request->lane) break; /* its command has moved: a batch is of one lane */
        if (!provide_reads(ctx, request, last)) continue;
        request->batch_stamp = stamp;
        send_waiting(last, true, now);
        last = request;
        size++;
    }
    send_waiting(last, false, now);
}

void guard_before_sleep(RedisModuleCtx *ctx) {
    while (ready_list) {
        GuardQueue *queue = ready_list;
        ready_list = queue->ready_next;
        queue->ready = false;
        if (queue->front) send_batch(ctx, queue);
    }
}

void guard_free_all(void) {
    if (queues) RedisModule_FreeDict(NULL, queues);
    queues = NULL;
}
