#include "invoke.h"

#include <stdio.h>

#include "module.h"

size_t invoke_size(RedisModuleString **argv, int argc) {
    size_t size = 128;
    for (int i = 1; i < argc; i++) {
        size_t length;
        RedisModule_StringPtrLen(argv[i], &length);
        size += 4 + length;
    }
    return size;
}

bool invoke_too_long(const Command *command, char *error) {
    snprintf(error, CALL_ERROR_SIZE, "ERR '%s': its arguments and what it reads are longer than %d MiB", command->name,
             FRAME_LENGTH_MAX >> 20);
    return false;
}

Moment moment_now(void) {
    return (Moment){.monotonic = clock_microseconds(), .unix_time = clock_milliseconds()};
}

static uint32_t milliseconds_left(const Request *request, uint64_t now) {
    return request->deadline > now ? (uint32_t)((request->deadline - now) / 1000) : 0;
}

static void put_caller(Buffer *out, const CommandCaller *caller, uint64_t unix_time, uint32_t left) {
    buffer_put_u64(out, caller->client_id);
    buffer_put_u32(out, (uint32_t)caller->db);
    buffer_put_u8(out, caller->resp);
    buffer_put_u64(out, unix_time);
    buffer_put_u32(out, left);
    size_t length = 0;
    const char *user = caller->user ? RedisModule_StringPtrLen(caller->user, &length) : "";
    buffer_put_string(out, user, length);
}

static void put_words(Buffer *out, RedisModuleString **argv, int argc, int from) {
    buffer_put_u32(out, (uint32_t)(argc - from));
    for (int i = from; i < argc; i++) {
        size_t length;
        const char *text = RedisModule_StringPtrLen(argv[i], &length);
        buffer_put_string(out, text, length);
    }
}

void invoke_send(Request *request, RedisModuleString **argv, int argc, uint8_t flags, Moment now) {
    Buffer *out = &request->lane->out;
    CommandCaller caller = request_caller(request);
    size_t begun = frame_begin(out, FRAME_INVOKE, flags, request->code, request_id(request));
    put_caller(out, &caller, now.unix_time, milliseconds_left(request, now.monotonic));
    put_words(out, argv, argc, command_words(request->command));
    if (buffer_length(&request->reads) == 0)
        buffer_put_u32(out, 0);
    else
        buffer_put(out, buffer_front(&request->reads), buffer_length(&request->reads));
    frame_end(out, begun);
    lane_written(request->lane);
    request_set_state(request, REQUEST_ASKED);
}

void invoke_tell(const Command *command, const CommandCaller *caller, RedisModuleString **argv, int argc,
                 const Buffer *about) {
    Buffer *out = &command->lane->out;
    size_t begun = frame_begin(out, FRAME_INVOKE, caller->invoke_flags | INVOKE_TOLD, command->code, 0);
    put_caller(out, caller, clock_milliseconds(), 0);
    put_words(out, argv, argc, 0);
    buffer_put(out, buffer_front(about), buffer_length(about));
    frame_end(out, begun);
    lane_written(command->lane);
}

void invoke_guarded(Request *request, bool chained, Moment now) {
    uint8_t flags = request->invoke_flags | INVOKE_GUARDED;
    if (request->attempts) flags |= INVOKE_RERUN;
    if (chained) flags |= INVOKE_CHAINED;
    invoke_send(request, request->arguments.values, request->arguments.count, flags, now);
}

void invoke_cancel(Request *request, uint16_t why) {
    Lane *lane = request->lane;
    if (lane->fd < 0) return;
    frame_end(&lane->out, frame_begin(&lane->out, FRAME_CANCEL, 0, why, request_id(request)));
    lane_written(lane);
}
