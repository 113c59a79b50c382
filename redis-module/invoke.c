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

void invoke_send(Request *request, RedisModuleString **argv, int argc, uint8_t flags, Moment now) {
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
