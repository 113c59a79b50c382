#include "request.h"

#include "memory.h"

static Request **slots;
static uint32_t slot_count, slot_room;
static uint32_t *free_slots;
static uint32_t free_count;
static uint32_t in_flight;

Request *request_take(void) {
    in_flight++;
    if (free_count > 0) {
        return slots[free_slots[--free_count]];
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

CommandCaller request_caller(const Request *request) {
    return (CommandCaller){.client_id = request->client_id,
                           .user = request->user,
                           .db = request->db,
                           .resp = request->resp,
                           .invoke_flags = request->invoke_flags};
}

int request_call_mode(const Request *request) {
    int mode = request->user ? CALL_MODE_AS_USER : 0;
    if (request->invoke_flags & INVOKE_SCRIPT) mode |= CALL_MODE_IN_SCRIPT;
    return mode;
}

void request_drop_result(Request *request) {
    buffer_empty(&request->result, KEPT_BY_REQUEST);
    memory_free(request->failure);
    request->failure = NULL;
    request->result_flags = 0;
}

void request_release(Request *request) {
    request_drop_result(request);
    request_set_state(request, REQUEST_FREE);
    buffer_empty(&request->reads, KEPT_BY_REQUEST);
    arguments_free(&request->arguments);
    memory_free(request->chain);
    if (request->user) RedisModule_FreeString(NULL, request->user);
    if (request->wake_name) RedisModule_FreeString(NULL, request->wake_name);
    slot_give_back(request);
}

void request_free_all(void) {
    for (uint32_t i = 0; i < slot_count; i++) {
        buffer_free(&slots[i]->reads);
        buffer_free(&slots[i]->result);
        memory_free(slots[i]);
    }
    memory_free(slots);
    memory_free(free_slots);
    slots = NULL;
    free_slots = NULL;
    slot_count = slot_room = free_count = 0;
}
