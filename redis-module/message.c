#include "message.h"

#include "resp.h"

enum { KIND_MAX = 1, PLUGIN_STATE_MAX = 4 };

/* ===== Parts ===== */

static uint32_t skip_strings(Reader *reader) {
    uint32_t count = reader_count(reader, 4);
    for (uint32_t i = 0; i < count && !reader->failed; i++) reader_string(reader);
    return count;
}

/* A list of commands; each has a name at least. */
static uint32_t skip_commands(Reader *reader) {
    uint32_t count = reader_count(reader, 8);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        if (skip_strings(reader) == 0) reader->failed = true;
    }
    return count;
}

static void skip_subscriptions(Reader *reader) {
    uint32_t count = reader_count(reader, 14);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        reader_u32(reader);
        if (reader_u8(reader) > SUBSCRIPTION_PLUGINS) reader->failed = true;
        reader_u8(reader);
        skip_strings(reader);
        skip_strings(reader);
    }
}

bool message_read_result(const uint8_t *body, size_t length, uint8_t flags, Result *result) {
    Reader reader = reader_of(body, length);
    *result = (Result){.reply = reader_string(&reader)};
    if (flags & RESULT_HAS_COMMIT) {
        Reader start = reader;
        result->commit_count = skip_commands(&reader);
        reader_u32(&start);
        result->commit = start;
    }
    if (flags & RESULT_HAS_ASSUMED) {
        const uint8_t *start = reader.at;
        skip_strings(&reader);
        result->assumed = (Slice){.bytes = start, .length = (size_t)(reader.at - start)};
    }
    return reader_done(&reader);
}

/* ===== Messages ===== */

static bool hello(Reader *reader) {
    uint8_t kind = reader_u8(reader);
    reader_u32(reader);
    reader_string(reader);
    reader_string(reader);
    return kind <= KIND_MAX;
}

static bool attach(Reader *reader) {
    reader_string(reader);
    reader_string(reader);
    uint32_t count = reader_count(reader, 6);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        reader_string(reader);
        reader_u16(reader);
    }
    skip_subscriptions(reader);
    return true;
}

static bool detach(Reader *reader) {
    reader_string(reader);
    reader_string(reader);
    return true;
}

static bool status(Reader *reader) {
    uint32_t count = reader_count(reader, 17);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        reader_string(reader);
        reader_string(reader);
        if (reader_u8(reader) > PLUGIN_STATE_MAX) return false;
        reader_u32(reader);
        reader_string(reader);
    }
    return true;
}

static bool call(Reader *reader) {
    reader_u64(reader);
    reader_string(reader);
    reader_u32(reader);
    return skip_commands(reader) > 0;
}

static bool is_letter(uint8_t byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

bool message_is_event_name(Slice name) {
    if (name.length == 0 || name.length > EMIT_NAME_MAX || !is_letter(name.bytes[0])) return false;
    for (size_t i = 1; i < name.length; i++) {
        uint8_t byte = name.bytes[i];
        bool plain = is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == ':';
        if (!plain && byte != '-') return false;
    }
    return true;
}

static bool emit(Reader *reader) {
    reader_string(reader);
    Slice event = reader_string(reader);
    uint8_t format = reader_u8(reader);
    Slice payload = reader_string(reader);
    return message_is_event_name(event) && format <= EMIT_JSON && payload.length <= EMIT_PAYLOAD_MAX &&
           (format != EMIT_NOTHING || payload.length == 0);
}

static bool nothing(Reader *reader) {
    (void)reader;
    return true;
}

static const char *result_problem(const Frame *frame) {
    Result result;
    if (frame->code > OUTCOME_REWRITE || (frame->flags & ~(RESULT_HAS_COMMIT | RESULT_HAS_ASSUMED)) ||
        !message_read_result(frame->body, frame->body_length, frame->flags, &result)) {
        return "protocol error: malformed RESULT";
    }
    if (frame->code == OUTCOME_AGAIN || frame->code == OUTCOME_CONTINUE ||
        resp_is_value(result.reply.bytes, result.reply.length, result.commit_count)) {
        return NULL;
    }
    return "protocol error: the reply in a RESULT is not one RESP3 value";
}

const char *message_problem(const Frame *frame) {
    static const struct {
        FrameType type;
        bool (*body)(Reader *);
        const char *problem;
    } messages[] = {
        {FRAME_HELLO, hello, "protocol error: malformed HELLO"},
        {FRAME_PING, nothing, "protocol error: PING with a body"},
        {FRAME_PONG, nothing, "protocol error: PONG with a body"},
        {FRAME_ATTACH, attach, "protocol error: malformed ATTACH"},
        {FRAME_DETACH, detach, "protocol error: malformed DETACH"},
        {FRAME_STATUS, status, "protocol error: malformed STATUS"},
        {FRAME_ROUTES, nothing, "protocol error: ROUTES with a body"},
        {FRAME_CALL, call, "protocol error: malformed CALL"},
        {FRAME_EMIT, emit, "protocol error: malformed EMIT"},
    };
    if (frame->type == FRAME_RESULT) return result_problem(frame);
    if (frame->type == FRAME_EMIT && frame->code > EMIT_HOPS_MAX) return "protocol error: an EMIT without end";
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].type != frame->type) continue;
        Reader reader = reader_of(frame->body, frame->body_length);
        return messages[i].body(&reader) && reader_done(&reader) ? NULL : messages[i].problem;
    }
    return "protocol error: unknown frame type";
}
